"""The question before hosts are changed, at a real terminal and without one."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ASKED = b"Change them now? [yes/no]"
LOCK_SECONDS = 120


def command(folder: Path, *arguments: str) -> list[str]:
    (folder / "hosts.yml").write_text("all: {hosts: {web1: , web2: }}\n")
    return [
        *(sys.executable, "-m", "pytest", "-p", "pretend", "--reports", str(folder / "reports")),
        *("--inventory", str(folder / "hosts.yml"), "--remediate", *arguments),
    ]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": f"{ROOT}/tests/support",
        "IPVS_AUDIT_TEST_DONE": str(folder / "done"),
        "COLUMNS": "120",
    }


def at_terminal(folder: Path, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run it at a terminal, and type something at the question: exit status and output."""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may ignore it
        os.chdir(ROOT)
        os.execve(sys.executable, command(folder, *arguments), environment(folder))  # noqa: S606
    said, typed, end = b"", False, time.monotonic() + LOCK_SECONDS
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
    else:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert typed == (answer != b""), said
    return status, said.decode()


def unattended(
    folder: Path, *arguments: str, more: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it without a terminal, maybe with more in its environment."""
    return subprocess.run(
        command(folder, *arguments),
        cwd=ROOT,
        env=environment(folder) | (more or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LOCK_SECONDS,
    )


def changed(folder: Path) -> str:
    done = folder / "done"
    return done.read_text() if done.exists() else ""


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
    done = unattended(tmp_path, *arguments)
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
    done = unattended(tmp_path, "--yes", "checks", str(broken))
    assert "nothing was changed" in done.stdout + done.stderr
    assert done.returncode != 0
    assert changed(tmp_path) == ""


@pytest.mark.parametrize("raised", ["OSError", "ValueError"])
def test_measuring_that_fails_after_a_change_leaves_reports_and_journal(
    tmp_path: Path, raised: str
) -> None:
    done = unattended(
        tmp_path,
        "--yes",
        "--latency",
        "--max-failures",
        "2",
        more={"IPVS_AUDIT_TEST_UNMEASURED": raised},
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
    done = unattended(tmp_path, "--yes", more={"IPVS_AUDIT_TEST_CUT_SHORT": "1"})
    assert changed(tmp_path).startswith("web1: 3 steps"), done.stdout + done.stderr
    assert "nothing was changed:" not in done.stdout + done.stderr
    results = (tmp_path / "reports" / "latest" / "results.json").read_text()
    assert "The remediation stopped early" in results
    assert (tmp_path / "reports" / "latest" / "journal.jsonl").stat().st_size
    assert done.returncode == 1, done.stdout
