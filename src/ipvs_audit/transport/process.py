"""Runs a program on this machine; it is killed with everything that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from typing import IO, TYPE_CHECKING, Self

from ipvs_audit.model import limits
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

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
    with _Child(process) as child:
        if child.talk(protocol, deadline):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(deadline.left())
        raise protocol.timed_out(timeout)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and what it started; sudo's children are root's and may refuse."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


class _Child:
    """A process, its three pipes, and what still has to be written to it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._pending = b""
        self._lingering: Deadline | None = None
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        # The leader may be gone and its children not: the group has the leader's number still.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limits.BACKGROUND_OUTPUT)

    def talk(self, protocol: ScriptProtocol, deadline: Deadline) -> bool:
        """Move bytes until both streams have ended; false where the time was up before."""
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if stdin is None or stdout is None or stderr is None:
            return False
        os.set_blocking(stdin.fileno(), False)
        self._selector.register(stdout, selectors.EVENT_READ, protocol.feed_stdout)
        self._selector.register(stderr, selectors.EVENT_READ, protocol.feed_stderr)
        reading = {stdout, stderr}
        while reading and not self._only_background_left():
            self._want_to_write(stdin, protocol)
            if deadline.over():
                return False
            for key, _ in self._selector.select(min(deadline.left(), limits.BACKGROUND_OUTPUT / 4)):
                if key.fileobj is stdin:
                    self._write(stdin)
                    continue
                data = os.read(key.fd, limits.READ_SIZE)
                if data:
                    key.data(data)
                    self._lingering = None
                else:
                    self._selector.unregister(key.fileobj)
                    reading -= {key.fileobj}
        return True

    def _only_background_left(self) -> bool:
        """Whether the program has ended a while ago, and others hold its output open."""
        if self._process.poll() is None:
            return False
        self._lingering = self._lingering or Deadline.after(limits.BACKGROUND_OUTPUT)
        return self._lingering.over()

    def _want_to_write(self, stdin: IO[bytes], protocol: ScriptProtocol) -> None:
        if stdin.closed:
            return
        self._pending += protocol.take_input()
        registered = stdin in self._selector.get_map()
        if self._pending and not registered:
            self._selector.register(stdin, selectors.EVENT_WRITE)
        elif not self._pending and registered:
            self._selector.unregister(stdin)
        if not self._pending and protocol.input_over:
            stdin.close()

    def _write(self, stdin: IO[bytes]) -> None:
        try:
            sent = os.write(stdin.fileno(), self._pending)
        except BlockingIOError:
            return
        except OSError:  # it ended without reading; its output tells why
            self._pending = b""
            return
        self._pending = self._pending[sent:]
