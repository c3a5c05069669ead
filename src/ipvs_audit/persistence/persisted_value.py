"""What EST-2 asks: does the winning value equal the policy, for every loader that counts?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook_interpreter import run_shell
from ipvs_audit.persistence.hook_state import Command, State
from ipvs_audit.persistence.prediction import wanted
from ipvs_audit.persistence.reload import find_hook

if TYPE_CHECKING:
    from ipvs_audit.persistence.hook_state import Step
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Accepts
    from ipvs_audit.persistence.resolution import Resolution
    from ipvs_audit.snapshot.sysctl_config import Loader


@dataclass(frozen=True, slots=True)
class Persisted:
    """What the loaders of a host make of the key.

    Attributes:
        resolutions: one for each loader that counts.
        contrary: those whose value is not the wanted one.
        right: those whose value is the wanted one.
        doubts: why some resolution is not certain.
        hook_writes: what a hook writes by itself, without a file: the step and its place.
    """

    resolutions: tuple[Resolution, ...]
    contrary: tuple[Resolution, ...]
    right: tuple[Resolution, ...]
    doubts: tuple[str, ...]
    hook_writes: tuple[tuple[str, Step], ...]

    @property
    def settles(self) -> bool:
        """Whether anything sets the wanted value."""
        return bool(self.right or self.hook_writes)

    @property
    def lines(self) -> list[str]:
        """What each loader makes of the key, the winner and every loser with its place."""
        told = [line for found in self.resolutions for line in describe(found)]
        return told + [
            f"{where} runs {step.command!r}, which {step.did}" for where, step in self.hook_writes
        ]

    @property
    def conflict(self) -> str:
        """Which line sets the contrary, and which right one loses against it."""
        bad = self.contrary[0]
        said = f"{bad.loader.name} sets {bad.value} ({_place(bad)})"
        right = next(
            (each for each in bad.losers if each.stores is not None and each.stores != bad.value),
            None,
        )
        if right is not None:
            return f"{said}; {right.where} sets {right.stores}, but {right.why}"
        if self.right:
            other = self.right[0]
            return f"{said}, while {other.loader.name} sets {other.value} ({_place(other)})"
        return said


def _place(found: Resolution) -> str:
    return found.winner.where if found.winner else ""


def counting(config: HostConfig) -> tuple[Loader, ...]:
    """The loaders whose word counts on this host.

    - ``sysctl -p``, where there is a sysctl program and /etc/sysctl.conf: the vendor's recipe
      and most operators apply that file by this command.
    - ``sysctl --system``, where there is procps: what operators and packages run after a change,
      and what hosts without systemd boot with.
    - systemd-sysctl, where systemd is init and the unit is not masked.
    - what a hook names besides (``sysctl -p FILE``).
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


def persisted(config: HostConfig, accepts: Accepts) -> Persisted:
    """Resolve the key for every loader that counts, and sort what they say."""
    where, steps = _hook_steps(config)
    resolutions = tuple(config.resolve(loader) for loader in counting(config))
    valued = [found for found in resolutions if found.value is not None]
    return Persisted(
        resolutions,
        contrary=tuple(found for found in valued if not wanted(accepts, found.value)),
        right=tuple(found for found in valued if wanted(accepts, found.value)),
        doubts=tuple(dict.fromkeys(found.doubt for found in resolutions if found.doubt)),
        hook_writes=tuple(
            (where, step)
            for step in steps
            if step.resolution is None and wanted(accepts, step.writes)
        ),
    )


def describe(found: Resolution) -> list[str]:
    """A resolution in lines: ``systemd-sysctl: 0, from /etc/sysctl.d/90-ipvs.conf:1``."""
    if found.winner is None:
        head = f"{found.loader.name}: sets nothing"
    else:
        head = f"{found.loader.name}: {found.value}, from {found.winner.where}"
    return [head, *(f"  {entry.where} loses: {entry.why}" for entry in found.losers)]


def _hook_steps(config: HostConfig) -> tuple[str, tuple[Step, ...]]:
    hook, _ = find_hook(config)
    if hook is None:
        return "", ()
    ends = run_shell(config, Command(hook.rest, hook.where), State())
    return hook.where, ends[0].steps
