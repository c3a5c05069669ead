"""How long to wait for a guest: by what its emulator has worked, not by the clock alone.

On a machine that is busy a guest gets less CPU time, and everything in it takes longer by as much.
So a limit counts seconds of the emulator's CPU time. A guest that waits for nothing uses none:
hence the clock counts as well, a sixth of it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

#: Elapsed seconds that count as one: how much slower than alone a guest may run.
SLOWEST = 6
_TICKS = os.sysconf("SC_CLK_TCK")


class Patience:
    """A limit for something that a guest does.

    >>> Patience(1 << 30, seconds=0).over()
    True
    """

    def __init__(self, pid: int, seconds: float) -> None:
        """Begin to wait.

        Args:
            pid: The emulator's process.
            seconds: What it may take on a machine that does nothing else.
        """
        self.seconds = seconds
        self._pid = pid
        self._began = time.monotonic()
        self._used = cpu_seconds(pid)

    def left(self) -> float:
        """Seconds that are left, at least 0."""
        elapsed = (time.monotonic() - self._began) / SLOWEST
        return max(0.0, self.seconds - max(elapsed, cpu_seconds(self._pid) - self._used))

    def over(self) -> bool:
        """Whether it took too long."""
        return self.left() <= 0

    def __str__(self) -> str:
        """What it took, for an error message."""
        return (
            f"{time.monotonic() - self._began:.0f} s,"
            f" {cpu_seconds(self._pid) - self._used:.0f} s of them on a CPU"
        )


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has had (proc(5), stat); 0 where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS
