"""Runs a program on this machine; it is killed with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.transport.deadline import Deadline
    from ipvs_audit.transport.script_protocol import ScriptProtocol


def run_process(
    argv: list[str],
    protocol: ScriptProtocol,
    deadline: Deadline,
    timeout: float,
    *,
    on_start: Callable[[Callable[[], None]], None] = lambda _kill: None,
) -> int | None:
    """Run a program in a session of its own.

    Args:
        argv: the program and its arguments.
        protocol: what to send, and where the output goes.
        deadline: when it must be over.
        timeout: the seconds that were allowed in all, for messages.
        on_start: called with a function that kills the program from another thread.

    Returns:
        Its exit status, negative where a signal ended it.

    Raises:
        TransportError: it cannot be started, prints too much, or is not done in time.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise TransportError("protocol", f"{argv[0]}: {error.strerror}") from None
    on_start(lambda: _kill(process))
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise protocol.timed_out(timeout)
    try:
        with Streams(process.stdin, process.stdout, process.stderr) as streams:
            if streams.converse(
                protocol,
                deadline,
                lambda: process.poll() is not None,
                limits.BACKGROUND_OUTPUT / 4,
            ):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(deadline.left())
            raise protocol.timed_out(timeout)
    finally:
        end_group(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limits.BACKGROUND_OUTPUT)


def end_group(leader: int, how: signal.Signals) -> None:
    """Send a signal to a program and to what it started.

    The leader may be gone and its children not: the group has the leader's number still. sudo's
    children are root's and may refuse.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, how)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        end_group(process.pid, signal.SIGKILL)
