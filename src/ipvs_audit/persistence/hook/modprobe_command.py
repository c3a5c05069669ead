"""What ``modprobe`` and ``insmod`` do when a hook calls them (kmod's tools/modprobe.c)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.early_loading import blacklisted
from ipvs_audit.persistence.hook.state import bounded
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.module_parameters import (
    Parameter,
    configured,
    doubtful,
    refused,
)
from ipvs_audit.persistence.soft_dependencies import find_sure_bypass
from ipvs_audit.snapshot.modprobe_config import underscored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.hook.state import State
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell.parser import Simple

_IGNORE = "--ignore-install"
_LONG = {
    "all": "a", "remove": "r", "remove-dependencies": "", "remove-holders": "", "wait": "w",
    "resolve-alias": "R", "first-time": "1", "ignore-install": "i", "ignore-remove": "i",
    "use-blacklist": "b", "force": "f", "force-modversion": "f", "force-vermagic": "f",
    "show-depends": "D", "showconfig": "c", "show-config": "c", "show-modversions": "D",
    "dump-modversions": "D", "show-exports": "D", "dry-run": "n", "show": "n", "config": "C",
    "dirname": "d", "set-version": "S", "syslog": "", "quiet": "", "verbose": "", "version": "V",
    "help": "h",
}  # fmt: skip
_SHORT = frozenset("arRibfDcnCdSsqvVhw")
_WITH_VALUE = frozenset("CdSw")
_DRY = frozenset("RDcnVh")


@dataclass(slots=True)
class ModprobeCall:
    """How modprobe was called: the short forms of its options, values, modules, what is wrong."""

    options: str = ""
    config: str | None = None
    elsewhere: bool = False
    words: tuple[str, ...] = ()
    unknown: str = ""

    def has(self, *letters: str) -> bool:
        """Whether one of these options was given."""
        return any(letter in self.options for letter in letters)

    @property
    def shows(self) -> bool:
        """Whether it only prints what it would do, or what it is."""
        return self.has(*_DRY)

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules to load; without ``-a`` or ``-r`` what follows the first are parameters."""
        words = self.words if self.has("a", "r") else self.words[:1]
        return tuple(map(underscored, words))

    @property
    def parameters(self) -> tuple[str, ...]:
        """What is given to the one module that is loaded."""
        return () if self.has("a", "r") else self.words[1:]


