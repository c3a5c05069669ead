"""The one door to a target, whatever its connection is called in the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.transport import Connection, TransportError
from ipvs_audit.transport.local import LocalConnection
from ipvs_audit.transport.other import connect_other
from ipvs_audit.transport.settings import Settings
from ipvs_audit.transport.ssh import connect_ssh

if TYPE_CHECKING:
    from ipvs_audit.targets import Target

__all__ = ["Settings", "open_connection"]

_SSH = frozenset({"ssh", "paramiko", "paramiko_ssh", "smart"})


def open_connection(target: Target, settings: Settings) -> Connection:
    """Open the connection that the inventory asks for.

    Raises:
        TransportError: it is not to be had; the kind and the message say why.
    """
    if target.become is not None and target.become.method != "sudo":
        raise TransportError(
            "configuration",
            f"{target.name}: ansible_become_method {target.become.method} is not known; use sudo",
        )
    if target.connection in _SSH:
        return connect_ssh(target, settings)
    if target.connection == "local":
        return LocalConnection(target.become)
    return connect_other(target)
