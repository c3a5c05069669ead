"""Who speaks SSH to a host: paramiko, in this process, or OpenSSH's client, in one of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings, SshTransport

#: ``ansible_connection`` -> who is asked for by it.
_OF_CONNECTION: dict[str, SshTransport] = {
    "ssh": "openssh",
    "paramiko": "paramiko",
    "smart": "auto",
}
#: Every connection that is SSH.
SSH = frozenset(_OF_CONNECTION)


def asked_for(target: Target, settings: Settings) -> SshTransport:
    """Who is to speak SSH: the host's ``ipvs_audit_transport``, ``--transport``, then Ansible's."""
    if target.transport is not None:
        return target.transport
    if settings.transport != "auto":
        return settings.transport
    return _OF_CONNECTION[target.connection]


def has_openssh() -> bool:
    """Whether OpenSSH's client is installed here."""
    return shutil.which("ssh") is not None


@dataclass(frozen=True, slots=True)
class Choice:
    """Who speaks SSH to a host.

    Attributes:
        openssh: OpenSSH's client; else paramiko.
        openssh_for: what paramiko cannot follow, where that decides: keywords of ssh_config(5).
        may_turn: OpenSSH's client may be tried after paramiko, should it lack the algorithms.
    """

    openssh: bool
    openssh_for: tuple[str, ...] = ()
    may_turn: bool = False


def choose(target: Target, settings: Settings) -> Choice:
    """Who speaks SSH to a host: whom it asks for, else paramiko wherever it can follow the files.

    Raises:
        TransportError: see :func:`ipvs_audit.transport.ssh.route.find_route`.
    """
    asked = asked_for(target, settings)
    if asked != "auto" or not has_openssh():
        return Choice(openssh=asked == "openssh")
    from ipvs_audit.transport.ssh.unsupported import (  # noqa: PLC0415  # it imports paramiko
        unsupported_by_paramiko,
    )

    needs = tuple(dict.fromkeys(each.option for each in unsupported_by_paramiko(target, settings)))
    return Choice(openssh=bool(needs), openssh_for=needs, may_turn=True)
