"""A command on a host with a pipe to it that tells when each byte came back."""

from __future__ import annotations

from typing import Protocol


class PipeEndedError(Exception):
    """The command has ended, or the connection has; the message says which."""


class Pipe(Protocol):
    """A pipe to a command that runs on a host. For one thread."""

    def send(self, data: bytes) -> None:
        """Send a few bytes at once.

        Raises:
            PipeEndedError: there is nobody to take them.
        """

    def arrived(self, until: float) -> list[tuple[float, bytes]]:
        """What came since the last call, with the time of each piece; waits for the first.

        Args:
            until: when to give up waiting, by ``time.perf_counter``.

        Raises:
            PipeEndedError: nothing more can come.
        """

    def close(self) -> None:
        """End the command. The connection stays open."""
