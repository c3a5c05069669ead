"""The second question: which value does the key have after the host has booted?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.early_loading import Early, loaded_early
from ipvs_audit.persistence.other_hooks import late_writes
from ipvs_audit.persistence.prediction import Accepts, Outcome
from ipvs_audit.persistence.reload import after_reload, without_switch

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

_CMDLINE = "sysctl."


def after_boot(config: HostConfig, accepts: Accepts) -> Outcome:
    """What a boot leaves once ip_vs is loaded, early or on demand."""
    if not config.needs_module:
        return _unconditional(config)
    early = loaded_early(config)
    if early.doubt:
        return replace(after_reload(config, accepts), doubt=early.doubt)
    if not early.by:
        later = after_reload(config, accepts)
        when = "ip_vs is loaded on demand, after systemd-sysctl has run; then "
        when = when if config.systemd_runs else "ip_vs is loaded on demand; then "
        return replace(later, because=when + later.because)
    return without_switch(config, _early(config, early, accepts), accepts)


def _early(config: HostConfig, early: Early, accepts: Accepts) -> Outcome:
    if early.through_modprobe:
        first = after_reload(config, accepts)
        if first.fault or (first.value is None and not first.doubt):
            return first
        how = f"{early.by} loads ip_vs early"
    else:
        first = _builtin(config)
        how = early.by
    if not config.systemd_runs:
        if config.loaders.init == "systemd":
            return replace(first, because=f"{how}; systemd-sysctl does not run: {first.because}")
        doubt = f"what {config.loaders.init or 'this init'} runs at boot is not known to this audit"
        return replace(first, doubt=first.doubt or doubt)
    applied = config.resolve(config.systemd_sysctl)
    if applied.doubt:
        return replace(first, doubt=f"systemd-sysctl: {applied.doubt}")
    if applied.winner is None or applied.value is None:
        because = f"{how}; systemd-sysctl, which runs after it, sets nothing; {first.because}"
        return replace(first, because=because)
    because = (
        f"{how}, and systemd-sysctl, which runs after it, "
        f"sets {applied.value} ({applied.winner.where})"
    )
    race = late_writes(config, applied.value)
    return replace(first, value=applied.value, because=because, doubt=race)


def _builtin(config: HostConfig) -> Outcome:
    """What the kernel starts with: 1, or what ``sysctl.`` on its command line says."""
    value: int | str | None = 1 if config.has_switch is not False else None
    because = "the kernel's default is 1"
    for word in config.tree.cmdline:
        name, equals, text = word.removeprefix(_CMDLINE).partition("=")
        if word.startswith(_CMDLINE) and equals and name.replace("/", ".") == config.key.dotted:
            stores = config.key.stores(text)
            if stores is not None:
                value, because = stores, f"the kernel command line sets {stores}"
    return Outcome(value, because)


def _unconditional(config: HostConfig) -> Outcome:
    """A key that is there from the start."""
    if not config.systemd_runs:
        return Outcome(None, "", doubt="systemd-sysctl does not run here")
    applied = config.resolve(config.systemd_sysctl)
    if applied.doubt:
        return Outcome(None, "", doubt=applied.doubt)
    if applied.winner is None:
        return Outcome(None, "systemd-sysctl sets nothing: the kernel's default stays")
    because = f"systemd-sysctl sets {applied.value} ({applied.winner.where})"
    return Outcome(applied.value, because)
