"""A session as a pipe that tells when each byte came back; see :mod:`ipvs_audit.transport.pipe`."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from typing import IO, TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport.pipe import PipeEndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipvs_audit.transport.openssh.control import ControlSession


class SessionPipe:
    """A command at the other end of OpenSSH's client.

    The client passes bytes on as they come, which takes it some 0.1 ms each way.
    """

    def __init__(
        self,
        session: ControlSession,
        streams: tuple[IO[bytes], IO[bytes], IO[bytes]],
        alive: Callable[[], bool],
        drained: Mapping[int, Callable[[bytes], None]],
    ) -> None:
        self._session = session
        self._stdin, self._stdout, self._stderr = streams
        self._alive = alive
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        for descriptor, feed in drained.items():
            self._selector.register(descriptor, selectors.EVENT_READ, feed)
        self._over = False

    def send(self, data: bytes) -> None:
        """Send a few bytes at once."""
        try:
            os.write(self._stdin.fileno(), data)
        except OSError:
            raise self._ended() from None

    def arrived(self, until: float) -> list[tuple[float, bytes]]:
        """What came since the last call, with the time of each piece; waits for the first."""
        if self._over:
            raise self._ended()
        found = []
        for key, _ in self._selector.select(max(0.0, until - time.perf_counter())):
            at = time.perf_counter()
            data = os.read(key.fd, limits.SOCKET_READ_SIZE)
            if data and key.fileobj is self._stdout:
                found.append((at, data))
            elif not data:
                self._selector.unregister(key.fileobj)
                self._over = self._over or key.fileobj is self._stdout
            if key.data is not None:
                key.data(data)
        return found

    def close(self) -> None:
        """End the command. The connection stays open."""
        self._selector.close()
        self._session.close()
        for stream in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                stream.close()

    def _ended(self) -> PipeEndedError:
        what = "the command on the host" if self._alive() else "the connection"
        return PipeEndedError(f"{what} ended")
