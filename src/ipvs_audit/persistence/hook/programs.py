"""The programs that a hook may call, and what each does to the key; others are not known.

``sysctl``: :mod:`~ipvs_audit.persistence.hook.sysctl_command`; ``modprobe``:
:mod:`~ipvs_audit.persistence.hook.modprobe_command`; ``echo``, ``tee``:
:mod:`~ipvs_audit.persistence.hook.write_commands`; what a shell does itself:
:mod:`~ipvs_audit.persistence.hook.builtins`.

A program that the host lacks fails and does nothing; of one that the evidence does not tell about,
both are followed. So is success and failure of a command that may do either.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ipvs_audit.persistence.hook import builtins
from ipvs_audit.persistence.hook.modprobe_command import run_insmod, run_modprobe
from ipvs_audit.persistence.hook.redirections import opened, writes_key_blindly
from ipvs_audit.persistence.hook.state import State, Step
from ipvs_audit.persistence.hook.sysctl_command import run_sysctl, run_systemd_sysctl
from ipvs_audit.persistence.hook.write_commands import names_key, run_echo, run_tee
from ipvs_audit.persistence.shell.streams import streams
from ipvs_audit.persistence.shell.wrapping_programs import STARTERS, is_harmless, without, wrapped
from ipvs_audit.snapshot.config_paths import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell.parser import Simple
    from ipvs_audit.snapshot.programs import Located


class Nested(Protocol):
    """Runs the command of a ``sh -c``."""

    def __call__(self, text: str, state: State, shell: str, *, errexit: bool) -> tuple[State, ...]:
        """The states that it may end in, as a shell of that name reads it."""
        ...


UDEV_PROGRAMS = "/usr/lib/udev/"
_DIRECTORIES = frozenset(
    ("", "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")
)
_SYSTEMD_SYSCTL = ("/lib/systemd/systemd-sysctl", "/usr/lib/systemd/systemd-sysctl")
_SYSTEMCTL_OPTIONS = frozenset(("-q", "--quiet", "--no-pager", "--no-ask-password", "--system"))
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh"))
#: Programs that are kmod's or procps' own where they are the very file that the host uses.
_OWN = {"sysctl": "sysctl", "modprobe": "modprobe", "insmod": "modprobe"}
#: Shells that may run a program of their own for a bare name; "": one that is not known.
_WITH_APPLETS = ("busybox", "toybox", "")
_PROGRAM_FOLDERS = ("/bin", "/sbin", "/usr", "/lib")
_SECONDS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")


def run_program(
    config: HostConfig, command: Simple, state: State, nested: Nested
) -> tuple[State, ...]:
    """Run one simple command: every state that it may end in."""
    command, why = builtins.without_assignments(command)
    if why:
        state = state.never_certain(why)
    name = command.words[0].text.rpartition("/")[2] if command.words else ""
    if _echoes_into_key(config, command, name):
        return _named(config, command, name, state, nested)
    can, why, before = opened(config, command.redirections, state)
    failed: tuple[State, ...] = (before.exits(1, f"{command.text!r}: {why}").assuming(why),)
    if builtins.is_special(name):
        # The shell ends; bash applies a `!` before it to its own status.
        failed = tuple(replace(failed[0], ended=True, status=status) for status in (1, 0))
    if can is False:
        return failed
    if not command.words:
        ends: tuple[State, ...] = (replace(before, status=0),)
    else:
        ends = _named(config, command, name, before, nested)
    if target := writes_key_blindly(config, name, command.redirections):
        why = f"what {command.text!r} writes to {target}"
        ends = tuple(end.unknown_effect(why) for end in ends)
        if name == "exec":  # what follows writes there as well
            ends = tuple(end.never_certain(why) for end in ends)
    return ends if can else (*ends, *failed)


def _echoes_into_key(config: HostConfig, command: Simple, name: str) -> bool:
    """Whether this is no more than ``echo VALUE > KEY``, which says itself what goes wrong."""
    alone = len(command.redirections) == 1 and name in ("echo", "printf")
    return alone and names_key(config, streams(command.redirections)["1"])


def _named(
    config: HostConfig, command: Simple, name: str, state: State, nested: Nested
) -> tuple[State, ...]:
    """Run what a command's first word names: the shell's own, or a program that may be missing."""
    word = command.words[0].text
    own = builtins.find(name) if "/" not in word else None
    if own is not None:
        return own(config, command, state)
    if word in ("exec", "command"):
        return _through(config, command, state, nested)
    directory = word[: word.rfind("/") + 1]
    located = config.programs.locate(word)
    usual = directory in _DIRECTORIES or word in _SYSTEMD_SYSCTL
    missing = state.lacking(located.why)
    if located.there is False:
        if name in _PROGRAMS:
            missing = missing.with_step(Step(command.text, f"cannot run: {located.why}"))
        return (missing,)
    if not usual and located.same not in _OWN.values():
        return _outside_search_path(command, state)
    if why := _not_the_own(config, word, name, located):
        ends = _unknown(state, why)
    else:
        ends = _present(config, command, name, state, nested)
    return ends if located.there else (*ends, missing.assuming(located.why))


def _through(
    config: HostConfig, command: Simple, state: State, nested: Nested
) -> tuple[State, ...]:
    """``exec`` and ``command``, which run another command."""
    word, rest = command.words[0].text, command.words[1:]
    if word == "exec" and not rest:
        return (replace(state, status=0),)
    if word == "command" and [each.text for each in rest[:-1]] == ["-v"]:
        return _looked_up(config, command, state)
    inner = without(command, 1)
    if inner is None:
        return (state.never_certain(f"what {command.text!r} does is not known to this audit"),)
    ends = run_program(config, inner, state, nested)
    return tuple(replace(end, ended=True) for end in ends) if word == "exec" else ends


def _not_the_own(config: HostConfig, word: str, name: str, located: Located) -> str:
    """Why a ``sysctl`` or ``modprobe`` is not the one that this audit knows; empty where it is."""
    if name not in _OWN:
        return ""
    if located.there and located.same != _OWN[name]:
        return located.why or f"{word}, which is not the {_OWN[name]} that this audit knows,"
    if "/" not in word and config.programs.shell in _WITH_APPLETS:
        shell = config.programs.shell or "an unknown shell"
        return f"{word} in {shell}, which may have one of its own,"
    return ""


def _present(
    config: HostConfig, command: Simple, name: str, state: State, nested: Nested
) -> tuple[State, ...]:
    """Run a program that is there."""
    word = command.words[0].text
    inner = wrapped(command, name)
    if inner is not None:
        return _inner(config, command, inner, state, nested)
    if name == "systemd-cat" and len(command.words) == 1:
        return state.either(command.text)
    if word in _SYSTEMD_SYSCTL:
        return run_systemd_sysctl(config, command, state)
    known = _PROGRAMS.get(name)
    if known is not None:
        return known(config, command, state)
    return (
        _shell(config, command, state, nested)
        if name in _SHELLS
        else _other_program(name, command, state)
    )


def _inner(
    config: HostConfig, command: Simple, inner: Simple, state: State, nested: Nested
) -> tuple[State, ...]:
    """Run what another program was given to run: it starts programs, no built-ins of a shell."""
    first = inner.words[0].text
    if first in ("echo", "printf"):  # the programs, which only print
        return state.either(command.text)
    own = first in ("exec", "command") or builtins.find(first) is not None
    if own and first not in ("true", "false"):
        return _unknown(state, f"{first}, which is the shell's own,")
    ends = run_program(config, inner, state, nested)
    kept = not command.words[0].text.endswith("systemd-cat")
    return ends if kept else tuple(replace(end, stdout=None) for end in ends)


def _looked_up(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """``command -v NAME``: whether there is such a command."""
    name = command.words[-1].text
    there = builtins.find(name) is not None or config.programs.locate(name).there
    states = replace(state, status=0, stdout=None), replace(state, status=1, stdout=None)
    if there is None:
        return (states[0], states[1].assuming(f"this host has no {name}"))
    return states[:1] if there else states[1:]


def _outside_search_path(command: Simple, state: State) -> tuple[State, ...]:
    """A program outside the usual directories: one that is not there, or unknown."""
    path = command.words[0].text
    name = path.removeprefix(UDEV_PROGRAMS)
    if name in _PROGRAMS or name in _SHELLS:
        why = f"udev looks for {name} in {UDEV_PROGRAMS} only; the rule must give its full path"
        return (state.with_step(Step(name, f"sets nothing: {why}")).exits(1, why),)
    return _other_program(path, command, state)


def _other_program(name: str, command: Simple, state: State) -> tuple[State, ...]:
    """Programs that leave the key alone, and unknown ones; they succeed or fail."""
    if name == "sleep" and all(_SECONDS.fullmatch(word.text) for word in command.words[1:]):
        return (replace(state, status=0, stdout=None),)
    rewrites = [word.text for word in command.words[1:] if _is_configuration(word.text)]
    if name == "chmod":  # what may run no longer does
        rewrites += [word.text for word in command.words if word.text.startswith(_PROGRAM_FOLDERS)]
    if rewrites:
        state = state.never_certain(f"{command.text!r} may rewrite {rewrites[0]}")
    if is_harmless(name, command):
        if name == "ipvsadm" and not state.loaded:
            state = state.never_certain(f"{command.text!r} loads ip_vs")
        return state.either(command.text)
    if name in STARTERS:
        state = state.never_certain(f"{command.text!r} starts what may run later")
    return _unknown(state, command.words[0].text)


def _is_configuration(text: str) -> bool:
    return text.startswith("/") and any(part in text for part in CONFIGURATION)


def _unknown(state: State, name: str) -> tuple[State, ...]:
    uncertain = replace(state, stdout=None).unknown_effect(f"what {name!r} does")
    return (replace(uncertain, status=0), replace(uncertain, status=1))


def _shell(config: HostConfig, command: Simple, state: State, nested: Nested) -> tuple[State, ...]:
    texts = [word.text for word in command.words[1:]]
    errexit = False
    while texts and texts[0] in ("-e", "-u", "-x"):
        errexit = errexit or texts[0] == "-e"
        texts = texts[1:]
    if len(texts) > 1 and texts[0] in ("-c", "-ec"):
        name = command.words[0].text.rpartition("/")[2]
        shell = config.programs.shell if name == "sh" else name
        return nested(texts[1], state, shell, errexit=errexit or texts[0] == "-ec")
    return _unknown(state, command.text)


def _unreachable(_host_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    why = "systemd-sysctl is not in the search path; the hook must give its full path"
    return (state.with_step(Step("systemd-sysctl", f"sets nothing: {why}")).exits(1, why),)


def _systemctl(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """``systemctl VERB systemd-sysctl`` with no option that changes what is asked of whom."""
    named = [word.text for word in command.words[1:] if word.text not in _SYSTEMCTL_OPTIONS]
    verb, units = "".join(named[:1]), {unit.removesuffix(".service") for unit in named[1:]}
    if units != {"systemd-sysctl"} or verb not in ("start", "restart", "reload-or-restart"):
        state = state.never_certain(f"what {command.text!r} starts is not known")
        return _unknown(state, command.text)
    if verb != "start":
        return run_systemd_sysctl(config, command, state, through_unit=True)
    return (
        state.with_step(Step(command.text, "sets nothing: the unit has already run at boot")).exits(
            0
        ),
    )


def _cat(_config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """``cat`` may write what it reads, which is not known."""
    if streams(command.redirections)["1"].startswith("/proc/sys/"):
        return _unknown(state, command.text)
    return _other_program("cat", command, state)


def _true(_host_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    return (replace(state, status=0, stdout=""),)


def _false(_host_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    return (state.exits(1, "'false' is called"),)


_PROGRAMS: dict[str, Callable[[HostConfig, Simple, State], tuple[State, ...]]] = {
    "sysctl": run_sysctl,
    "systemd-sysctl": _unreachable,
    "systemctl": _systemctl,
    "modprobe": run_modprobe,
    "insmod": run_insmod,
    "echo": run_echo,
    "printf": run_echo,
    "tee": run_tee,
    "cat": _cat,
    "true": _true,
    "false": _false,
    "test": builtins.run_test,
    "[": builtins.run_test,
}
