"""The first question: which value does the key have after ip_vs was loaded anew?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook_interpreter import loaded, run_shell
from ipvs_audit.persistence.hook_state import Command, State
from ipvs_audit.persistence.host_config import MODULE, HostConfig
from ipvs_audit.persistence.other_hooks import with_dependents, with_udev
from ipvs_audit.persistence.prediction import Accepts, Outcome, wanted

if TYPE_CHECKING:
    from ipvs_audit.snapshot.modprobe_config import Directive

_SWITCHED_OFF = ("true", "false", ":")


def after_reload(config: HostConfig, accepts: Accepts) -> Outcome:
    """What ``modprobe -r ip_vs; modprobe ip_vs`` leaves, and a load on demand as well."""
    if config.module == "builtin":
        return Outcome(None, "ip_vs is built into the kernel and cannot be reloaded")
    hook, why_none = find_hook(config)
    if hook is None:
        by_hook = Outcome(*_default(config), doubt=_hidden_doubt(config))
        by_hook = replace(by_hook, because=f"{why_none}, so ip_vs comes up with {_starts(config)}")
        state = loaded(config)
    else:
        ends = run_shell(config, Command(hook.rest, hook.where), State())
        by_hook = _told(config, hook, ends, accepts)
        state = ends[0]
    outcome = with_udev(config, by_hook, written=hook is not None and state.written)
    outcome = with_dependents(config, outcome, accepts)
    return without_switch(config, outcome, accepts)


def without_switch(config: HostConfig, outcome: Outcome, accepts: Accepts) -> Outcome:
    """On a kernel without the key estimation always runs, whatever a file says."""
    if config.has_switch is not False or outcome.fault or accepts(1):
        return outcome
    why = f"this kernel has no {config.key.dotted}: estimation cannot be switched off"
    return replace(outcome, fault=why)


def find_hook(config: HostConfig) -> tuple[Directive | None, str]:
    """The ``install`` line that modprobe runs for ip_vs, or None and why there is none."""
    if config.loaders.kmod is None and config.loaders.modprobe is not None:
        return None, f"{config.loaders.modprobe} is not kmod's and runs no install command"
    modprobe = config.modprobe
    hook = modprobe.first("install", MODULE)
    if hook is None:
        for directive, by in modprobe.hidden:
            if directive.verb == "install" and directive.concerns(MODULE):
                return None, f"the hook of {directive.where} is hidden by {by}"
        return None, "no hook runs when ip_vs is loaded"
    bypass = modprobe.bypass(MODULE)
    if bypass is not None:
        return None, (
            f"modprobe passes over the hook of {hook.where}, "
            f"because {bypass.where} gives ip_vs soft dependencies"
        )
    return hook, ""


def _default(config: HostConfig) -> tuple[int | None, str]:
    return (1 if config.has_switch is not False else None), ""


def _starts(config: HostConfig) -> str:
    return "the kernel's default of 1" if config.has_switch is not False else "no such key"


def _hidden_doubt(config: HostConfig) -> str:
    closed = config.modprobe.unreadable
    return f"{closed[0]} could not be read: a hook may be there" if closed else ""


def _told(
    config: HostConfig, hook: Directive, ends: tuple[State, ...], accepts: Accepts
) -> Outcome:
    """A hook's outcome in words."""
    state = ends[0]
    values = {end.value for end in ends}
    doubt = next((end.doubt for end in ends if end.doubt), "")
    if len(values) > 1 and not doubt:
        doubt = f"{hook.where} sets the value only if a command succeeds that cannot be judged here"
    closed = _hidden_doubt(config)
    fault = next((end.fault for end in ends if end.fault), "")
    if fault:
        return Outcome(None, "", fault=f"{hook.where}: {fault}")
    if not state.loaded:
        because = f"{hook.where} loads no ip_vs: it runs {hook.rest.strip()!r} instead"
        return Outcome(None, because, doubt=doubt or closed)
    notes, broken = _consequences(config, hook, ends)
    return Outcome(
        state.value,
        because=_decisive(config, hook, state, accepts),
        doubt=doubt or closed,
        fault=broken,
        notes=notes,
    )


def _consequences(
    config: HostConfig, hook: Directive, ends: tuple[State, ...]
) -> tuple[tuple[str, ...], str]:
    """What a hook that reports a failure causes: notes, and a fault where it is for good."""
    if not all(end.status for end in ends):
        if any(end.status for end in ends):
            why = f"whether the hook of {hook.where} succeeds, and modprobe with it, is not certain"
            return (why,), ""
        return (), ""
    why = next((end.failed[-1] for end in ends if end.failed), "its last command fails")
    if config.has_switch is False:
        return (), (
            f"this kernel has no {config.key.dotted}, so the hook of {hook.where} fails and "
            f"breaks 'modprobe ip_vs' ({why})"
        )
    note = (
        f"the hook of {hook.where} reports a failure ({why}), and so does modprobe: the first "
        "load of a module that needs ip_vs (ip_vs_rr) fails, and works only when tried again"
    )
    return (note,), ""


def _decisive(config: HostConfig, hook: Directive, state: State, accepts: Accepts) -> str:
    """The sentence on what gave the value its last word."""
    if not state.steps:
        return f"{hook.where} only loads ip_vs, which comes up with {_starts(config)}"
    step = next((step for step in reversed(state.steps) if step.writes is not None), None)
    if step is not None:
        return f"{hook.where} runs {step.command!r}, which {step.did}"
    step = state.steps[-1]
    told = f"{hook.where} runs {step.command!r}, which "
    if step.resolution is None or step.resolution.winner is not None:
        return told + step.did
    if step.resolution.missing:
        return f"{told}fails: {step.resolution.missing[0]} does not exist; " + elsewhere(
            config, accepts
        )
    files = step.resolution.files
    reads = f"{files[0]} only" if len(files) == 1 else f"{len(files)} files"
    return f"{told}reads {reads}, where no line sets the key; {elsewhere(config, accepts)}"


def elsewhere(config: HostConfig, accepts: Accepts) -> str:
    """Where the wanted value is instead."""
    for loader in (config.sysctl_p, config.sysctl_system, config.systemd_sysctl):
        found = config.resolve(loader)
        if found.winner is not None and wanted(accepts, found.value):
            return f"the value is in {found.winner.where}"
    return "the value is in no file that a loader reads"
