"""A process that this one has forked: what it sends, and how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field

from ipvs_audit.probe.process_pipe import Received


@dataclass(slots=True)
class ChildProcess:
    """One that collects hosts.

    Attributes:
        number: from 1 on.
        pid: of the process; 0 once it has ended and was waited for.
        pipe: what it sends; -1 once nobody reads it any more.
        received: what came, and is no whole frame yet.
        how: how it ended, in words; empty until then.
    """

    number: int
    pid: int
    pipe: int
    received: Received = field(default_factory=Received)
    how: str = ""

    def close_pipe(self) -> None:
        """Read nothing more; where the process still writes, it ends."""
        if self.pipe >= 0:
            pipe, self.pipe = self.pipe, -1
            os.close(pipe)

    def kill(self, how: str = "") -> None:
        """End it at once, unless it has ended.

        Args:
            how: why, in words, unless that is known already.
        """
        if self.pid:
            self.how = self.how or how
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it has ended, and note how."""
        self._wait(0)

    def has_ended(self) -> bool:
        """The same without waiting; false where it runs."""
        return self._wait(os.WNOHANG)

    def _wait(self, options: int) -> bool:
        if not self.pid:
            return True
        pid, status = self.pid, None
        # Where this process was started to ignore SIGCHLD, nobody can tell how it ended.
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, options)
        if pid:
            self.pid = 0
            self.how = self.how or in_words(status)
        return bool(pid)


def in_words(status: int | None) -> str:
    """How a process has ended, by its wait status; None where that is not known.

    >>> in_words(9), in_words(256)
    ('was ended by signal 9 (Killed)', 'ended early, with status 1')
    """
    if status is None:
        return "ended early"
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"ended early, with status {code}"
