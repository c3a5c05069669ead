"""Runs the audit as a user does: pytest as a program, in the checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ran import Ran

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests" / "recordings"
PYTEST = Path(sys.executable).with_name("pytest")


class Audit:
    """The command line, with reports and pytest's cache in a place of its own."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports

    def argv(self, *arguments: str | Path) -> list[str]:
        cache = f"cache_dir={self.reports}.cache"
        return [str(PYTEST), "--reports", str(self.reports), "-o", cache, *map(str, arguments)]

    def __call__(self, *arguments: str | Path, timeout: float = 300) -> Ran:
        done = subprocess.run(
            self.argv(*arguments),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            env=os.environ | {"COLUMNS": "100"},
            check=False,
        )
        return Ran(done.returncode, done.stdout, self.reports)

    def interrupted(self, *arguments: str | Path, after: float, timeout: float = 300) -> Ran:
        """Press Ctrl-C some seconds after the hosts are known, which is told at the start."""
        process = subprocess.Popen(
            self.argv(*arguments),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        told = ""
        while not told.endswith("\n") or "\nipvs-audit: " not in told:
            line = process.stdout.readline()
            assert line, f"ended before it was interrupted: {told}"
            told += line
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=timeout)
        return Ran(process.returncode, told + output, self.reports)


def connected(port: int) -> bool:
    """Whether somebody has connected to a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(line[2].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def subprocess_run(command: list[str | Path], folder: Path) -> Ran:
    """Any command that audits, run in a folder; its reports land below it."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        env=os.environ | {"COLUMNS": "100"},
        check=False,
    )
    return Ran(done.returncode, done.stdout, folder / "reports")
