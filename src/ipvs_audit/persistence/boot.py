"""The value that the key has after the host has booted."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.persistence.container_loads import load_from_container
from ipvs_audit.persistence.early_loading import (
    EarlyLoad,
    find_early_load,
    loaded_early,
    unloadable_lines,
)
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.late_writers.writers import with_late_writers
from ipvs_audit.persistence.next_boot import by_next_boot
from ipvs_audit.persistence.other_hooks import udev_race, with_hooks_of
from ipvs_audit.persistence.prediction import Accepts, Prediction
from ipvs_audit.persistence.reload import (
    after_reload,
    find_hook,
    why_not_surely_loaded,
    without_switch,
)
from ipvs_audit.persistence.run_files import lost_at_boot, without_run
from ipvs_audit.snapshot.kernel import upstream_version

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

_CMDLINE = "sysctl."
_SYSTEMCTL = re.compile(r"\bsystemctl\b")
_CMDLINE_SINCE = (5, 8)


@lru_cache(maxsize=256)
def after_boot(config: HostConfig, accepts: Accepts) -> Prediction:
    """Predict the value after a boot, once ip_vs is loaded, early or on demand.

    Once for all hosts that share a configuration. By the kernel and the files that the boot will
    find: those in /run are gone, and named where that matters.
    """
    return by_next_boot(config, lambda files: _without_run(files, accepts), accepts)


def _without_run(config: HostConfig, accepts: Accepts) -> Prediction:
    found = _after_boot(without_run(config), accepts)
    lost = lost_at_boot(config, lambda files: _after_boot(files, accepts).holds(accepts))
    if not lost:
        return found
    return replace(
        found,
        because=f"{found.because}; {lost}",
        doubt=found.doubt and f"{found.doubt}; {lost}",
        fault=found.fault and f"{found.fault}; {lost}",
    )


def _after_boot(config: HostConfig, accepts: Accepts) -> Prediction:
    if not config.needs_module:
        return _unconditional(config)
    early = find_early_load(config)
    if early.doubt:
        return replace(after_reload(config, accepts), doubt=early.doubt)
    if not early.source:
        later = after_reload(config, accepts)
        when = "ip_vs is loaded on demand, after systemd-sysctl has run; then "
        when = when if config.systemd_runs else "ip_vs is loaded on demand; then "
        because = "; ".join((when + later.because, *unloadable_lines(config)))
        later = with_late_writers(config, replace(later, because=because), accepts, early=False)
        if later.holds(accepts) and (container := load_from_container(config)):
            return replace(later, doubt=container)
        return later
    loaded = _after_early_load(config, early, accepts)
    return with_late_writers(config, without_switch(config, loaded, accepts), accepts, early=True)


def _after_early_load(config: HostConfig, early: EarlyLoad, accepts: Accepts) -> Prediction:
    if early.through_modprobe:
        first = after_reload(config, accepts)
        never = first.fault or (first.value is None and not first.doubt)
        why = why_not_surely_loaded(config) or _hook_of_the_library(config)
        why = f"{early.source} may not load ip_vs: {why}" if why else _wait(config, early)
        if never or why:
            return first if never else replace(first, doubt=first.doubt or why)
        how = f"{early.source} loads ip_vs early"
    else:
        first = _builtin(config)
        how = early.source
    first = with_hooks_of(config, first, accepts, loaded_early(config))
    if not config.systemd_runs:
        if config.loaders.init == "systemd":
            why = config.sysctl_unit.why_not or "systemd-sysctl does not run"
            return replace(first, because=f"{how}; {why}: {first.because}")
        doubt = f"what {config.loaders.init or 'this init'} runs at boot is not known to this audit"
        return replace(first, doubt=first.doubt or doubt)
    applied = config.resolve(config.systemd_sysctl)
    unit = config.sysctl_unit.doubt
    if unit or applied.doubt:
        return replace(first, doubt=unit or f"systemd-sysctl: {applied.doubt}")
    if applied.winner is None or applied.value is None:
        because = f"{how}; systemd-sysctl, which runs after it, sets nothing; {first.because}"
        return replace(first, because=because)
    because = (
        f"{how}, and systemd-sysctl, which runs after it, "
        f"sets {applied.value} ({applied.winner.where})"
    )
    race = udev_race(config, applied.value)
    return replace(first, value=applied.value, because=because, doubt=race)


def _hook_of_the_library(config: HostConfig) -> str:
    """Why systemd-modules-load, which runs hooks itself, may not load what modprobe loads."""
    hook, other = config.modprobe.first("install", MODULE), config.loaders.modprobe
    if config.loaders.modprobe_kind == "kmod" or other is None or hook is None:
        return ""
    return f"systemd runs the hook in {hook.where}, and {other} is not kmod's modprobe"


def _wait(config: HostConfig, early: EarlyLoad) -> str:
    """Why the hook may keep a boot from going on; empty where it does not.

    ``systemctl start`` and ``restart`` wait for the unit, and units of the boot for
    systemd-modules-load (``After=``), which waits for the hook.
    """
    hook, _ = find_hook(config)
    if hook is None or not _SYSTEMCTL.search(hook.rest):
        return ""
    return (
        f"{hook.where} runs systemctl, which may wait for systemd-modules-load, while"
        f" {early.source} makes that load ip_vs and wait for the hook: the boot may stand still"
        " until systemd ends it; let the hook run /sbin/sysctl instead"
    )


def _builtin(config: HostConfig) -> Prediction:
    """What the kernel starts with: 1, or what ``sysctl.`` on its command line says."""
    value: int | str | None = 1 if config.has_switch is not False else None
    because = "the kernel's default is 1"
    version = upstream_version(config.kernel)
    if version is not None and version < _CMDLINE_SINCE:
        return Prediction(value, because)  # it knows no sysctl. on its command line
    for word in config.tree.cmdline:
        name, equals, text = word.removeprefix(_CMDLINE).partition("=")
        if word.startswith(_CMDLINE) and equals and name.replace("/", ".") == config.key.dotted:
            stores = config.key.stores(text)
            if stores is not None:
                value, because = stores, f"the kernel command line sets {stores}"
    return Prediction(value, because)


def _unconditional(config: HostConfig) -> Prediction:
    """A key that is there from the start."""
    if not config.systemd_runs:
        return Prediction(None, "", doubt="systemd-sysctl does not run here")
    applied = config.resolve(config.systemd_sysctl)
    if applied.doubt:
        return Prediction(None, "", doubt=applied.doubt)
    if applied.winner is None:
        return Prediction(None, "systemd-sysctl sets nothing: the kernel's default stays")
    because = f"systemd-sysctl sets {applied.value} ({applied.winner.where})"
    return Prediction(applied.value, because)
