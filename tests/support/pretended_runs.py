"""Runs of the audit as programs on hosts that are only pretended (see ``pretend``)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
#: Seconds after which a run hangs; a loaded machine takes long.
LONG = 180


def command(folder: Path, *arguments: str) -> list[str]:
    (folder / "hosts.yml").write_text("all: {hosts: {web1: , web2: }}\n")
    return [
        *(sys.executable, "-m", "pytest", "-p", "pretend", "--reports", str(folder / "reports")),
        *("--inventory", str(folder / "hosts.yml"), *arguments),
    ]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": f"{ROOT}/tests/support",
        "PYTHONUNBUFFERED": "1",
        "IPVS_AUDIT_TEST_DONE": str(folder / "done"),
        "COLUMNS": "120",
        **more,
    }


def changed(folder: Path) -> str:
    """What was done to the hosts."""
    done = folder / "done"
    return done.read_text() if done.exists() else ""


def unattended(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run it without a terminal, maybe with more in its environment."""
    return subprocess.run(
        command(folder, *arguments),
        cwd=ROOT,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
    )


@contextmanager
def interruptible() -> Iterator[None]:
    """Programs started meanwhile notice Ctrl-C, also where a shell lets its jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def begin(
    argv: list[str],
    ready: Callable[[], bool],
    env: dict[str, str] | None = None,
    folder: Path = ROOT,
) -> subprocess.Popen[str]:
    """Start a run in a session of its own, and wait until what is asked for holds."""
    with interruptible():
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    end = time.monotonic() + LONG
    while not ready() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    if process.poll() is not None or not ready():
        process.kill()
        raise AssertionError(process.communicate()[0])
    return process
