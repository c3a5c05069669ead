"""What a collecting process sends to the one that started it: frames, each behind its length.

>>> received = Received()
>>> frame = framed(Kind.LOG, b"text")
>>> received.add(frame[:3]), next(received.frames(), None)
(None, None)
>>> received.add(frame[3:]), list(received.frames())
(None, [(<Kind.LOG: 1>, b'text')])
"""

from __future__ import annotations

import os
import struct
import threading
from enum import IntEnum
from typing import TYPE_CHECKING

from ipvs_audit.model import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = struct.Struct("=BI")


class Kind(IntEnum):
    """What a frame holds."""

    #: A host's line, as it is saved.
    EVIDENCE = 0
    #: A record of :mod:`logging`, as JSON.
    LOG = 1
    #: A warning of :mod:`warnings`, as JSON.
    WARNING = 2
    #: The name of the exception that ended the process.
    FAULT = 3


class BrokenFrameError(Exception):
    """What came is no frame."""


def framed(kind: Kind, body: bytes) -> bytes:
    """A frame."""
    return _HEAD.pack(kind, len(body)) + body


class Sender:
    """The end of a pipe that writes; any thread may send. Waits as long as nobody reads."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, kind: Kind, body: bytes) -> None:
        """Send a frame, whole.

        Raises:
            BrokenPipeError: who reads is gone.
        """
        left = memoryview(framed(kind, body))
        with self._lock:
            while left:
                left = left[os.write(self._pipe, left) :]


class Received:
    """What was read of one pipe, and is no whole frame yet."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def add(self, data: bytes) -> None:
        """Take what was read."""
        self._unread += data

    def frames(self) -> Iterator[tuple[Kind, bytes]]:
        """The frames that are whole; each is forgotten when it is given.

        Raises:
            BrokenFrameError: this is none, or longer than a host's line may be.
        """
        while len(self._unread) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._unread)
            if kind not in frozenset(Kind) or length > limits.EVIDENCE_LINE:
                raise BrokenFrameError
            end = _HEAD.size + length
            if len(self._unread) < end:
                return
            body = bytes(self._unread[_HEAD.size : end])
            del self._unread[:end]
            yield Kind(kind), body
