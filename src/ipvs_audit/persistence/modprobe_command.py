"""What ``modprobe`` and ``insmod`` do when a hook calls them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.snapshot.modprobe_config import underscored

if TYPE_CHECKING:
    from ipvs_audit.persistence.hook_state import State
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell_parser import Simple

_IGNORE = "--ignore-install"
_SHORTEST_IGNORE = "--ignore-i"  # what getopt_long takes for it; --ignore-r is --ignore-remove
_DRY = ("--dry-run", "--show", "--show-depends", "--showconfig", "--resolve-alias")
_WITH_VALUE = ("-C", "-d", "-S", "--config", "--dirname", "--set-version")


@dataclass(slots=True)
class _Call:
    """How modprobe was called."""

    ignoring: bool = False
    removing: bool = False
    dry: bool = False
    module: str = ""


def run_modprobe(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run modprobe: it may load ip_vs, remove it, or run the hook again."""
    call = _parsed([word.text for word in command.words[1:]])
    state = replace(state, stdout=None)
    if call.removing and not call.dry and call.module == MODULE:
        return (
            replace(
                state, loaded=False, value=None, doubt="", unknown=False, written=False, status=0
            ),
        )
    concerned = call.module == MODULE or call.module.startswith((f"{MODULE}_", "xt_ipvs"))
    if call.dry or call.removing or state.loaded or not concerned:
        return (replace(state, status=0),)
    return (_first_load(config, command, call, state),)


def _first_load(config: HostConfig, command: Simple, call: _Call, state: State) -> State:
    alias = config.modprobe.first("alias", MODULE)
    if call.module == MODULE and alias is not None:
        return state.doubtful(f"{alias.where} makes {MODULE} an alias").exits(1)
    ignoring = call.ignoring and call.module == MODULE
    if ignoring or config.modprobe.bypass(MODULE) is not None:
        return loads(config, state)
    if call.ignoring:
        why = f"{command.text!r} loads {MODULE} first, which runs the hook again: an endless loop"
    else:
        why = f"{command.text!r} has no {_IGNORE}, so it runs the hook again: an endless loop"
    return state.broken(why)


def _parsed(texts: list[str]) -> _Call:
    call = _Call()
    words = iter(texts)
    for word in words:
        if word in _WITH_VALUE:
            next(words, None)
        elif word.startswith("--") and word != "--":
            call.ignoring = call.ignoring or (
                _IGNORE.startswith(word) and word.startswith(_SHORTEST_IGNORE)
            )
            call.removing = call.removing or word == "--remove"
            call.dry = call.dry or word in _DRY
        elif word.startswith("-") and word != "--":
            call.ignoring = call.ignoring or "i" in word
            call.removing = call.removing or "r" in word
            call.dry = call.dry or any(letter in word for letter in "nDcRV")
        elif word != "--":
            call.module = call.module or underscored(word)
    return call


def run_insmod(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run insmod, which runs no hook."""
    named = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    file = named[0].rpartition("/")[2] if named else ""
    if underscored(file.partition(".")[0]) != MODULE:
        return (replace(state, status=0, stdout=None),)
    if state.loaded:
        return (state.exits(1, "ip_vs is loaded already"),)
    return (loads(config, state),)


def loads(config: HostConfig, state: State) -> State:
    """The state after ip_vs came in: its keys start at the kernel's default."""
    state = replace(state, loaded=True, status=0, stdout=None)
    if not config.needs_module:
        return state
    return replace(
        state,
        value=1 if config.has_switch is not False else None,
        doubt="",
        unknown=False,
        written=False,
        steps=(),
    )
