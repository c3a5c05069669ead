"""What EST-2 asks: does the winning value equal the policy, for every active loader?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.interpreter import run_hook
from ipvs_audit.persistence.hook.state import State
from ipvs_audit.persistence.prediction import is_compliant
from ipvs_audit.persistence.reload import find_hook

if TYPE_CHECKING:
    from ipvs_audit.persistence.hook.state import Step
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Accepts
    from ipvs_audit.persistence.resolution import Resolution
    from ipvs_audit.snapshot.sysctl_loader import Loader


@dataclass(frozen=True, slots=True)
class PersistedValue:
    """The value that each loader of a host gives to the key.

    Attributes:
        resolutions: one for each active loader.
        conflicting: those whose value the policy does not accept, and the host does not contradict.
        compliant: those whose value the policy accepts.
        doubts: why some resolution is not certain.
        hook_writes: what a hook writes by itself, without a file: the step and its place.
    """

    resolutions: tuple[Resolution, ...]
    conflicting: tuple[Resolution, ...]
    compliant: tuple[Resolution, ...]
    doubts: tuple[str, ...]
    hook_writes: tuple[tuple[str, Step], ...]

    @property
    def sets_policy_value(self) -> bool:
        """Whether anything sets a value that the policy accepts."""
        return bool(self.compliant or self.hook_writes)

    @property
    def lines(self) -> list[str]:
        """For each loader the winning line, and why every other line is not used."""
        lines = [line for found in self.resolutions for line in summary_lines(found)]
        return lines + [
            f"{where} runs {step.command!r}, which {step.did}" for where, step in self.hook_writes
        ]

    @property
    def conflict(self) -> str:
        """Which line sets the wrong value, and which correct one is not used because of it."""
        bad = self.conflicting[0]
        message = f"{bad.loader.name} sets {bad.value} ({_place(bad)})"
        right = next(
            (each for each in bad.losers if each.stores is not None and each.stores != bad.value),
            None,
        )
        if right is not None:
            return f"{message}; {right.where} sets {right.stores}, but {right.why}"
        if self.compliant:
            other = self.compliant[0]
            return f"{message}, while {other.loader.name} sets {other.value} ({_place(other)})"
        return message


def _place(found: Resolution) -> str:
    return found.winner.where if found.winner else ""


def active_loaders(config: HostConfig) -> tuple[Loader, ...]:
    """The loaders that decide the value on this host.

    - ``sysctl -p``, where there is a sysctl program and /etc/sysctl.conf: the vendor's recipe
      and most operators apply that file by this command.
    - ``sysctl --system``, where there is procps: what operators and packages run after a change,
      and what hosts without systemd boot with.
    - systemd-sysctl, where systemd is init and the unit is not masked.
    - what a hook calls in addition (``sysctl -p FILE``).
    """
    found: list[Loader] = []
    if config.loaders.sysctl_path is not None:
        conf = config.sysctl_p.files or ()
        if any(path in config.tree.files for path in conf):
            found.append(config.sysctl_p)
        if config.loaders.sysctl_kind != "busybox":
            found.append(config.sysctl_system)
    if config.systemd_runs:
        found.append(config.systemd_sysctl)
    for step in _hook_steps(config)[1]:
        if step.resolution is not None and step.resolution.loader not in found:
            found.append(step.resolution.loader)
    return tuple(found)


@lru_cache(maxsize=256)
def persisted_value(config: HostConfig, accepts: Accepts) -> PersistedValue:
    """Resolve the key for every active loader, and sort the results by policy.

    Once for all hosts that share a configuration.
    """
    where, steps = _hook_steps(config)
    resolutions = tuple(config.resolve(loader) for loader in active_loaders(config))
    valued = [found for found in resolutions if found.value is not None]
    return PersistedValue(
        resolutions,
        conflicting=tuple(
            found
            for found in valued
            if not is_compliant(accepts, found.value) and not found.differs
        ),
        compliant=tuple(found for found in valued if is_compliant(accepts, found.value)),
        doubts=tuple(dict.fromkeys(found.doubt for found in resolutions if found.doubt)),
        hook_writes=tuple(
            (where, step)
            for step in steps
            if step.resolution is None and is_compliant(accepts, step.writes)
        ),
    )


def summary_lines(found: Resolution) -> list[str]:
    """A resolution in lines: ``systemd-sysctl: 0, from /etc/sysctl.d/90-ipvs.conf:1``."""
    if found.winner is None:
        head = f"{found.loader.name}: sets nothing"
    else:
        head = f"{found.loader.name}: {found.value}, from {found.winner.where}"
    return [head, *(f"  {entry.where} is not used: {entry.why}" for entry in found.losers)]


def _hook_steps(config: HostConfig) -> tuple[str, tuple[Step, ...]]:
    hook, _ = find_hook(config)
    if hook is None:
        return "", ()
    ends = run_hook(config, hook, State())
    return hook.where, ends[0].steps
