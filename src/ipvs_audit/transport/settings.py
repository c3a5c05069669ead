"""What the user decided about connections, the same for every host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ipvs_audit.transport import Limits

if TYPE_CHECKING:
    from pathlib import Path

#: ``strict``: only keys that known_hosts already holds. ``accept-new``: also a host never seen.
HostKeyPolicy = Literal["strict", "accept-new"]

#: Who speaks SSH: OpenSSH's client, paramiko, or paramiko wherever it can follow ssh_config.
SshTransport = Literal["auto", "paramiko", "openssh"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to connect, beyond what the inventory says of each host.

    Attributes:
        limits: bounds that hold for one host.
        host_key_policy: nothing else decides it; ssh_config's StrictHostKeyChecking does not.
        known_hosts: files to use in place of OpenSSH's own and of those that ssh_config names;
            ``accept-new`` writes to the first.
        ssh_config: the file to read in place of ``~/.ssh/config`` and ``/etc/ssh/ssh_config``.
        transport: who speaks SSH to hosts of which the inventory does not say it.
    """

    limits: Limits = field(default_factory=Limits)
    host_key_policy: HostKeyPolicy = "strict"
    known_hosts: tuple[Path, ...] = ()
    ssh_config: Path | None = None
    transport: SshTransport = "auto"
