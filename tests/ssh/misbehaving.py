"""Servers on loopback that do what broken hosts do, as many connections at a time as come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_BANNER = b"SSH-2.0-OpenSSH_9.2p1\r\n"


async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes the connection and says nothing."""
    await reader.read(-1)


async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says its name letter by letter, one a second: it would take longer than anybody waits."""
    for byte in _BANNER * 10:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says its name, hears the other's, and closes in the middle of the first packet."""
    writer.write(_BANNER)
    await reader.readline()
    writer.write(b"\x00\x00\x05\xdc\x0a\x14" + os.urandom(16))
    await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Is a web server, and worse."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n" + os.urandom(4096) + b"\n")
    await writer.drain()
    await reader.read(-1)


async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says its name as it should, and then nothing that is SSH."""
    writer.write(_BANNER + os.urandom(65536))
    await writer.drain()
    await reader.read(-1)


WAYS = {one.__name__: one for one in (mute, slow, halfway, garbage, rubbish)}


@contextlib.contextmanager
def misbehaving() -> Iterator[dict[str, int]]:
    """One server for each way; gives their ports."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    tasks: set[asyncio.Task[None]] = set()

    def closing(way: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await way(reader, writer)
            finally:
                writer.close()
                tasks.discard(task)

        return serve

    async def start() -> list[asyncio.Server]:
        return [
            await asyncio.start_server(closing(way), "127.0.0.1", 0, backlog=1024)
            for way in WAYS.values()
        ]

    async def stop(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    servers = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield {
            way: server.sockets[0].getsockname()[1]
            for way, server in zip(WAYS, servers, strict=True)
        }
    finally:
        asyncio.run_coroutine_threadsafe(stop(servers), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
