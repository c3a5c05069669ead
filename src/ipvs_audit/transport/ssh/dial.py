"""Opening an authenticated connection, through jump hosts and proxy commands."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.ssh import host_keys
from ipvs_audit.transport.ssh.authentication import authenticate
from ipvs_audit.transport.ssh.paramiko_transport import SshTransport
from ipvs_audit.transport.ssh.proxy_command import ProxyCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.transport.settings import Settings
    from ipvs_audit.transport.ssh.hop import Hop


@dataclass(frozen=True, slots=True)
class SshLink:
    """An open way to a host.

    Attributes:
        transport: the connection to the host itself, authenticated.
        fingerprint: of the host key that was verified.
        close: end it and every connection on the way. Safe to call twice.
    """

    transport: SshTransport
    fingerprint: str
    close: Callable[[], None]


def dial(route: tuple[Hop, ...], settings: Settings) -> SshLink:
    """Connect to every hop in turn, verifying each one's host key.

    Raises:
        TransportError: one of them could not be reached, verified or logged in to.
    """
    connect = route[-1].connect_timeout or settings.limits.connect
    deadline = Deadline.after(min(connect, settings.limits.deadline))
    with contextlib.ExitStack() as stack:
        via: SshTransport | None = None
        fingerprint = ""
        for hop in route:
            proxy = ProxyCommand(hop.proxy_command, stack) if hop.proxy_command else None
            sock = proxy.sock if proxy else _open_stream(hop, via, deadline, stack)
            known = host_keys.known_of(hop)
            transport = SshTransport(sock, host_keys.algorithms(known))
            stack.callback(transport.close)
            try:
                shown = transport.shake_hands(hop.where, deadline)
            except TransportError as error:
                raise (proxy.explain(hop, error) if proxy else error) from None
            host_keys.verify(hop, shown, known, settings.host_key_policy)
            authenticate(transport, hop, deadline)
            via, fingerprint = transport, shown.key.fingerprint
        if via is None:
            raise TransportError("configuration", "no host to connect to")
        return SshLink(via, fingerprint, stack.pop_all().close)


def _open_stream(
    hop: Hop, via: SshTransport | None, deadline: Deadline, stack: contextlib.ExitStack
) -> socket.socket | paramiko.Channel:
    if via is not None:
        return _open_jump_channel(hop, via, deadline)
    sock = _connect_tcp(hop, deadline)
    stack.callback(sock.close)
    return sock


def _connect_tcp(hop: Hop, deadline: Deadline) -> socket.socket:
    try:
        found = socket.getaddrinfo(hop.host, hop.port, hop.family, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        raise TransportError(
            "unreachable", f"{hop.where}: the name {hop.host} does not resolve: {reason}"
        ) from None
    errors: list[OSError] = []
    for count, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.05, deadline.left() / (len(found) - count)))
            if hop.bind_address:
                sock.bind((hop.bind_address, 0))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            errors.append(error)
        else:
            return sock
    raise _no_connection(hop, errors)


def _no_connection(hop: Hop, errors: list[OSError]) -> TransportError:
    if all(isinstance(error, TimeoutError) for error in errors):
        return TransportError(
            "unreachable",
            f"{hop.where}: no answer within the connect timeout (down, or a firewall)",
        )
    reasons = ", ".join(dict.fromkeys(error.strerror or str(error) for error in errors))
    refused = any(isinstance(error, ConnectionError) for error in errors)
    return TransportError(
        "unreachable",
        f"{hop.where}: {reasons}{'; is sshd running on that port?' if refused else ''}",
        retry="once" if refused else "never",
    )


def _open_jump_channel(hop: Hop, via: SshTransport, deadline: Deadline) -> paramiko.Channel:
    try:
        return via.open_channel(
            "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=deadline.left()
        )
    except paramiko.ChannelException as error:
        raise TransportError(
            "unreachable",
            f"{hop.where}: the jump host could not connect: {one_line(error.text)}",
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise TransportError(
            "unreachable",
            f"{hop.where}: no connection through the jump host: {one_line(str(error))}",
            retry="once",
        ) from None
