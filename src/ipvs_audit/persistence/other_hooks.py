"""What else may set the key: udev's rules, and the hooks of modules that need ip_vs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot_units import UDEVD_UNIT
from ipvs_audit.persistence.hook.interpreter import loaded, run_hook, run_shell
from ipvs_audit.persistence.hook.programs import run_program
from ipvs_audit.persistence.hook.state import Command, State
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.needed_modules import is_needed
from ipvs_audit.persistence.prediction import is_compliant
from ipvs_audit.persistence.side_effects import union_of
from ipvs_audit.persistence.udev.rules import discarded, rules, unreadable
from ipvs_audit.persistence.udev.uevent_order import early_uevent
from ipvs_audit.snapshot.modprobe_config import Directive

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Accepts, Prediction
    from ipvs_audit.persistence.udev.rules import Rule
    from ipvs_audit.snapshot.sysctl_key import Value

#: What makes a doubt about another module's hook or another event's rule count.
_CONCERNS = re.compile(r"ip[_-]?vs|run_estimation")
_SETS = re.compile(rf"sysctl|modprobe|insmod|{_CONCERNS.pattern}")


def with_udev(config: HostConfig, by_hook: Prediction, *, written: bool) -> Prediction:
    """What udev's rules add to a load; they run at the same time as the hook.

    Args:
        config: the host.
        by_hook: what is left without them.
        written: whether the hook has written the key.
    """
    if by_hook.fault or (by_hook.value is None and not by_hook.doubt):
        return by_hook  # no key came, so nothing that was added can set it
    why_none = no_udev(config)
    if why_none:
        idle = any(rule.own_event for rule in rules(config)) and not written
        return replace(by_hook, because=f"{by_hook.because}; {why_none}") if idle else by_hook
    prediction = _with_rules(config, by_hook, written=written)
    ignored = "; ".join(discarded(config))
    if ignored and prediction.because == by_hook.because and not written:
        return replace(prediction, because=f"{prediction.because}; {ignored}")
    return prediction


def no_udev(config: HostConfig) -> str:
    """Why no rule runs on this host; empty where udev runs."""
    loaders = config.loaders
    if loaders.init != "systemd":
        return ""
    if loaders.udevd is None:
        return "udev's rules do not run: the host has no systemd-udevd"
    if UDEVD_UNIT in loaders.masked_units:
        return f"udev's rules do not run: {UDEVD_UNIT} is masked"
    return ""


def _rules(config: HostConfig) -> tuple[Rule, ...]:
    """The rules, each with a doubt where it is not certain that it runs, or runs in time."""
    found = () if no_udev(config) else rules(config)
    doubt = early_uevent(config.kernel)
    if config.loaders.init != "systemd":
        doubt = f"whether udev runs under {config.loaders.init or 'this init'} is not known"
    if not doubt:
        return found
    return tuple(replace(rule, doubt=rule.doubt or doubt) for rule in found)


def _with_rules(config: HostConfig, by_hook: Prediction, *, written: bool) -> Prediction:
    prediction, run = by_hook, _rules(config)
    for rule in run:
        if rule.own_event:
            prediction = _by_rule(config, prediction, rule, written=written)
    for rule in run:  # compared with the final value: they may run at any time
        if not rule.own_event:
            prediction = _by_foreign_rule(config, prediction, rule, written=written)
    closed = unreadable(config)
    if closed and prediction == by_hook and not prediction.doubt:
        return prediction if written else replace(prediction, doubt=f"{closed} could not be read")
    return prediction


def _ends(config: HostConfig, rule: Rule, start: State | None = None) -> tuple[State, ...]:
    def nested(text: str, state: State, shell: str, *, errexit: bool) -> tuple[State, ...]:
        before = replace(state, errexit=errexit, status=0)
        return run_shell(config, Command(text, rule.where), before, shell)

    return run_program(config, rule.command, start or loaded(config), nested)


def _by_rule(config: HostConfig, before: Prediction, rule: Rule, *, written: bool) -> Prediction:
    """A rule that runs when ip_vs is added."""
    ends = _ends(config, rule)
    doubt = rule.unclear or next((end.doubt for end in ends if end.doubt), "")
    if rule.doubt and not doubt and not _other_values(ends, before.value):
        return before  # whether it runs makes no difference
    doubt = rule.doubt or doubt
    before = replace(before, effects=union_of((before.effects, *(end.effects for end in ends))))
    state = ends[0]
    if doubt:
        return replace(before, doubt=before.doubt or f"{rule.where} runs {rule.text!r}: {doubt}")
    if not state.written:
        note = f"{rule.where} runs {rule.text!r}, which does not set the key"
        return replace(before, notes=(*before.notes, note))
    if written and before.value != state.value:
        race = (
            f"{rule.where} sets {state.value} while the hook sets {before.value}, "
            "and the order is not defined"
        )
        return replace(before, doubt=before.doubt or race)
    did = [step.did for step in state.steps][-1]
    because = f"the udev rule in {rule.where} runs {rule.text!r}, which {did}"
    return replace(
        before, value=state.value, because=because, doubt="" if not written else before.doubt
    )


def _by_foreign_rule(
    config: HostConfig, before: Prediction, rule: Rule, *, written: bool
) -> Prediction:
    """A rule of another event, e.g. of a module that is loaded with ip_vs."""
    start = replace(loaded(config), value=before.value, outside=True)
    ends = _ends(config, rule, start)
    why = ""
    if sets := _other_values(ends, before.value):
        why = f"sets {sets[0]}, on another event than the load of {MODULE}, and may do so after it"
    elif written and (past := _past_the_hook(config, rule, before.value)):
        why = f"{past}, on another event than the load of {MODULE}"
    if why:
        why = f"{rule.where} runs {rule.text!r}, which {why}"
    elif _CONCERNS.search(rule.text):
        doubt = rule.unclear or next((end.doubt for end in ends if end.doubt), "")
        why = f"{rule.where} runs {rule.text!r}: {doubt}" if doubt else ""
    return replace(before, doubt=before.doubt or why) if why else before


def _past_the_hook(config: HostConfig, rule: Rule | Directive, value: Value | None) -> str:
    """What commands do that may find ip_vs not loaded; empty where its own hook still runs."""
    start = State(value=value, outside=True)
    if isinstance(rule, Directive):
        ends = run_hook(config, rule, start)
    else:
        ends = _ends(config, rule, start)
    if any(end.loaded and end.value != value for end in ends):
        return f"may load {MODULE} past its hook"
    return ""


def _other_values(ends: tuple[State, ...], value: Value | None) -> list[Value]:
    """The other values that may be written, whatever else is not known."""
    return [
        end.value for end in ends if end.written and end.value is not None and end.value != value
    ]


def udev_race(config: HostConfig, value: Value | None) -> str:
    """Why udev may still write another value after systemd-sysctl has run; empty for nothing."""
    for rule in _rules(config):
        if sets := _other_values(_ends(config, rule), value):
            return (
                f"{rule.where} runs {rule.text!r}, which sets {sets[0]}, while systemd-sysctl sets "
                f"{value}, and the order is not defined"
            )
    return ""


def with_dependent_hooks(
    config: HostConfig, before: Prediction, accepts: Accepts, *, written: bool
) -> Prediction:
    """What the hooks of other modules may change.

    Those of modules that need ip_vs (``ip_vs_rr`` ...) run once ip_vs is there: modprobe loads what
    a module needs before the module itself. One that corrects the value cannot be relied on: ip_vs
    may be loaded without that module. Those of any other may load ip_vs past its own hook.

    Args:
        config: the host.
        before: what is left without them.
        accepts: the policy.
        written: whether ip_vs's own hook has written the key.
    """
    if before.fault or before.doubt or not is_compliant(accepts, before.value):
        return before
    start = replace(loaded(config), value=before.value, outside=True)
    for hook in _hooks(config, dependent=True):
        ends = run_hook(config, hook, start)
        harm = _harm(ends, before.value)
        if harm := harm or (written and _past_the_hook(config, hook, before.value)) or "":
            why = f"the hook in {hook.where}, for a module that needs {MODULE}, {harm}"
            return replace(before, doubt=why)
    for hook in _hooks(config, dependent=False):
        ends = run_hook(config, hook, start)
        harm = ""
        if sets := _other_values(ends, before.value):
            harm = f"sets {sets[0]} when that is loaded"
        elif written:
            harm = _past_the_hook(config, hook, before.value)
        if not harm and (_CONCERNS.search(hook.rest) or is_needed(hook)):
            harm = _harm(ends, before.value)
        if harm:
            why = f"the hook in {hook.where}, for another module, {harm}"
            return replace(before, doubt=why)
    return before


def with_hooks_of(
    config: HostConfig, before: Prediction, accepts: Accepts, names: tuple[str, ...]
) -> Prediction:
    """What the hooks of other modules, which a boot loads as well, may put right.

    In which order they are loaded is not looked at, so it is a doubt.
    """
    if before.fault or before.doubt or before.value is None or is_compliant(accepts, before.value):
        return before
    start = replace(loaded(config), value=before.value, outside=True)
    for name in names:
        hook = config.modprobe.first("install", name)
        if hook is None or hook.concerns(MODULE) or not _SETS.search(hook.rest):
            continue
        if harm := _harm(run_hook(config, hook, start), before.value):
            why = f"the hook in {hook.where}, for {name}, which is loaded early as well, {harm}"
            return replace(before, doubt=why)
    return before


def soft_dependency_doubt(config: HostConfig) -> str:
    """Why the hook of a soft dependency of ip_vs may set the key; empty where none may.

    modprobe loads it with ip_vs: what it sets is there after each load, unlike what the hooks of
    other modules set.
    """
    found = config.modprobe.soft_dependencies(MODULE)
    if found is None:
        return ""
    directive, names = found
    for name in names:
        hook = config.modprobe.first("install", name)
        if hook is not None and name != MODULE and _SETS.search(hook.rest):
            return (
                f"{directive.where} loads {name} with {MODULE}, and the hook in {hook.where} "
                "may set the value"
            )
    return ""


def _harm(ends: tuple[State, ...], value: Value | None) -> str:
    """What commands may do to a compliant value; empty for nothing."""
    if sets := _other_values(ends, value):
        return f"sets {sets[0]}"
    if any(not end.loaded for end in ends):
        return f"removes {MODULE} again"
    doubt = next((end.doubt for end in ends if end.doubt), "")
    return f"may change the value: {doubt}" if doubt else ""


def _hooks(config: HostConfig, *, dependent: bool) -> list[Directive]:
    """The ``install`` lines for modules that need ip_vs, or for others; of a name the first.

    Of others only those that run sysctl or load modules, or that ip_vs itself needs.
    """
    found: dict[str, Directive] = {}
    for directive in config.modprobe.directives:
        name = directive.module
        needs = name.startswith((f"{MODULE}_", "xt_ipvs"))
        if directive.verb != "install" or needs is not dependent or directive.concerns(MODULE):
            continue
        if dependent or _SETS.search(directive.rest) or is_needed(directive):
            found.setdefault(name, directive)
    return list(found.values())
