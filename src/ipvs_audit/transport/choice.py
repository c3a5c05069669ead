"""Who speaks SSH to a host: paramiko, in this process, or OpenSSH's client, in one of its own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ipvs_audit.transport.ssh.unsupported import unsupported_by_paramiko

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


def reason_for_openssh(target: Target, settings: Settings) -> str | None:
    """Why OpenSSH's client is to reach a host: empty where it is asked for, None for paramiko.

    Where nobody asks, it is what ssh_config or known_hosts holds and paramiko cannot follow.

    Raises:
        TransportError: see :func:`ipvs_audit.transport.ssh.route.find_route`.
    """
    asked = asked_for(target, settings)
    if asked != "auto":
        return "" if asked == "openssh" else None
    needs = unsupported_by_paramiko(target, settings) if has_openssh() else ()
    return ", ".join(dict.fromkeys(each.option for each in needs)) or None
