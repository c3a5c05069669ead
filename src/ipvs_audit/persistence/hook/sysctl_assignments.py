"""``sysctl KEY=VALUE ...``: what assignments on the command line do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence import ip_vs_keys
from ipvs_audit.persistence.hook.state import State, Step
from ipvs_audit.persistence.hook.write_commands import key_exists
from ipvs_audit.persistence.loader_failures import comes_with_ip_vs, refusals_fail
from ipvs_audit.snapshot.config_files import ConfigFile, Line
from ipvs_audit.snapshot.sysctl_config import settings
from ipvs_audit.snapshot.sysctl_key import is_glob, loader_path, resolved

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.sysctl_config import Setting

_OF_EVERY_IPVS = frozenset(f"net/ipv4/vs/{name}" for name in ip_vs_keys.SINCE_4_0)


@dataclass(frozen=True, slots=True)
class Assigning:
    """How sysctl was called.

    Attributes:
        text: the whole command, for people.
        arguments: ``KEY=VALUE``, or ``KEY`` to show one.
        write: ``-w``: each argument is an assignment.
        ignores_unknown_keys: ``-e``.
    """

    text: str
    arguments: tuple[str, ...]
    write: bool
    ignores_unknown_keys: bool


def assign(config: HostConfig, call: Assigning, state: State) -> tuple[State, ...]:
    """Take each argument in turn; the states that it may end in, patterns are not expanded here."""
    for argument in call.arguments:
        if "=" in argument or call.write:
            state = _assign_one(config, argument, call, state)
        elif resolved(loader_path(argument)) == config.key.path and not key_exists(config, state):
            state = state.exits(1, f"{call.text!r}: the key does not exist")
    if not call.arguments:
        return (state.exits(1, f"{call.text!r} names no key"),)
    if not call.ignores_unknown_keys and not state.status and _may_lack(config, call):
        why = f"{call.text!r} names a key that this kernel may not have"
        return state, state.exits(1, why)
    return (state,)


def _may_lack(config: HostConfig, call: Assigning) -> bool:
    """Whether a key that is named is another one, of which the evidence says nothing."""
    names = [argument.partition("=")[0].strip() for argument in call.arguments]
    paths = [resolved(loader_path(name)) for name in names if name not in config.tree.keys]
    return any(path != config.key.path and path not in _OF_EVERY_IPVS for path in paths)


def _assign_one(config: HostConfig, argument: str, call: Assigning, state: State) -> State:
    setting = _setting(config, argument)
    if setting is None or setting.value is None:
        return state.exits(1, f"{call.text!r}: {argument!r} is not an assignment")
    if resolved(setting.path) != config.key.path:
        # On the command line a pattern is a name like any other, and no key has it.
        # Nor has one a blank, which procps 3 leaves in the name: 'KEY = 0'.
        odd = is_glob(setting.path) or any(map(str.isspace, setting.path))
        early = not key_exists(config, state) and comes_with_ip_vs(config, setting.path)
        missing = odd or early or config.tree.keys.get(setting.spelled) is False
        if missing and not call.ignores_unknown_keys:
            return state.exits(1, f"{call.text!r}: the kernel has no {setting.spelled}")
        return state
    if not key_exists(config, state):
        did = "sets nothing: the key does not exist"
        state = state.with_step(Step(call.text, did))
        return (
            state
            if call.ignores_unknown_keys
            else state.exits(1, f"{call.text!r}: the key does not exist")
        )
    stores = config.key.stores(setting.value or "")
    if stores is None:
        state = state.with_step(Step(call.text, "sets nothing: the kernel rejects the value"))
        silent = not refusals_fail(config.sysctl_p)
        return (
            state
            if silent
            else state.exits(1, f"{call.text!r}: the kernel rejects {setting.value!r}")
        )
    return state.after_write(Step(call.text, f"sets {stores}", stores))


def _setting(config: HostConfig, argument: str) -> Setting | None:
    """What sysctl understands of ``KEY=VALUE`` as an argument.

    procps 3 takes both as they stand, with their blanks; procps 4 as it reads a line of a file.
    """
    loader, place = config.sysctl_p, ConfigFile("the command itself", "", 0, 0, 0, 0, "", None)
    found = settings(place, Line(0, argument), loader)
    name, equals, value = argument.partition("=")
    if loader.program != "procps" or refusals_fail(loader) or not found or not equals:
        return found[0] if found else None
    return replace(found[0], spelled=name, path=loader_path(name), value=value)
