"""Runs an external command with a time limit, and says clearly what failed."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TAIL = 12


class LabError(Exception):
    """The lab cannot go on; the message says what, where and the way out."""


def tail(text: str, lines: int = TAIL) -> str:
    """The last lines of a text, indented to stand under a message."""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])


def run_command(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """What the command printed on standard output.

    Args:
        argv: The command and its arguments.
        timeout: Seconds it may take, on a machine that is busy.
        what: The step that it is, as an error begins: "install kernel 6.1".
        cwd: Where it runs.
        env: Its whole environment; this process's when None.

    Raises:
        LabError: It is not installed, took too long, or exited non-zero; with its last lines.
    """
    words = [str(word) for word in argv]
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            errors="replace",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except FileNotFoundError as error:
        raise LabError(f"{what}: {words[0]} is not installed") from error
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except BaseException as error:
        # Its children too: debootstrap's would go on mounting and writing.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise LabError(
                f"{what}: {words[0]} took longer than {timeout:.0f} s\n{_said(stdout, stderr)}"
            ) from error
        raise
    if process.returncode:
        raise LabError(f"{what}: {words[0]} exited {process.returncode}\n{_said(stdout, stderr)}")
    return stdout


def _said(stdout: str, stderr: str) -> str:
    """The last lines of both: debootstrap, for one, names its errors on standard output."""
    return "\n".join(tail(text) for text in (stdout, stderr) if text.strip())
