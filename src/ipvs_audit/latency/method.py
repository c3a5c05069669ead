"""Which way to measure a host: by echo requests, or through its SSH server."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING

from ipvs_audit.latency.echo import EchoError
from ipvs_audit.latency.echo_icmp import IcmpEcho, answers_echo
from ipvs_audit.latency.echo_ssh import COMMAND, SshEcho
from ipvs_audit.transport.choice import choose
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.openssh.connection import OpensshConnection
from ipvs_audit.transport.ssh.connection import SshConnection
from ipvs_audit.transport.ssh.hop import SSH_PORT
from ipvs_audit.transport.ssh.route import find_route

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.latency.options import MethodChoice
    from ipvs_audit.model.target import Target
    from ipvs_audit.transport import Connection
    from ipvs_audit.transport.settings import Settings
    from ipvs_audit.transport.ssh.hop import Hop


def icmp_echo(
    target: Target, settings: Settings, choice: MethodChoice
) -> tuple[IcmpEcho, str] | None:
    """Echo requests to the host, and how a person would type it; None where SSH is the way.

    A jump host, a proxy command and an address of this machine itself (a forwarded port) mean that
    who answers echo requests there is not the host. Another port than 22 may mean it, so ``auto``
    takes SSH there, too.

    Raises:
        EchoError: they are demanded, and nobody answers, or the host would not be who answers.
        TransportError: the way to the host cannot be told.
    """
    if choice == "ssh":
        return None
    if choose(target, settings).openssh:
        if choice == "auto":
            return None
        raise EchoError(
            "OpenSSH's client reaches it, which alone knows its address; --latency-via ssh"
            " measures through it"
        )
    route = find_route(target, settings)
    if choice == "auto" and route[-1].port != SSH_PORT:
        return None
    try:
        echo = _answering(route)
    except EchoError as why:
        if choice == "auto":
            return None
        raise EchoError(f"{why}; --latency-via ssh measures through its SSH server") from None
    return echo, f"ping {echo.address}"


def _answering(route: tuple[Hop, ...]) -> IcmpEcho:
    hop = route[-1]
    if len(route) > 1 or hop.proxy_command:
        raise EchoError("it is reached through another host, which echo requests are not")
    with contextlib.ExitStack() as stack:
        echo = IcmpEcho(hop.host, hop.family)
        stack.callback(echo.close)
        if _is_here(echo.address):
            raise EchoError(f"{echo.address} is this machine itself, which would answer for it")
        if not answers_echo(echo):
            raise EchoError(f"{echo.address} answers no echo requests")
        stack.pop_all()
        return echo


def ssh_echo(
    target: Target,
    settings: Settings,
    connection: Connection | None,
    hold: Callable[[Connection], None],
) -> tuple[SshEcho, str]:
    """A ``cat`` on the host, over an open connection or a new one.

    Args:
        target: the host.
        settings: how to connect.
        connection: an open one, or None.
        hold: told of a new connection, which it has to close.

    Raises:
        EchoError: the host is not reached by SSH, or ``cat`` does not answer.
        TransportError: no connection is to be had.
    """
    if connection is None:
        connection = open_connection(target, settings)
        hold(connection)
    if not isinstance(connection, SshConnection | OpensshConnection):
        raise EchoError(
            f"it is reached by {connection.via}, not by SSH: latency cannot be measured"
        )
    patience = settings.limits.connect
    echo = SshEcho(connection.open_pipe(COMMAND, timeout=patience), patience=patience)
    return echo, f"{connection.via} cat"


def _is_here(address: str) -> bool:
    """Whether an address is this machine's own: then the kernel reaches it from itself."""
    asked = ipaddress.ip_address(address)
    if asked.is_loopback or asked.is_unspecified:
        return True
    family = socket.AF_INET6 if asked.version == 6 else socket.AF_INET  # noqa: PLR2004
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))  # sends nothing: the kernel chooses its own address
            return str(sock.getsockname()[0]) == address
    except OSError:
        return False
