"""What a run was asked to do, read once from the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.transport import Limits
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.latency.options import LatencyOptions
    from ipvs_audit.model.shard import Shard
    from ipvs_audit.remedy.options import RemediationOptions
    from ipvs_audit.report.options import Outputs
    from ipvs_audit.transport.settings import HostKeyPolicy, SshTransport

DEFAULT_INVENTORY = "inventories/localhost.yml"
DEFAULT_POLICY = "inventories/policy.yml"


@dataclass(frozen=True, slots=True)
class Options:
    """The audit's options, read once.

    An empty ``inventory`` means this machine, as the inventory ``localhost`` describes it or, with
    ``snapshots``, the hosts that those hold. ``max_age`` is in hours. ``processes`` is None where
    the run chooses.
    """

    localhost: Path
    checks: Path
    inventory: tuple[str, ...]
    limit: str | None
    shard: Shard | None
    policy: Path | None
    estimation: str | None
    max_age: int | None
    snapshots: Path | None
    resume: Path | None
    reports: Path
    strict: bool
    forks: int
    processes: int | None
    engine: str | None
    engine_plain_secrets: bool
    connect_timeout: float
    deadline: float
    host_key_policy: HostKeyPolicy
    known_hosts: tuple[Path, ...]
    ssh_config: Path | None
    transport: SshTransport
    vault_password_file: Path | None
    ansible_config: bool
    waivers: Path | None
    waiver_warning_days: int
    baseline: Path | None
    outputs: Outputs
    remedy: RemediationOptions
    latency: LatencyOptions

    @property
    def connection(self) -> Settings:
        """How to connect."""
        return Settings(
            limits=Limits(connect=self.connect_timeout, deadline=self.deadline),
            host_key_policy=self.host_key_policy,
            known_hosts=self.known_hosts,
            ssh_config=self.ssh_config,
            transport=self.transport,
        )


_SECRET_WORDS = ("password", "secret", "token")


def redact(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The command line without the values of options that sound secret.

    >>> redact(("--limit", "web", "--api-token=abc", "--ssh-password", "x"))
    ('--limit', 'web', '--api-token=***', '--ssh-password', '***')
    """
    shown: list[str] = []
    hide_next = False
    for word in arguments:
        name, equals, _ = word.partition("=")
        secret = (
            word.startswith("-")
            and any(part in name.lower() for part in _SECRET_WORDS)
            and not name.endswith("-file")
        )
        if hide_next:
            shown.append("***")
            hide_next = False
        elif secret and equals:
            shown.append(f"{name}=***")
        else:
            shown.append(word)
            hide_next = secret
    return tuple(shown)