def run_modprobe(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run modprobe: it may load ip_vs, remove it, or run the hook again."""
    call = parse_modprobe([word.text for word in command.words[1:]])
    state = replace(state, stdout=None)
    if call.unknown:
        return (state.lacking(f"modprobe has no option {call.unknown}"),)
    if call.shows:
        return (replace(state, status=0),)
    if not call.modules:
        return (state.exits(1, f"{command.text!r} names no module"),)
    if call.elsewhere or call.config not in (None, "/dev/null"):
        return state.unknown_effect(f"what {command.text!r} loads").either(command.text)
    if call.has("r"):
        return _remove(command, call, state)
    states: tuple[State, ...] = (state,)
    for module in call.modules:
        ends = (end for each in states for end in _load(config, command, call, module, each))
        states = bounded(tuple(ends), repr(command.text))
    return states


def _concerned(module: str) -> bool:
    """Whether a load brings ip_vs with it, and a removal may take it along."""
    return module == MODULE or module.startswith((f"{MODULE}_", "xt_ipvs"))


def _remove(command: Simple, call: ModprobeCall, state: State) -> tuple[State, ...]:
    if not any(_concerned(module) for module in call.modules):
        return state.either(command.text)
    gone = replace(
        state, loaded=False, value=None, doubt=state.lasting, unknown=False, written=False, status=0
    )
    if MODULE not in call.modules:  # it goes with the last module that needs it
        return gone, *state.either(command.text)
    return gone, state.exits(1, "ip_vs is in use").either(command.text)[1]


def _load(
    config: HostConfig, command: Simple, call: ModprobeCall, module: str, state: State
) -> tuple[State, ...]:
    if call.has("b") and module in blacklisted(config):
        return (replace(state, status=0),)
    if _concerned(module) and not state.loaded:
        first = _first_load(config, command, call, module, state)
        if module == MODULE or first.fault or not first.loaded:
            return (first,)
        state = first
    if module == MODULE:
        return state.either(command.text) if call.has("1") else (replace(state, status=0),)
    there = config.programs.modules.get(module)
    hooked = not call.has("i") and config.modprobe.first("install", module) is not None
    barred = call.has("b", "1")
    if there and not hooked and not barred:
        return (replace(state, status=0),)
    why = f"whether this host can load {module} is not known"
    return replace(state, status=0), state.exits(1, why).assuming(why)


def _first_load(
    config: HostConfig, command: Simple, call: ModprobeCall, module: str, state: State
) -> State:
    bare = call.config is not None  # an empty configuration: no hook, no alias, no soft dependency
    alias = None if bare else config.modprobe.first("alias", MODULE)
    if module == MODULE and alias is not None:
        return state.doubtful(f"{alias.where} makes {MODULE} an alias").exits(1)
    ignoring = call.has("i") and module == MODULE
    if ignoring or bare or find_sure_bypass(config, MODULE) is not None:
        given = call.parameters if module == MODULE else ()
        own = [Parameter(text, command.text) for text in given]
        if why := refused([*configured(config, files=not bare), *own]):
            return state.lacking(why)
        if why := doubtful(own):
            return state.never_certain(why)
        return loads(config, state)
    if state.outside:
        return replace(state, loaded=True, status=0)
    if call.has("i"):
        why = f"{command.text!r} loads {MODULE} first, which runs the hook again: an endless loop"
    else:
        why = f"{command.text!r} has no {_IGNORE}, so it runs the hook again: an endless loop"
    return state.broken(why)


def parse_modprobe(texts: list[str]) -> ModprobeCall:
    """The call as getopt_long sees it: options anywhere, long ones by any unique beginning."""
    call = ModprobeCall()
    words = iter(texts)
    for word in words:
        if word == "--":
            call.words += tuple(words)
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            found = {letter for long, letter in _LONG.items() if long.startswith(name)}
            letter = _LONG.get(name, next(iter(found)) if len(found) == 1 else "?")
            if letter == "?" or (equals and letter not in tuple(_WITH_VALUE)):
                call.unknown = call.unknown or word
            elif letter in _WITH_VALUE and letter:
                _take(call, letter, value if equals else next(words, None))
            call.options += letter
        elif word.startswith("-") and word != "-":
            _short_options(call, word, words)
        else:
            call.words += (word,)
    return call


def _short_options(call: ModprobeCall, word: str, words: Iterator[str]) -> None:
    for place, letter in enumerate(word[1:], 2):
        if letter not in _SHORT:
            call.unknown = call.unknown or word
            return
        call.options += letter
        if letter in _WITH_VALUE:
            _take(call, letter, word[place:] or next(words, None))
            return


def _take(call: ModprobeCall, letter: str, value: str | None) -> None:
    if value is None:
        call.unknown = call.unknown or f"-{letter} without a value"
    elif letter == "C":
        call.config = value
    elif letter in "dS":
        call.elsewhere = True


def run_insmod(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run insmod, which runs no hook; whether that file fits this kernel is not known."""
    named = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    file = named[0].rpartition("/")[2] if named else ""
    state = replace(state, stdout=None)
    if underscored(file.partition(".")[0]) != MODULE:
        return state.either(command.text)
    if state.loaded:
        return (state.exits(1, "ip_vs is loaded already"),)
    given = [Parameter(text, command.text) for text in named[1:]]
    if why := refused(given):
        return (state.lacking(why),)
    if why := doubtful(given):
        return (state.never_certain(why),)
    return loads(config, state), state.either(command.text)[1]


def loads(config: HostConfig, state: State) -> State:
    """The state after ip_vs came in: its keys start at the kernel's default."""
    state = replace(state, loaded=True, status=0, stdout=None)
    if not config.needs_module:
        return state
    return replace(
        state,
        value=1 if config.has_switch is not False else None,
        doubt=state.lasting,
        unknown=False,
        written=False,
        steps=(),
    )
