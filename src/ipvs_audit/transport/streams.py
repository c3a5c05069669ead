"""Moves bytes between a script and whoever runs it, until its output has ended."""

from __future__ import annotations

import contextlib
import os
import selectors
from typing import IO, TYPE_CHECKING, Self

from ipvs_audit.model import limits
from ipvs_audit.transport.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.transport.script_protocol import ScriptProtocol


class Streams:
    """The three streams of a program, unbuffered; they are closed with the block."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._pending = b""
        self._lingering: Deadline | None = None
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for stream in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                stream.close()

    def watch(self, descriptor: int, feed: Callable[[bytes], None]) -> None:
        """Read something else meanwhile; ``feed`` is given what comes, and ``b""`` at its end."""
        self._selector.register(descriptor, selectors.EVENT_READ, feed)

    def converse(
        self,
        protocol: ScriptProtocol,
        deadline: Deadline,
        has_ended: Callable[[], bool],
        check: float,
    ) -> bool:
        """Move bytes until both streams have ended; false where the time was up before.

        Args:
            protocol: what to send, and where the output goes.
            deadline: when the time is up.
            has_ended: whether the program has; what it left behind may hold its output open.
            check: seconds between two looks at that while nothing comes.
        """
        os.set_blocking(self._stdin.fileno(), False)
        self._selector.register(self._stdout, selectors.EVENT_READ, protocol.feed_stdout)
        self._selector.register(self._stderr, selectors.EVENT_READ, protocol.feed_stderr)
        output = {self._stdout.fileno(), self._stderr.fileno()}
        while output and not self._only_background_left(has_ended):
            self._want_to_write(protocol)
            if deadline.over():
                return False
            wait = limits.BACKGROUND_OUTPUT / 4 if self._lingering else check
            for key, _ in self._selector.select(min(deadline.left(), wait)):
                if key.fileobj is self._stdin:
                    self._write()
                    continue
                data = os.read(key.fd, limits.READ_SIZE)
                if not data:
                    self._selector.unregister(key.fileobj)
                if data and key.fd in output:
                    self._lingering = None
                elif key.fd in output:
                    output.discard(key.fd)
                    continue
                key.data(data)
        return True

    def await_end(self, deadline: Deadline, has_ended: Callable[[], bool]) -> bool:
        """Read on what is watched until the program has ended; false where the time was up."""
        while not has_ended():
            if deadline.over():
                return False
            for key, _ in self._selector.select(min(deadline.left(), limits.CONNECTION_CHECK)):
                if not (data := os.read(key.fd, limits.READ_SIZE)):
                    self._selector.unregister(key.fileobj)
                key.data(data)
        return True

    def _only_background_left(self, has_ended: Callable[[], bool]) -> bool:
        """Whether the program has ended a while ago, and others hold its output open."""
        if not has_ended():
            return False
        self._lingering = self._lingering or Deadline.after(limits.BACKGROUND_OUTPUT)
        return self._lingering.over()

    def _want_to_write(self, protocol: ScriptProtocol) -> None:
        if self._stdin.closed:
            return
        self._pending += protocol.take_input()
        registered = self._stdin in self._selector.get_map()
        if self._pending and not registered:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        elif not self._pending and registered:
            self._selector.unregister(self._stdin)
        if not self._pending and protocol.input_over:
            self._stdin.close()

    def _write(self) -> None:
        try:
            sent = os.write(self._stdin.fileno(), self._pending)
        except BlockingIOError:
            return
        except OSError:  # it ended without reading; its output tells why
            self._pending = b""
            return
        self._pending = self._pending[sent:]
