"""What a shell does itself when a hook calls it; no program need be there for it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.write_commands import key_exists, names_key, run_echo
from ipvs_audit.persistence.shell.variables import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.persistence.hook.state import State
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell.parser import Simple
    from ipvs_audit.snapshot.programs import AtPath

#: POSIX's special built-ins: a shell ends where one of their redirections cannot be opened.
_SPECIAL = frozenset(
    (".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set",
     "shift", "times", "trap", "unset")
)  # fmt: skip
#: Built-ins that change how later commands are read or run, or that are not followed here.
_UNFOLLOWED = frozenset(
    (".", "alias", "break", "builtin", "cd", "continue", "declare", "enable", "eval", "export",
     "fc", "getopts", "hash", "kill", "let", "local", "popd", "pushd", "readonly", "return",
     "shift", "shopt", "source", "trap", "typeset", "ulimit", "unalias")
)  # fmt: skip
#: Built-ins that leave the key and later commands alone.
_EITHER = frozenset(("type", "umask", "wait", "jobs", "times", "pwd"))
#: Built-ins that set or remove variables.
_OF_VARIABLES = frozenset(("read", "unset"))
_OPTIONS = re.compile(r"[-+][eux]+")


def is_special(name: str) -> bool:
    """Whether the shell ends when a redirection of this built-in cannot be opened."""
    return name in _SPECIAL


def without_assignments(command: Simple) -> tuple[Simple, str]:
    """A command without the variables that it sets, and why they may change what it does."""
    words = list(command.words)
    why = ""
    while words and words[0].assigns:
        text = words.pop(0).text
        name = text.partition("=")[0]
        if not is_plain(name):  # NAME+= is one in bash alone
            why = why or f"it sets the variable {name}"
    return replace(command, words=tuple(words)), why


def find(name: str) -> Callable[[HostConfig, Simple, State], tuple[State, ...]] | None:
    """What a shell's own command does; None where it is a program."""
    if name in _UNFOLLOWED:
        return _unfollowed
    if name in _OF_VARIABLES:
        return _of_variables
    return _either if name in _EITHER else _BUILTINS.get(name)


def _unfollowed(_config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    state = state.never_certain(f"what {command.text!r} changes is not known to this audit")
    return (replace(state, status=0), replace(state, status=1))


def _either(_config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    return state.either(command.text)


def _of_variables(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """``unset`` and ``read``, of variables that no command here depends on."""
    words = [word.text for word in command.words[1:]]
    plain = all(is_plain(word) for word in words if word != "-r")
    return (_either if plain else _unfollowed)(config, command, state)


def _true(_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    return (replace(state, status=0, stdout=""),)


def _false(_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    return (state.exits(1, "'false' is called"),)


def _exit(_config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    given = [word.text for word in command.words[1:2] if word.text.isdecimal()]
    status = int(given[0][:9]) % 256 if given else state.status
    return (replace(state, status=min(status, 1), ended=True),)


def _set(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """``set -e`` and the like; ``-u`` and ``-x`` change nothing that is followed here."""
    words = [word.text for word in command.words[1:]]
    if not words or not all(_OPTIONS.fullmatch(word) for word in words):
        return _unfollowed(config, command, state)
    for word in words:
        if "e" in word:
            state = replace(state, errexit=word[0] == "-")
    return (replace(state, status=0),)


def run_test(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """``test`` and ``[``: of a file that is known one result, else either."""
    texts = [word.text for word in command.words[1:]]
    if command.words[0].text.endswith("["):
        if texts[-1:] != ["]"]:
            return (replace(state, status=1, stdout=""),)
        texts = texts[:-1]
    answer = _answer(config, state, *texts) if len(texts) == 2 else None  # noqa: PLR2004  # -e FILE
    if answer is not None:
        return (replace(state, status=int(not answer), stdout=""),)
    return state.either(command.text)


def _answer(config: HostConfig, state: State, asks: str, path: str) -> bool | None:
    if names_key(config, path):
        return key_exists(config, state) if asks in ("-e", "-f", "-r", "-w") else None
    at = config.programs.at(path)
    if at is None or path.startswith(("/proc/", "/sys/", "/run/", "/dev/")):
        return None
    return _is(asks, at)


def _is(asks: str, at: AtPath) -> bool | None:
    if at.exists is None or at.state == "closed":
        return None
    if asks == "-d":
        return at.state == "directory"
    if asks == "-f":
        return at.state in ("program", "file")
    if asks == "-x":
        return at.state in ("program", "directory")
    return at.exists if asks in ("-e", "-r") else None


_BUILTINS: dict[str, Callable[[HostConfig, Simple, State], tuple[State, ...]]] = {
    "echo": run_echo,
    "printf": run_echo,
    "true": _true,
    ":": _true,
    "false": _false,
    "exit": _exit,
    "set": _set,
    "test": run_test,
    "[": run_test,
}
