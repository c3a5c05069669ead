"""The value that the key has after ip_vs is reloaded."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.persistence.early_loading import kept_out
from ipvs_audit.persistence.hook.interpreter import loaded, run_hook
from ipvs_audit.persistence.hook.state import State
from ipvs_audit.persistence.host_answers import load_difference
from ipvs_audit.persistence.host_config import MODULE, HostConfig
from ipvs_audit.persistence.kernel_helper import helper_doubt
from ipvs_audit.persistence.late_writers.writers import with_repeated_writers
from ipvs_audit.persistence.module_parameters import configured, doubtful, refused
from ipvs_audit.persistence.needed_modules import load_may_fail
from ipvs_audit.persistence.other_hooks import (
    soft_dependency_doubt,
    with_dependent_hooks,
    with_udev,
)
from ipvs_audit.persistence.prediction import Accepts, Prediction, is_compliant
from ipvs_audit.persistence.removal_hooks import with_removal
from ipvs_audit.persistence.side_effects import name_effects, union_of
from ipvs_audit.persistence.soft_dependencies import find_bypass, find_sure_bypass
from ipvs_audit.snapshot.modprobe_config import underscored

if TYPE_CHECKING:
    from ipvs_audit.snapshot.modprobe_config import Directive

_ENDS_LINES_AT_EOF = 34


@lru_cache(maxsize=256)
def after_reload(config: HostConfig, accepts: Accepts) -> Prediction:
    """Predict the value after ``modprobe -r ip_vs; modprobe ip_vs``, or after a load on demand.

    Once for all hosts that share a configuration: EST-3 asks for it several times a host.
    """
    if config.module == "builtin":
        return Prediction(None, "ip_vs is built into the kernel and cannot be reloaded")
    if kept_out(config):
        return Prediction(None, "the kernel loads no ip_vs: module_blacklist= on its command line")
    hook, why_none = find_hook(config)
    if hook is None:
        doubt = _hidden_doubt(config) or soft_dependency_doubt(config)
        by_hook = Prediction(*_default(config), doubt=doubt)
        by_hook = replace(by_hook, because=f"{why_none}, so {_starts(config)}")
        why = refused(configured(config))
        if why and not by_hook.doubt and config.loaders.modprobe_kind == "kmod":
            by_hook = Prediction(None, "", fault=f"ip_vs cannot be loaded: {why}")
        state = loaded(config)
    else:
        ends = run_hook(config, hook, State())
        by_hook = _predict_hook(config, hook, ends, accepts)
        state = ends[0]
        by_hook = replace(by_hook, effects=union_of(end.effects for end in ends))
    written = hook is not None and state.written
    prediction = with_udev(config, by_hook, written=written)
    prediction = with_dependent_hooks(config, prediction, accepts, written=written)
    prediction = with_removal(config, prediction, accepts)
    prediction = with_repeated_writers(config, prediction, accepts)
    if (
        is_compliant(accepts, prediction.value)
        and not prediction.doubt
        and (why := options_doubt(config))
    ):
        prediction = replace(prediction, doubt=why)
    if differs := load_difference(config, hook):
        prediction = replace(prediction, doubt=differs, fault="")
    if changed := [effect for effect in prediction.effects if effect.changes]:
        note = f"a load of ip_vs also sets {name_effects(changed)}"
        prediction = replace(prediction, notes=(*prediction.notes, note))
    return without_switch(config, prediction, accepts)


def why_not_surely_loaded(config: HostConfig) -> str:
    """Why a hook may leave ip_vs unloaded; empty where ``modprobe ip_vs`` surely loads it."""
    if why := options_doubt(config) or load_may_fail(config):
        return why
    hook, _ = find_hook(config)
    if hook is None:
        return ""
    ends = run_hook(config, hook, State())
    if all(end.loaded and not end.lasting for end in ends):
        return ""
    return next((end.lasting or end.doubt for end in ends if end.doubt), "") or _open_question(ends)


def options_doubt(config: HostConfig) -> str:
    """Why its parameters may keep ip_vs from loading; empty where they do not."""
    return doubtful(configured(config))


def without_switch(config: HostConfig, prediction: Prediction, accepts: Accepts) -> Prediction:
    """On a kernel without the key estimation always runs, whatever the files say."""
    if config.has_switch is not False or prediction.fault or accepts(1):
        return prediction
    why = f"this kernel has no {config.key.dotted}: estimation cannot be switched off"
    return replace(prediction, fault=why)


def find_hook(config: HostConfig) -> tuple[Directive | None, str]:
    """The ``install`` line that modprobe runs for ip_vs, or None and why there is none."""
    if config.loaders.modprobe_kind == "busybox" and config.loaders.modprobe is not None:
        return (
            None,
            f"{config.loaders.modprobe} is not kmod's modprobe and does not run install commands",
        )
    modprobe = config.modprobe
    if alias := _alias_doubt(config):
        return None, alias
    hook = modprobe.first("install", MODULE)
    if hook is None:
        for directive, by in modprobe.hidden:
            if directive.verb == "install" and directive.concerns(MODULE):
                return None, f"the hook in {directive.where} is hidden by {by}"
        return None, "no hook runs when ip_vs is loaded"
    bypass = find_sure_bypass(config, MODULE)
    if bypass is not None:
        return None, (
            f"modprobe skips the hook in {hook.where}, "
            f"because {bypass.where} gives ip_vs soft dependencies"
        )
    return hook, ""


def _default(config: HostConfig) -> tuple[int | None, str]:
    return (1 if config.has_switch is not False else None), ""


def _starts(config: HostConfig) -> str:
    default, missing = "the value is the kernel's default, 1", "the kernel has no such key"
    return missing if config.has_switch is False else default


def _alias_doubt(config: HostConfig) -> str:
    """Why ``modprobe ip_vs`` loads another module: modprobe looks for an alias first."""
    alias = config.modprobe.first("alias", MODULE)
    if alias is None or underscored(alias.rest.strip()) == MODULE:
        return ""
    return f"{alias.where} makes {MODULE} an alias of {alias.rest.strip()}"


def _hidden_doubt(config: HostConfig) -> str:
    if alias := _alias_doubt(config):
        return alias
    loaders = config.loaders
    if loaders.modprobe is not None and loaders.modprobe_kind not in ("kmod", "busybox"):
        return f"{loaders.modprobe} is not kmod's modprobe, and whether it runs hooks is not known"
    closed = config.modprobe.unreadable
    return f"{closed[0]} could not be read and may hold a hook" if closed else ""


def _predict_hook(
    config: HostConfig, hook: Directive, ends: tuple[State, ...], accepts: Accepts
) -> Prediction:
    """The prediction for a host whose hook runs."""
    doubt = next((end.doubt for end in ends if end.doubt), "")
    bypass = find_bypass(config, MODULE)
    closed = _hidden_doubt(config) or (bypass.doubt if bypass else "") or helper_doubt(config)
    closed = closed or _cut_short(config, hook)
    fault = next((end.fault for end in ends if end.fault), "")
    if fault and not all(end.fault for end in ends):
        doubt = doubt or f"{hook.where} may break, by {fault}: {_open_question(ends)}"
    elif fault:
        return Prediction(None, "", fault=f"{hook.where}: {fault}")
    loading = tuple(end for end in ends if end.loaded)
    if not loading:
        if all(end.lacks and end.status for end in ends):
            why = f"{hook.where}: {ends[0].lacks}, so ip_vs cannot be loaded"
            return Prediction(None, "", doubt=doubt, fault=why)
        because = f"{hook.where} does not load ip_vs: it runs {hook.rest.strip()!r} instead"
        return Prediction(None, because, doubt=doubt or closed)
    state = loading[0]
    doubt = doubt or _differing(hook, loading)
    notes, broken = _consequences(config, hook, ends)
    return Prediction(
        state.value,
        because=_decisive(config, hook, state, accepts),
        doubt=doubt or closed,
        fault=broken,
        notes=notes,
    )


def _cut_short(config: HostConfig, hook: Directive) -> str:
    """Why the command may be another than the file shows: getline_wrapped of kmod 30, not 34."""
    kmod = config.loaders.kmod
    if not hook.cut_short or (kmod is not None and kmod >= _ENDS_LINES_AT_EOF):
        return ""
    return (
        f"{hook.where} and its file end in a backslash: where no line's end follows, modprobe takes"
        " the end of the file for part of the command"
    )


def _differing(hook: Directive, ends: tuple[State, ...]) -> str:
    """Why the value is one of several; empty where it is one."""
    other = next((end for end in ends if end.value != ends[0].value), None)
    if other is None:
        return ""
    return f"{hook.where} leaves {ends[0].value} or {other.value}: {_open_question((other, *ends))}"


def _open_question(ends: tuple[State, ...]) -> str:
    """What would have to be known to tell which of several ends it is."""
    asked = next((end.assumed[0] for end in ends if end.assumed), "")
    return asked or "whether a command succeeds is not known"


def _consequences(
    config: HostConfig, hook: Directive, ends: tuple[State, ...]
) -> tuple[tuple[str, ...], str]:
    """What follows when the hook reports a failure: notes, and a fault where it is permanent."""
    if not all(end.status for end in ends):
        if any(end.status for end in ends):
            why = f"it is not certain that the hook in {hook.where}, and so modprobe, succeeds"
            return (why,), ""
        return (), ""
    why = next((end.failed[-1] for end in ends if end.failed), "its last command fails")
    if config.has_switch is False:
        return (), (
            f"this kernel has no {config.key.dotted}, so the hook in {hook.where} fails and "
            f"breaks 'modprobe ip_vs' ({why})"
        )
    note = (
        f"the hook in {hook.where} reports a failure ({why}), so modprobe does too: the first load "
        "of a module that needs ip_vs (ip_vs_rr) fails, a second one works"
    )
    return (note,), ""


def _decisive(config: HostConfig, hook: Directive, state: State, accepts: Accepts) -> str:
    """Which command set the value last, in one sentence."""
    if not state.steps:
        return f"{hook.where} only loads ip_vs, so {_starts(config)}"
    step = next((step for step in reversed(state.steps) if step.writes is not None), None)
    if step is not None:
        return f"{hook.where} runs {step.command!r}, which {step.did}"
    step = state.steps[-1]
    prefix = f"{hook.where} runs {step.command!r}, which "
    if step.resolution is None or step.resolution.winner is not None:
        return prefix + step.did
    if step.resolution.missing:
        return f"{prefix}fails: {step.resolution.missing[0]} does not exist; " + where_compliant(
            config, accepts
        )
    files = step.resolution.files
    reads = f"{files[0]} only" if len(files) == 1 else f"{len(files)} files"
    return f"{prefix}reads {reads}, where no line sets the key; {where_compliant(config, accepts)}"


def where_compliant(config: HostConfig, accepts: Accepts) -> str:
    """Which file holds the value that the policy accepts."""
    for loader in (config.sysctl_p, config.sysctl_system, config.systemd_sysctl):
        found = config.resolve(loader)
        if found.winner is not None and is_compliant(accepts, found.value):
            return f"the value is in {found.winner.where}"
    return "the value is in no file that a loader reads"
