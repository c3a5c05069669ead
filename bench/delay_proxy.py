"""A TCP proxy on loopback that holds every byte back for a while: ``delay_proxy.py PORT TO MS``.

Bytes keep their order and their rate; only their time of arrival moves, as on a longer line.
Ends by SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections import deque


class _End(asyncio.Protocol):
    """One end of a proxied connection: what arrives here leaves at the other end, later."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None
        self.early: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while self.early:
            transport.write(self.early.popleft())

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self.seconds, self._pass_on, data)

    def eof_received(self) -> bool:
        asyncio.get_running_loop().call_later(self.seconds, self._end_other)
        return True

    def connection_lost(self, _why: Exception | None) -> None:
        asyncio.get_running_loop().call_later(self.seconds, self._close_other)

    def _pass_on(self, data: bytes) -> None:
        if self.other is None:
            return
        if self.other.transport is None:
            self.other.early.append(data)
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)

    def _end_other(self) -> None:
        transport = self.other.transport if self.other is not None else None
        if transport is not None and not transport.is_closing() and transport.can_write_eof():
            with contextlib.suppress(OSError):  # gone between the look and the call
                transport.write_eof()

    def _close_other(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class _Near(_End):
    """The end that a client connected to; it connects to the server."""

    def __init__(self, seconds: float, port: int) -> None:
        super().__init__(seconds)
        self.port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        far = _End(self.seconds)
        far.other, self.other = self, far
        self.connecting = asyncio.ensure_future(self._connect(far))

    async def _connect(self, far: _End) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: far, "127.0.0.1", self.port)
        except OSError:
            if self.transport is not None:
                self.transport.close()


async def main(port: int, to: int, milliseconds: float) -> None:
    """Serve for ever."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Near(milliseconds / 1000, to), "127.0.0.1", port, backlog=1024
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
