"""Ctrl-C, SIGTERM and SIGHUP, as Jenkins' abort and a closed terminal send them, to real runs."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from pretended_runs import LONG, ROOT, begin, changed, command, environment
from program import connected

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from program import Audit

pytestmark = pytest.mark.slow
REMEDIATE = ("--remediate", "--yes")


def held(folder: Path, phase: str, *arguments: str) -> subprocess.Popen[str]:
    """A run that came to a phase of its first host, which lasts until :func:`let_go`."""
    more = {"IPVS_AUDIT_TEST_HOLD": phase, "IPVS_AUDIT_TEST_WORKS": "1"}
    env = environment(folder, **more)
    return begin(command(folder, *arguments), (folder / "held").exists, env)


def let_go(folder: Path) -> None:
    (folder / "go").touch()


def told(process: subprocess.Popen[str], words: str) -> str:
    """Its output up to the line with these words."""
    said = ""
    assert process.stdout is not None
    while words not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def results(folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((folder / "reports" / "latest" / "results.json").read_text())
    return made


def statuses(folder: Path) -> dict[str, str]:
    return {one["name"]: one["remedy"]["status"] for one in results(folder)["hosts"]}


def test_repeated_signals_let_the_host_under_way_be_verified_and_the_reports_be_written(
    tmp_path: Path,
) -> None:
    process = held(tmp_path, "apply", *REMEDIATE)
    process.send_signal(signal.SIGTERM)
    said = told(process, "SIGTERM: ending: nothing new is begun")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):  # as Jenkins' abort may
        process.send_signal(number)
        said += told(process, f"{number.name}: already ending")
    let_go(tmp_path)
    said += process.communicate(timeout=LONG)[0]
    assert process.returncode == 2, said
    # Its files are not pretended to be changed: what the running value needs is done.
    assert statuses(tmp_path) == {"web1": "partially_remediated", "web2": "not_attempted"}, said
    assert results(tmp_path)["run"]["interrupted"] is True
    assert changed(tmp_path) == "web1: 3 steps\n"
    assert said.index("web1: changing") < said.index("web1: verifying")
    latest = tmp_path / "reports" / "latest"
    assert {"junit.xml", "index.html", "journal.jsonl", "snapshots-before.jsonl.gz"} <= {
        path.name for path in latest.iterdir()
    }

    # What the run changed is undone, and that is stopped as well.
    for name in ("go", "held"):
        (tmp_path / name).unlink()
    run = latest.resolve().name
    process = held(tmp_path, "undo", "--rollback", run, "--yes")
    process.send_signal(signal.SIGINT)
    told(process, "SIGINT: ending")
    process.send_signal(signal.SIGINT)
    said = told(process, "SIGINT: already ending")
    let_go(tmp_path)
    said += process.communicate(timeout=LONG)[0]
    assert process.returncode == 2, said
    done = {one["name"]: one.get("remedy") for one in results(tmp_path)["hosts"]}
    assert done["web1"]["status"] == "rolled_back"


def test_a_closed_terminal_stops_the_run_and_the_reports_are_written(tmp_path: Path) -> None:
    argv = command(tmp_path, *REMEDIATE)
    more = {"IPVS_AUDIT_TEST_HOLD": "apply", "IPVS_AUDIT_TEST_WORKS": "1"}
    env = environment(tmp_path, **more)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(argv[0], argv, env)  # noqa: S606
    end = time.monotonic() + LONG
    while not (tmp_path / "held").exists() and time.monotonic() < end:
        os.set_blocking(terminal, False)
        try:
            os.read(terminal, 65536)
        except BlockingIOError:
            time.sleep(0.1)
    os.close(terminal)
    let_go(tmp_path)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 2
    assert statuses(tmp_path) == {"web1": "partially_remediated", "web2": "not_attempted"}


def test_a_third_signal_ends_at_once_and_names_the_way_back(tmp_path: Path) -> None:
    process = held(tmp_path, "apply", *REMEDIATE)
    for words in ("SIGINT: ending", "SIGINT: already ending"):
        process.send_signal(signal.SIGINT)
        told(process, words)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=LONG)[0]
    assert process.returncode == -signal.SIGINT
    reports = tmp_path / "reports"
    (journal,) = reports.glob("*/journal.jsonl")
    assert f"not verified; undo with: --rollback {journal.parent.name}" in " ".join(said.split())
    assert not (reports / "latest").exists()


@pytest.mark.parametrize(
    ("number", "whole_group", "arguments"),
    [
        (signal.SIGTERM, False, ()),
        (signal.SIGTERM, True, ("-n", "2")),
        (signal.SIGINT, True, ("--processes", "2")),
    ],
    ids=["term", "term to all processes under xdist", "Ctrl-C with processes that collect"],
)
def test_an_audit_reports_what_it_has_collected(
    audit: Audit, tmp_path: Path, mute: int, number: int, *, whole_group: bool, arguments: Any
) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        "all:\n  hosts:\n    here: {ansible_connection: local}\n"
        f"    mute: {{ansible_host: 127.0.0.1, ansible_port: {mute}}}\n"
    )
    argv = audit.argv("--inventory", inventory, "--connect-timeout", "500", *arguments)
    process = begin([*argv, "--deadline", "500"], lambda: connected(mute))
    (os.killpg if whole_group else os.kill)(process.pid, number)
    said = process.communicate(timeout=LONG)[0]
    assert process.returncode == 2, said
    made = json.loads((audit.reports / "latest" / "results.json").read_text())
    assert made["run"]["interrupted"] is True
    assert {host["name"] for host in made["hosts"]} == {"here", "mute"}
    assert (audit.reports / "latest" / "junit.xml").is_file()


def test_a_run_that_was_started_to_ignore_a_signal_ignores_it(tmp_path: Path) -> None:
    """As with nohup: closing the terminal must not end it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = held(tmp_path, "apply", *REMEDIATE, "--max-failures", "2")
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    let_go(tmp_path)
    said = process.communicate(timeout=LONG)[0]
    assert process.returncode == 1, said
    assert changed(tmp_path) == "web1: 3 steps\nweb2: 3 steps\n"


def test_output_that_nobody_reads_any_more_does_not_end_a_run(tmp_path: Path) -> None:
    """``| tee log``: a Ctrl-C ends tee at once, and this process in order."""
    process = held(tmp_path, "apply", *REMEDIATE)
    assert process.stdout is not None
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    let_go(tmp_path)
    assert process.wait(LONG) == 2
    assert statuses(tmp_path)["web2"] == "not_attempted"
