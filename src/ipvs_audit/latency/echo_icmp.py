"""Round trips by ICMP echo requests (icmplib)."""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import time
from typing import Literal

from icmplib import (
    ICMPLibError,
    ICMPRequest,
    ICMPv4Socket,
    ICMPv6Socket,
    SocketPermissionError,
    TimeoutExceeded,
)

from ipvs_audit.latency.echo import EchoError

_REPLIES = (0, 129)  # ICMP echo reply, ICMPv6 echo reply
_NUMBERS = 65536
#: Seconds to read what is there; more than it takes, so that nothing is thrown away.
_READING = 0.05


class IcmpEcho:
    """A host that answers echo requests.

    Where the system lets everyone send them (net.ipv4.ping_group_range), no right is needed;
    elsewhere root is.

    Attributes:
        address: the numeric address that is asked.
        privileged: whether a raw socket had to be used.
    """

    via: Literal["icmp"] = "icmp"

    def __init__(self, host: str, family: socket.AddressFamily = socket.AF_UNSPEC) -> None:
        """Open a socket.

        Raises:
            EchoError: the name does not resolve, or nobody allows the socket.
        """
        self.address, v6 = _resolved(host, family)
        self._id = secrets.randbelow(_NUMBERS)
        kind = ICMPv6Socket if v6 else ICMPv4Socket
        try:
            self.privileged = False
            try:
                self._socket = kind(privileged=False)
            except SocketPermissionError:
                self.privileged = True
                self._socket = kind(privileged=True)
        except SocketPermissionError:
            raise EchoError(
                "this account may not send echo requests: widen net.ipv4.ping_group_range, run as"
                " root, or use --latency-via ssh"
            ) from None
        except ICMPLibError as wrong:
            raise EchoError(f"no socket for echo requests: {wrong}") from None
        # Not select(2), which knows the first 1,024 descriptors only.
        self._waiting = select.poll()
        self._waiting.register(self._socket.sock, select.POLLIN)

    def send(self, number: int) -> None:
        """Send an echo request."""
        request = ICMPRequest(self.address, self._id, number % _NUMBERS)
        try:
            self._socket.send(request)
        except ICMPLibError as wrong:
            raise EchoError(f"an echo request to {self.address} was not sent: {wrong}") from None
        self._id = request.id  # the kernel gives an unprivileged socket an id of its own

    def answers(self, until: float) -> list[tuple[int, float]]:
        """The number answered next, if it is in time; what else arrives is passed over."""
        # icmplib throws away what it reads when its time is up, so it is asked only where there is
        # something to read.
        while self._waiting.poll(1000 * max(0.0, until - time.perf_counter())):
            at = time.perf_counter()
            try:
                reply = self._socket.receive(None, _READING)
            except TimeoutExceeded:
                continue
            except ICMPLibError as wrong:
                raise EchoError(f"no more echo replies from {self.address}: {wrong}") from None
            ours = reply.id == self._id and reply.source.partition("%")[0] == self.address
            if ours and reply.type in _REPLIES:
                return [(reply.sequence, at)]
        return []

    def close(self) -> None:
        """Close the socket."""
        with contextlib.suppress(OSError):
            self._socket.close()


def answers_echo(echo: IcmpEcho, *, tries: int = 3, patience: float = 1.0) -> bool:
    """Whether one of a few echo requests is answered.

    Raises:
        EchoError: they could not be sent.
    """
    for number in range(tries):
        echo.send(_NUMBERS - 1 - number)
        until = time.perf_counter() + patience / tries
        while time.perf_counter() < until:
            if echo.answers(until):
                return True
    return False


def _resolved(host: str, family: socket.AddressFamily) -> tuple[str, bool]:
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM)
    except (socket.gaierror, UnicodeError):
        raise EchoError(f"the name {host} does not resolve") from None
    chosen, _, _, _, address = found[0]
    return str(address[0]).partition("%")[0], chosen == socket.AF_INET6
