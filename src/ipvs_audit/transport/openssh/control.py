"""One session over the control socket of an OpenSSH client.

The messages are those of OpenSSH's PROTOCOL.mux, version 4: each has its length before it, numbers
are big-endian words of 32 bits, and so are truth values.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION = 4
_HELLO, _NEW_SESSION = 0x00000001, 0x10000002
_DENIED, _FAILURE, _EXIT = 0x80000002, 0x80000003, 0x80000004
_REQUEST = 1
_NO_ESCAPE_CHARACTER = 0xFFFFFFFF
#: Bytes of one message: OpenSSH's own are below 64 KiB.
_LONGEST = 256 * 1024


class ControlError(Exception):
    """The client does not speak the protocol, or is gone."""


class ControlSession:
    """A command on the host.

    Attributes:
        status: its exit status, once the host told.
        refused: why there is no session; empty where there is one.
        over: nothing more can come.
    """

    def __init__(self, path: str, command: str, streams: Iterable[int], timeout: float) -> None:
        """Start a command whose input, output and errors are these descriptors.

        They may be closed afterwards: the client has its own.

        Raises:
            ControlError: the client is gone, or does not answer within so many seconds.
        """
        self._received = bytearray()
        self.status: int | None = None
        self.refused = ""
        self.over = False
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(max(0.05, timeout))
            self._socket.connect(path)
            self._socket.sendall(
                _message(_HELLO, _VERSION)
                # Reserved; neither terminal, X11, agent nor subsystem; the terminal's name.
                + _message(_NEW_SESSION, _REQUEST, b"", 0, 0, 0, 0, _NO_ESCAPE_CHARACTER, b"",
                           command.encode("utf-8", "surrogateescape"))
            )  # fmt: skip
            for stream in streams:
                socket.send_fds(self._socket, [b"\0"], [stream])
        except OSError as error:
            self._socket.close()
            raise ControlError(str(error)) from None

    def fileno(self) -> int:
        """The socket's descriptor, to be watched."""
        return self._socket.fileno()

    def feed(self, data: bytes) -> None:
        """Take what came from the socket; nothing where it has ended.

        Raises:
            ControlError: it is not the protocol.
        """
        self.over = self.over or not data
        self._received += data
        while len(self._received) >= 4:  # noqa: PLR2004  # a length
            (length,) = struct.unpack_from(">I", self._received)
            if not 4 <= length <= _LONGEST:  # noqa: PLR2004  # a type, at least
                raise ControlError(f"a message of {length} bytes")
            if len(self._received) < 4 + length:
                return
            message = bytes(self._received[4 : 4 + length])
            del self._received[: 4 + length]
            self._take(message)

    def _take(self, message: bytes) -> None:
        try:
            kind, first, *_ = struct.unpack_from(">II", message)
            if kind == _HELLO and first != _VERSION:
                raise ControlError(f"version {first} of the protocol, not {_VERSION}")
            if kind in (_DENIED, _FAILURE):
                (length,) = struct.unpack_from(">I", message, 8)
                self.refused = message[12 : 12 + length].decode("utf-8", "replace") or "no reason"
            elif kind == _EXIT:
                (self.status,) = struct.unpack_from(">I", message, 8)
        except struct.error:
            raise ControlError("a message that is cut") from None

    def close(self) -> None:
        """End the session. Safe to call twice."""
        with contextlib.suppress(OSError):
            self._socket.close()


def _message(kind: int, *fields: int | bytes) -> bytes:
    """A message with its length before it.

    >>> _message(1, 4).hex()
    '000000080000000100000004'
    """
    body = struct.pack(">I", kind)
    for field in fields:
        if isinstance(field, bytes):
            body += struct.pack(">I", len(field)) + field
        else:
            body += struct.pack(">I", field)
    return struct.pack(">I", len(body)) + body
