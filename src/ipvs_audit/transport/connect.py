"""Opens a connection to a target: by SSH, on this machine, or by one of testinfra's backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.transport import Connection, NoCommonAlgorithmError, TransportError
from ipvs_audit.transport.choice import SSH, choose
from ipvs_audit.transport.local import LocalConnection, refuse_other_machine
from ipvs_audit.transport.settings import Settings
from ipvs_audit.transport.testinfra_connection import CONTAINERS, connect_testinfra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ipvs_audit.model.target import Target

__all__ = ["Settings", "import_clients", "open_connection"]


def open_connection(target: Target, settings: Settings) -> Connection:
    """Open the connection that the inventory asks for.

    Raises:
        TransportError: it is not to be had; the kind and the message say why.
    """
    if target.unusable is not None:
        raise TransportError("configuration", target.unusable)
    if target.become is not None and target.become.method != "sudo":
        raise TransportError(
            "configuration",
            f"{target.name}: ansible_become_method {target.become.method} is not supported; "
            "use sudo",
        )
    if target.node and target.connection not in CONTAINERS:
        raise TransportError(
            "configuration",
            f"{target.name}: remove ipvs_audit_node, or set ansible_connection to one of"
            f" {', '.join(CONTAINERS)}: {target.connection} does not lead into a container",
        )
    if target.connection in SSH:
        return _connect_by_ssh(target, settings)
    if target.connection == "local":
        refuse_other_machine(target)
        return LocalConnection(target.become)
    return connect_testinfra(target)


def import_clients(targets: Iterable[Target]) -> None:
    """Import what reaches the targets, before the time of the first of them runs."""
    if any(target.connection in SSH for target in targets):
        _ssh_clients()


def _ssh_clients() -> tuple[Callable[..., Connection], Callable[..., Connection]]:
    """By paramiko and by OpenSSH's client; imported for SSH alone, since paramiko takes long."""
    from ipvs_audit.transport.openssh.connection import connect_openssh  # noqa: PLC0415
    from ipvs_audit.transport.ssh.connection import connect_ssh  # noqa: PLC0415

    return connect_ssh, connect_openssh


def _connect_by_ssh(target: Target, settings: Settings) -> Connection:
    connect_ssh, connect_openssh = _ssh_clients()
    choice = choose(target, settings)
    if choice.openssh:
        return connect_openssh(target, settings, choice.openssh_for)
    try:
        return connect_ssh(target, settings)
    except NoCommonAlgorithmError as error:
        if not choice.may_turn:
            raise
        keywords = error.keywords
    return connect_openssh(target, settings, keywords)
