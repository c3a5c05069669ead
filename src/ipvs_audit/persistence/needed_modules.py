"""The modules that ip_vs needs: modprobe loads them first, and runs their own hooks."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.interpreter import run_hook
from ipvs_audit.persistence.hook.modprobe_command import ModprobeCall, parse_modprobe
from ipvs_audit.persistence.hook.state import State
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.soft_dependencies import find_sure_bypass
from ipvs_audit.snapshot.modprobe_config import underscored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.modprobe_config import Directive

#: On some kernel; which of them a host's kernel has as modules is not known.
_NEEDED = (
    "nf_conntrack",
    "nf_conntrack_ipv4",
    "nf_conntrack_ipv6",
    "nf_defrag_ipv4",
    "nf_defrag_ipv6",
    "libcrc32c",
    "crc32c",
)
#: Of these, what needs no other of them: loading it first runs no hook of theirs again.
_LEAVES = frozenset(("nf_defrag_ipv4", "nf_defrag_ipv6", "crc32c"))
_LOADS = re.compile(r"\b(?:modprobe|insmod)\b")
_COMMANDS = re.compile(r"[;&|(){}\n]+")


def is_needed(hook: Directive) -> bool:
    """Whether it runs when ip_vs is loaded, on some kernel."""
    return any(hook.concerns(name) for name in _NEEDED)


def load_may_fail(config: HostConfig) -> str:
    """Why a needed module's hook may keep ip_vs from loading; empty where none does.

    Where it fails, or does not load its module, modprobe gives up; a second load may succeed
    (libkmod's ``kmod_module_probe_insert_module``).
    """
    for name in _NEEDED:
        hook = config.modprobe.first("install", name)
        if hook is None or hook.concerns(MODULE) or find_sure_bypass(config, name) is not None:
            continue
        named = _LOADS.search(hook.rest) and name in underscored(hook.rest)
        if not named or _only_shown(hook, name):
            return f"the hook in {hook.where} does not load {name}, which {MODULE} needs"
        if other := _loaded_before(hook, name):
            return (
                f"the hook in {hook.where} loads {other} before {name}, which {MODULE} needs; where"
                f" {other} needs {name} too, that runs the hook again: an endless loop"
            )
        # A module that the kernel does not have is not needed, and its hook does not run.
        modules = {**config.programs.modules, name: True}
        programs = replace(config.programs, modules=modules)
        start = State(outside=True)
        ends = run_hook(replace(config, programs=programs), hook, start)
        failing = next((end for end in ends if end.status), None)
        if failing is not None:
            why = next(iter((*failing.failed[-1:], *failing.assumed)), "its last command fails")
            certainly = "fails" if all(end.status for end in ends) else "may fail"
            return f"the hook in {hook.where}, of {name}, which {MODULE} needs, {certainly} ({why})"
    return ""


def _calls(hook: Directive) -> Iterator[tuple[str, ModprobeCall]]:
    """The commands of a hook, each as a call of modprobe; where it is none, without modules."""
    for command in _COMMANDS.split(hook.rest):
        words = command.split()
        at = next((n for n, word in enumerate(words, 1) if word.endswith("modprobe")), len(words))
        yield command.strip(), parse_modprobe(words[at:])


def _only_shown(hook: Directive, name: str) -> bool:
    """Whether modprobe is only asked what it would do (``modprobe -in``)."""
    calls = [call for _, call in _calls(hook) if name in call.modules]
    return bool(calls) and all(call.shows for call in calls)


def _loaded_before(hook: Directive, name: str) -> str:
    """Another module that a hook of ``name`` loads before that one; empty for none.

    What is in the kernel already is passed over, its hook with it (libkmod's
    ``kmod_module_probe_insert_module``).
    """
    for command, call in _calls(hook):
        if call.shows:
            continue
        if call.modules == (name,) and call.has("i"):
            return ""
        if call.elsewhere or call.config is not None:
            return command
        if other := next((each for each in call.modules if each not in (name, *_LEAVES)), ""):
            return other
    return ""
