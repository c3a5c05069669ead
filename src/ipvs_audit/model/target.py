"""What the audit knows of a host before it has spoken to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Become:
    """Run the probe as another user.

    Attributes:
        method: only ``sudo`` is known.
        user: whom to become; root where the inventory does not say.
        password: sudo's password; None means ``sudo -n``.
        program: sudo by its name, or its path on the host.
    """

    method: str = "sudo"
    user: str = "root"
    password: SecretStr | None = field(default=None, repr=False)
    program: str = "sudo"


@dataclass(frozen=True, slots=True)
class Target:
    """One inventory host: its name, and how to reach it.

    Attributes:
        name: the inventory name, as written.
        groups: the groups that hold it, without ``all`` and ``ungrouped``, sorted.
        connection: the inventory's ``ansible_connection``: ``smart`` (SSH by whoever can),
            ``ssh`` (by OpenSSH's client), ``paramiko``, ``local``, or the name of any other
            testinfra backend.
        transport: who speaks SSH, where ``ipvs_audit_transport`` says it.
        address: host name or address to connect to; ssh_config may map it further.
        port: None leaves it to ssh_config, then 22.
        user: None leaves it to ssh_config, then the controller's own user.
        password: for ssh password authentication; keys and agent are tried first.
        key_file: private key file.
        first_ssh_args: ``ansible_ssh_args``: as ``ssh_args``, but they come before port, user and
            key file, as Ansible has it.
        ssh_args: ``ansible_ssh_common_args``, e.g. ``-J bastion`` or ``-o ProxyJump=bastion``.
        program_args: options of the program that makes the connection (docker, kubectl ...),
            before its subcommand, e.g. ``("--context=prod", "--namespace=kube-system")``.
        become: None runs the probe as the login user.
        node: audit the machine on which the container runs, instead of the container.
        unusable: what is wrong with its variables, so that it is not connected to; an error of
            this host alone. None where nothing is.
        excluded: why the host is not audited; None audits it.
        policy: ``ipvs_audit_*`` variables that change the policy for this host, without prefix.
    """

    name: str
    groups: tuple[str, ...] = ()
    connection: str = "smart"
    transport: Literal["auto", "paramiko", "openssh"] | None = None
    address: str = ""
    port: int | None = None
    user: str | None = None
    password: SecretStr | None = field(default=None, repr=False)
    key_file: str | None = None
    first_ssh_args: str = ""
    ssh_args: str = ""
    program_args: tuple[str, ...] = ()
    become: Become | None = None
    node: bool = False
    unusable: str | None = None
    excluded: str | None = None
    policy: Mapping[str, object] = field(default_factory=dict)


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_ids(names: list[str]) -> dict[str, str]:
    """Map inventory names to test ids: letters, digits, dot, dash and underscore; unique.

    >>> safe_ids(["web1", "[::1]:22", "::1 22"])
    {'web1': 'web1', '[::1]:22': '1_22', '::1 22': '1_22-2'}
    """
    ids: dict[str, str] = {}
    used: set[str] = {name for name in names if not _UNSAFE.search(name)}
    for name in names:
        if name in used:
            ids[name] = name
            continue
        base = _UNSAFE.sub("_", name).strip("_") or "host"
        candidate, count = base, 1
        while candidate in used:
            count += 1
            candidate = f"{base}-{count}"
        used.add(candidate)
        ids[name] = candidate
    return ids
