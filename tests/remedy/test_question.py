"""The question before hosts are changed, at a real terminal and without one."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest
from pretended_runs import LONG, ROOT, changed, command, environment, unattended

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow
ASKED = b"Change them now? [yes/no]"
AGAIN = b"Change web1 by its new plan? [yes/no]"


def at_terminal(
    folder: Path,
    answer: bytes,
    *arguments: str,
    then: dict[bytes, Callable[[int], object]] | None = None,
    **more: str,
) -> tuple[int, str]:
    """Run it at a terminal, and type something at the question: exit status and output.

    ``then``: what to do once these words are seen, with the terminal's descriptor.
    """
    then = dict(then or {})
    argv, env = command(folder, "--remediate", *arguments), environment(folder, **more)
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may ignore it
        os.chdir(ROOT)
        os.execve(sys.executable, argv, env)  # noqa: S606
    said, typed, end = b"", False, time.monotonic() + LONG
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            said += os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if ASKED in said and not typed:
            os.write(terminal, answer)
            typed = True
        for words in [words for words in then if words in said]:
            then.pop(words)(terminal)
    else:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert typed == (answer != b""), said
    assert not then, said
    return status, said.decode()


@pytest.mark.parametrize("answer", [b"y\n", b"YES\n"])
def test_yes_changes_hosts(tmp_path: Path, answer: bytes) -> None:
    status, said = at_terminal(tmp_path, answer)
    assert "2 hosts to change: 4 files, 2 running values; 0 needs approval" in said
    assert said.index("+net.ipv4.vs.run_estimation = 0") < said.index(ASKED.decode())
    assert changed(tmp_path).startswith("web1: 3 steps"), said
    assert status == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"n\n", 1), (b"\n", 1), (b"yess\n", 1), (b"\x04", 1), (b"\x03", 2)],
    ids=["no", "nothing", "other", "end", "ctrl-c"],
)
def test_anything_else_changes_nothing_and_is_still_reported(
    tmp_path: Path, answer: bytes, status: int
) -> None:
    found, said = at_terminal(tmp_path, answer)
    assert found == status, said
    assert changed(tmp_path) == ""
    assert "Not confirmed: nothing was changed." in said
    latest = tmp_path / "reports" / "latest"
    assert (latest / "index.html").is_file()
    assert not (latest / "journal.jsonl").exists()


def test_with_yes_nothing_is_asked(tmp_path: Path) -> None:
    _, said = at_terminal(tmp_path, b"", "--yes")
    assert changed(tmp_path).startswith("web1"), said


@pytest.mark.parametrize(("arguments", "status"), [((), 4), (("--yes",), 1)])
def test_without_a_terminal_yes_is_needed(
    tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    done = unattended(tmp_path, "--remediate", *arguments)
    assert done.returncode == status, done.stdout
    assert bool(changed(tmp_path)) == (status == 1)


def test_what_is_not_attempted_or_failed_stands_in_every_report(tmp_path: Path) -> None:
    at_terminal(tmp_path, b"yes\n")
    latest = tmp_path / "reports" / "latest"
    for name in ("index.html", "results.json", "junit.xml"):
        text = (latest / name).read_text()
        assert "attempted" in text, name
        assert "this host is only pretended" in text, name


def test_a_check_that_cannot_be_loaded_lets_nothing_be_changed(tmp_path: Path) -> None:
    broken = tmp_path / "test_broken.py"
    broken.write_text("import no_such_module\n")
    done = unattended(tmp_path, "--remediate", "--yes", "checks", str(broken))
    assert "nothing was changed" in done.stdout + done.stderr
    assert done.returncode != 0
    assert changed(tmp_path) == ""


@pytest.mark.parametrize("raised", ["OSError", "ValueError"])
def test_measuring_that_fails_after_a_change_leaves_reports_and_journal(
    tmp_path: Path, raised: str
) -> None:
    done = unattended(
        tmp_path,
        *("--remediate", "--yes", "--latency", "--max-failures", "2"),
        IPVS_AUDIT_TEST_UNMEASURED=raised,
    )
    assert changed(tmp_path).startswith("web1: 3 steps"), done.stdout + done.stderr
    reports = tmp_path / "reports" / "latest"
    for name in ("results.json", "journal.jsonl"):
        assert (reports / name).stat().st_size, (name, done.stdout)
    assert "could not be measured on every host" in (reports / "results.json").read_text()
    assert done.returncode == 1, done.stdout


def test_a_run_that_fails_after_a_change_never_says_that_nothing_was_changed(
    tmp_path: Path,
) -> None:
    done = unattended(tmp_path, "--remediate", "--yes", IPVS_AUDIT_TEST_CUT_SHORT="1")
    assert changed(tmp_path).startswith("web1: 3 steps"), done.stdout + done.stderr
    assert "nothing was changed:" not in done.stdout + done.stderr
    results = (tmp_path / "reports" / "latest" / "results.json").read_text()
    assert "The remediation stopped early" in results
    assert (tmp_path / "reports" / "latest" / "journal.jsonl").stat().st_size
    assert done.returncode == 1, done.stdout


def test_a_plan_that_nobody_saw_is_shown_and_asked_about(tmp_path: Path) -> None:
    more = {"IPVS_AUDIT_TEST_CHANGED": "1", "IPVS_AUDIT_TEST_WORKS": "1"}
    again = {AGAIN: lambda terminal: os.write(terminal, b"yes\n")}
    _, said = at_terminal(tmp_path, b"yes\n", "--limit", "web1", then=again, **more)
    shown = said.index("web1: it changed after its plan was made. The new plan:")
    assert said.index("+net.ipv4.vs.run_estimation = 0", shown) < said.index(AGAIN.decode())
    assert changed(tmp_path) == "web1: 3 steps\n", said


def test_what_is_told_after_yes_is_seen_at_once(tmp_path: Path) -> None:
    """pytest's capture kept it all back until the last host was done."""
    more = {"IPVS_AUDIT_TEST_HOLD": "apply", "IPVS_AUDIT_TEST_WORKS": "1"}
    seen = {b"  web1: changing": lambda _terminal: (tmp_path / "go").touch()}
    _, said = at_terminal(tmp_path, b"yes\n", "--limit", "web1", then=seen, **more)
    assert "web1: verifying" in said


def test_without_a_terminal_a_host_that_changed_is_skipped_and_named(tmp_path: Path) -> None:
    done = unattended(tmp_path, "--remediate", "--yes", IPVS_AUDIT_TEST_CHANGED="1")
    assert changed(tmp_path) == "", done.stdout
    assert done.returncode == 1
    said = "nobody could be asked about the new plan (--yes)"
    assert f"web2: not attempted: it changed after its plan was made, and {said}" in done.stdout
    page = (tmp_path / "reports" / "latest" / "index.html").read_text()
    assert said in page
