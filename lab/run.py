"""Runs an external command with a time limit, and says clearly what failed."""

from __future__ import annotations

import subprocess
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


def run(
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
        timeout: Seconds it may take.
        what: What it is for, as an error begins: "install kernel 6.1".
        cwd: Where it runs.
        env: Its whole environment; this process's when None.

    Raises:
        LabError: It is not installed, took too long, or exited non-zero.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            check=True,
            cwd=cwd,
            env=env,
            errors="replace",
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise LabError(f"{what}: {words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{what}: {words[0]} took longer than {timeout:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = tail(error.stderr or error.stdout)
        raise LabError(f"{what}: {words[0]} exited {error.returncode}\n{said}") from error
    return done.stdout
