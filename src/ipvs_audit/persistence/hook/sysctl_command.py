"""What ``sysctl`` and ``systemd-sysctl`` do to the key when a hook or a rule calls them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.state import State, Step
from ipvs_audit.persistence.hook.sysctl_assignments import Assigning, assign
from ipvs_audit.persistence.hook.sysctl_pattern import lines_that_match, parse_pattern
from ipvs_audit.persistence.hook.write_commands import key_exists
from ipvs_audit.persistence.loader_failures import (
    exit_status_unknown,
    failure_reasons,
)
from ipvs_audit.persistence.side_effects import side_effects, union_of
from ipvs_audit.snapshot.config_paths import SYSCTL, SYSCTL_CONF
from ipvs_audit.snapshot.sysctl_key import is_glob, name_matches

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell.parser import Simple
    from ipvs_audit.persistence.shell.words import Word
    from ipvs_audit.snapshot.sysctl_loader import Loader

_PLAIN = frozenset("bneNwqox")
_MEANS = {"f": "load", "e": "ignores_unknown_keys", "w": "write"}
_MEANS |= dict.fromkeys("Vdh", "shows") | dict.fromkeys("aAX", "lists")
_EXPANDS_PATTERNS = (3, 3, 17)  # a file's name is given to glob(3) there; older ones were not seen


@dataclass(slots=True)
class _Call:
    """How sysctl was called, as getopt_long sees it.

    ``--system`` acts with the options before it (``SYSTEM_OPTION`` in procps' sysctl.c).
    """

    ignores_unknown_keys: bool = False
    load: bool = False
    system: bool = False
    shows: bool = False
    lists: bool = False
    write: bool = False
    unsupported: str = ""
    pattern: str = ""
    attached: str = ""
    arguments: tuple[Word, ...] = ()


def run_sysctl(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run ``sysctl`` with any of its options."""
    state = replace(state, status=0, stdout=None)
    call = _parsed(command.words[1:])
    if config.loaders.sysctl_path is None:
        return (state.exits(1, "the host has no sysctl program"),)
    another = config.loaders.sysctl_kind in ("toybox", "unknown")
    if another or call.unsupported:
        what = "what this host's sysctl does" if another else f"sysctl's option {call.unsupported}"
        return (state.unknown_effect(what),)
    if call.shows or (call.lists and not call.system):
        return (state,)
    if call.load or call.system:
        return _load_files(config, call, command.text, state)
    if call.pattern:
        return (state.unknown_effect("sysctl's --pattern without --system or -p"),)
    texts = tuple(word.text for word in call.arguments)
    how = Assigning(command.text, texts, call.write, call.ignores_unknown_keys)
    return assign(config, how, state)


def _load_files(config: HostConfig, call: _Call, text: str, state: State) -> tuple[State, ...]:
    loader, doubt = _loader(config, call)
    if call.pattern and not doubt:
        config, doubt = _narrowed(config, call.pattern, loader)
    if doubt:
        return state.doubtful(doubt).either(text)
    return _load(config, loader, text, state)


def _loader(config: HostConfig, call: _Call) -> tuple[Loader, str]:
    """The files that are loaded, and why that is not known."""
    if call.system:
        return config.sysctl_system, ""
    files, doubt = _files(config, call)
    ignores = call.ignores_unknown_keys
    return replace(config.sysctl_p, files=files, ignores_unknown_keys=ignores), doubt


def _narrowed(config: HostConfig, text: str, loader: Loader) -> tuple[HostConfig, str]:
    pattern = parse_pattern(text)
    if pattern is None or loader.program != "procps":
        return config, f"which keys --pattern {text} matches is not known"
    return lines_that_match(config, loader, pattern)


def _parsed(words: tuple[Word, ...]) -> _Call:
    call = _Call()
    arguments: list[Word] = []
    takes_pattern = False
    for place, word in enumerate(words):
        text = word.text
        if takes_pattern:
            call.pattern, takes_pattern = text, False
            continue
        if text in ("-r", "--pattern"):
            takes_pattern = True
            continue
        if text == "--":
            arguments += words[place + 1 :]
            break
        if text.startswith("--"):
            _long_option(call, text)
            if call.system and not call.unsupported:
                break  # it runs at once, and what follows is not read
        elif text.startswith("-") and len(text) > 1:
            _short_options(call, text)
        else:
            arguments.append(word)
    if takes_pattern:
        call.unsupported = "--pattern without an expression"
    call.arguments = tuple(arguments)
    return call


def _long_option(call: _Call, text: str) -> None:
    name, equals, value = text.partition("=")
    if equals and not (value and name in ("--load", "--pattern")):
        call.unsupported = text
    elif name == "--load":
        call.load, call.attached = True, value
    elif name == "--system":
        call.system = True
    elif name == "--ignore":
        call.ignores_unknown_keys = True
    elif name == "--write":
        call.write = True
    elif name == "--pattern":
        call.pattern = value
    elif name == "--all":
        call.lists = True
    elif name in ("--help", "--version", "--dry-run"):
        call.shows = True
    elif name not in ("--quiet", "--values", "--names", "--binary", "--deprecated"):
        call.unsupported = name


def _short_options(call: _Call, text: str) -> None:
    for place, option in enumerate(text[1:], 2):
        if option == "p":  # takes an attached file: -pq reads the file "q"
            call.load, call.attached = True, text[place:]
            return
        if option == "r":  # takes the rest
            call.pattern = text[place:]
            if not call.pattern:
                call.unsupported = f"{text} with its expression apart"
            return
        if option in _MEANS:
            setattr(call, _MEANS[option], True)
        elif option not in _PLAIN:
            call.unsupported = f"-{option}"
            return


def _files(config: HostConfig, call: _Call) -> tuple[tuple[str, ...], str]:
    """The files that ``-p`` loads, and why that is not known."""
    named = [(call.attached, False)] if call.attached else []
    named += [(word.text, word.pattern) for word in call.arguments]
    if not named:
        return (SYSCTL_CONF,), ""
    files: list[str] = []
    for path, pattern in named:
        directory = path.rpartition("/")[0]
        if (pattern or is_glob(path)) and directory in SYSCTL.directories:
            if not pattern and config.sysctl_p.version < _EXPANDS_PATTERNS:
                return (), f"whether this sysctl expands {path} is not known"
            found = sorted(each for each in config.tree.files if _glob(path, each))
            if other := next((each for each in config.tree.ignored if _glob(path, each)), ""):
                return (), f"it reads {other}, which was not collected"
            files += found or [path]
        elif path in config.tree.files or directory in SYSCTL.directories or path == SYSCTL_CONF:
            files.append(path)
        elif not path.startswith("/"):
            absolute = f"/{path}"  # where the kernel starts modprobe
            if absolute in config.tree.files or path == "-" or "/" in path:
                return (), f"it reads {path} (its input, or from where modprobe is started)"
            files.append(absolute)
        else:
            return (), f"it reads {path}, which was not collected"
    return tuple(files), ""


def _glob(pattern: str, path: str) -> bool:
    """As glob(3) and shells match: a leading dot is matched by a dot only."""
    (directory, _, name), (folder, _, file) = pattern.rpartition("/"), path.rpartition("/")
    hidden = file.startswith(".") and not name.startswith(".")
    return folder == directory and not hidden and name_matches(name, file)


def run_systemd_sysctl(
    config: HostConfig, command: Simple, state: State, *, through_unit: bool = False
) -> tuple[State, ...]:
    """Run systemd-sysctl, by its path or (``through_unit``) by restarting its unit."""
    state = replace(state, stdout=None)
    if config.loaders.systemd_sysctl is None:
        return (state.exits(1, "the host has no systemd-sysctl"),)
    if through_unit:
        if not config.systemd_runs:
            return (state.exits(1, "systemd-sysctl.service does not run here"),)
        return _load(config, config.systemd_sysctl, command.text, state)
    prefixes: list[str] = []
    files: list[str] = []
    words = iter([word.text for word in command.words[1:]])
    for word in words:
        if word == "--prefix":
            prefixes.append(next(words, ""))
        elif word.startswith("--prefix="):
            prefixes.append(word.partition("=")[2])
        elif not word.startswith("-"):
            files.append(_searched(config, word))
        elif word not in ("--no-pager", "--strict"):
            return (state.unknown_effect(f"systemd-sysctl's {word}"),)
    missing = [path for path in files if path not in config.tree.files]
    if missing:
        doubt = f"it reads {missing[0]}, which was not collected"
        return state.doubtful(doubt).either(command.text)
    loader = replace(
        config.systemd_sysctl, prefixes=tuple(prefixes), files=tuple(files) if files else None
    )
    return _load(config, loader, command.text, state)


def _searched(config: HostConfig, name: str) -> str:
    """Where systemd-sysctl finds a file that is given without a directory."""
    found = (config.tree.files.get(f"{directory}/{name}") for directory in SYSCTL.directories)
    return name if "/" in name else next((file.path for file in found if file and file.real), name)


def _load(config: HostConfig, loader: Loader, text: str, state: State) -> tuple[State, ...]:
    """Let a loader read its files: the states that it may leave, one where all is known."""
    exists = key_exists(config, state)
    failed = tuple(f"{text!r}: {why}" for why in failure_reasons(config, loader, key_exists=exists))
    effects = union_of((state.effects, side_effects(config, loader)))
    state = replace(_applied(config, loader, text, state), effects=effects)
    end = replace(state, status=int(bool(failed)), failed=(*state.failed, *failed))
    if exit_status_unknown(config, loader, key_exists=exists):
        return (end, replace(state, status=int(not failed)))
    return (end,)


def _applied(config: HostConfig, loader: Loader, text: str, state: State) -> State:
    """The state after a loader has written the key."""
    found = config.resolve(loader)
    doubt = found.doubt
    if not key_exists(config, state):
        why = "the key does not exist"
        if not state.loaded and config.needs_module:
            why = "it runs before ip_vs is loaded"
        return state.with_step(Step(text, f"sets nothing: {why}"))
    if doubt:
        return state.doubtful(doubt).with_step(Step(text, f"is not certain: {doubt}", None, found))
    if found.winner is None or found.value is None:
        return state.with_step(
            Step(text, "sets nothing: no line that it reads sets the key", None, found)
        )
    return state.after_write(
        Step(text, f"sets {found.value} ({found.winner.where})", found.value, found)
    )
