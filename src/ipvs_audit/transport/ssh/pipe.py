"""A command on a host with a pipe to it that tells when each byte came back.

Paramiko's reading thread stamps what arrives, so that the time is that of the arrival and not that
of whoever waits for it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import paramiko
from paramiko.buffered_pipe import BufferedPipe

from ipvs_audit.transport.pipe import PipeEndedError

if TYPE_CHECKING:
    from collections.abc import Callable


class ChannelPipe:
    """An open channel with a command at its other end; see :mod:`ipvs_audit.transport.pipe`.

    What the command sends beyond the channel's window (2 MiB) is never taken, so it holds no more
    memory than that.
    """

    def __init__(self, channel: paramiko.Channel, alive: Callable[[], bool]) -> None:
        self._channel = channel
        self._alive = alive
        self._arrivals = _Stamped()
        channel.in_buffer = self._arrivals

    def send(self, data: bytes) -> None:
        """Send a few bytes at once.

        Raises:
            PipeEndedError: there is nobody to take them.
        """
        try:
            self._channel.sendall(data)
        except (OSError, EOFError, paramiko.SSHException):
            raise self._ended() from None

    def arrived(self, until: float) -> list[tuple[float, bytes]]:
        """What came since the last call, with the time of each piece; waits for the first.

        Args:
            until: when to give up waiting, by ``time.perf_counter``.

        Raises:
            PipeEndedError: nothing more can come.
        """
        found = self._arrivals.take(until)
        if not found and self._arrivals.over:
            raise self._ended()
        return found

    def close(self) -> None:
        """End the command. The connection stays open."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()

    def _ended(self) -> PipeEndedError:
        what = "the command on the host" if self._alive() else "the connection"
        return PipeEndedError(f"{what} ended")


class _Stamped(BufferedPipe):  # type: ignore[type-arg]  # generic in the stubs alone
    """What a channel puts its input into, with the time of each piece."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._there = threading.Event()
        self.over = False

    def feed(self, data: bytes | str) -> None:
        """Called by paramiko's thread for each piece that arrives."""
        at = time.perf_counter()
        self._pieces.append((at, data.encode() if isinstance(data, str) else data))
        self._there.set()

    def close(self) -> None:
        """Called when nothing more will come."""
        self.over = True
        self._there.set()

    def take(self, until: float) -> list[tuple[float, bytes]]:
        """All pieces there are; where there are none, waits for one."""
        if not self._pieces and not self.over:
            self._there.wait(max(0.0, until - time.perf_counter()))
        if not self.over:
            self._there.clear()
        found = []
        while self._pieces:
            found.append(self._pieces.popleft())
        return found
