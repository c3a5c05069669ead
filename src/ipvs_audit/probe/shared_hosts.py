"""The hosts of a run, of which each process takes the next one when it has room for it.

Fork after it is made: the processes share it. Nothing in it can be held by one that is killed: the
kernel releases its lock.

>>> hosts = SharedHosts(2)
>>> hosts.take(1), hosts.take(2), hosts.take(1)
(0, 1, None)
>>> hosts.taken_by(2)
[1]
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct

#: The number of the next host; behind it a byte for each, who has taken it.
_NEXT = struct.Struct("=Q")


class SharedHosts:
    """Numbers from 0 on, each given to one process.

    Args:
        count: how many hosts there are.

    Raises:
        OSError: this machine has no memory or no descriptor left for it.
    """

    def __init__(self, count: int) -> None:
        self._file = os.memfd_create("ipvs-audit-hosts")
        size = _NEXT.size + count
        os.ftruncate(self._file, size)
        self._count = count
        self._shared = mmap.mmap(self._file, size)

    def take(self, process: int) -> int | None:
        """The next host's number; None where none is left. One thread of a process may ask.

        Args:
            process: who takes it, 1 to 255.
        """
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            (number,) = _NEXT.unpack_from(self._shared)
            if number >= self._count:
                return None
            # In this order: of one that is killed in between, the next process takes it over.
            self._shared[_NEXT.size + number] = process
            _NEXT.pack_into(self._shared, 0, number + 1)
            return int(number)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def taken_by(self, process: int) -> list[int]:
        """The numbers that a process has taken."""
        return [
            number for number, owner in enumerate(self._shared[_NEXT.size :]) if owner == process
        ]

    def close(self) -> None:
        """Give the memory back."""
        self._shared.close()
        os.close(self._file)
