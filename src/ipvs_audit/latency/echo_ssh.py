"""Round trips over an SSH connection: one byte to a ``cat`` on the host, and back."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Literal

from ipvs_audit.latency.echo import EchoError
from ipvs_audit.model.limits import LOGIN_NOISE
from ipvs_audit.transport.pipe import PipeEndedError

if TYPE_CHECKING:
    from ipvs_audit.transport.pipe import Pipe

#: What runs on the host. It needs no right and no shell's help, and ends with the channel.
COMMAND = "exec cat"
_NOT_SENT = "what came back is not what was sent"


class SshEcho:
    """A ``cat``. The bytes come back in order, so the n-th byte answers the n-th round trip."""

    via: Literal["ssh"] = "ssh"

    def __init__(self, pipe: Pipe, *, patience: float = 10.0) -> None:
        """Wait until ``cat`` answers; what a login shell printed before is passed over.

        Raises:
            EchoError: it does not, within so many seconds.
        """
        self._pipe = pipe
        self._next = 0
        token = secrets.token_hex(16).encode()
        until = time.perf_counter() + patience
        heard = b""
        try:
            pipe.send(token)
            while token not in heard:
                if time.perf_counter() > until or len(heard) > LOGIN_NOISE:
                    raise EchoError(
                        "cat on the host does not return what it is sent: the account may be"
                        " confined to another command"
                    )
                heard += b"".join(data for _, data in pipe.arrived(until))
        except PipeEndedError as over:
            raise EchoError(f"{over} before cat returned what it was sent") from None
        if not heard.endswith(token):
            raise EchoError(_NOT_SENT)

    def send(self, number: int) -> None:
        """Send a byte."""
        try:
            self._pipe.send(bytes((number % 256,)))
        except PipeEndedError as over:
            raise EchoError(str(over)) from None

    def answers(self, until: float) -> list[tuple[int, float]]:
        """The bytes that came back."""
        try:
            pieces = self._pipe.arrived(until)
        except PipeEndedError as over:
            raise EchoError(str(over)) from None
        found = []
        for at, data in pieces:
            for byte in data:
                if byte != self._next % 256:
                    raise EchoError(_NOT_SENT)
                found.append((self._next, at))
                self._next += 1
        return found

    def close(self) -> None:
        """End ``cat``."""
        self._pipe.close()
