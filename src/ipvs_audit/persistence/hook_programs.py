"""The programs that a hook may call, and what each does to the key; others are not known.

``sysctl``: :mod:`~ipvs_audit.persistence.sysctl_command`; ``modprobe``:
:mod:`~ipvs_audit.persistence.modprobe_command`; ``echo``, ``tee``:
:mod:`~ipvs_audit.persistence.write_commands`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook_state import State, Step
from ipvs_audit.persistence.modprobe_command import run_insmod, run_modprobe
from ipvs_audit.persistence.sysctl_command import run_sysctl, run_systemd_sysctl
from ipvs_audit.persistence.write_commands import (
    key_exists,
    names_key,
    redirected_to,
    run_echo,
    run_tee,
)

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell_parser import Simple

Nested = Callable[[str, State], "tuple[State, ...]"]

UDEV_PROGRAMS = "/usr/lib/udev/"
_DIRECTORIES = frozenset(
    ("", "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")
)
_SYSTEMD_SYSCTL = ("/lib/systemd/systemd-sysctl", "/usr/lib/systemd/systemd-sysctl")
_WITHOUT_EFFECT = frozenset(
    ("sleep", "logger", "date", "touch", "udevadm", "mkdir", "wall", "chmod", "chown", "sync")
)
_QUERIES = frozenset(
    ("grep", "egrep", "lsmod", "cat", "ls", "stat", "pidof", "pgrep", "ipvsadm", "ip")
)
_WRAPPERS = frozenset(("exec", "nohup", "command", "env", "nice", "ionice", "sudo", "setsid"))
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh"))


def run_program(
    config: HostConfig, command: Simple, state: State, nested: Nested
) -> tuple[State, ...]:
    """Run one simple command: every state that it may end in."""
    if not command.words:
        return (replace(state, status=0),)
    path = command.words[0].text
    directory, name = path[: path.rfind("/") + 1], path.rpartition("/")[2]
    if directory not in _DIRECTORIES:
        return _outside_search_path(config, command, state)
    inner = _wrapped(command, name)
    if inner is not None:
        ends = run_program(config, inner, state, nested)
        return tuple(replace(end, ended=True) for end in ends) if name == "exec" else ends
    known = _PROGRAMS.get(name)
    if known is not None:
        return known(config, command, state)
    return (
        _shell(command, state, nested) if name in _SHELLS else _other_program(name, command, state)
    )


def _outside_search_path(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """A program outside the search path: systemd-sysctl, one that is not there, or unknown."""
    path = command.words[0].text
    if path in _SYSTEMD_SYSCTL:
        return run_systemd_sysctl(config, command, state)
    name = path.removeprefix(UDEV_PROGRAMS)
    if name in _PROGRAMS or name in _SHELLS:
        why = f"udev looks for {name} in {UDEV_PROGRAMS} only; the rule must give its full path"
        return (state.with_step(Step(name, f"sets nothing: {why}")).exits(1, why),)
    return _unknown(state, path)


def _other_program(name: str, command: Simple, state: State) -> tuple[State, ...]:
    """Programs that leave the key alone; those that ask something may answer either way."""
    states = (replace(state, status=0, stdout=None), replace(state, status=1, stdout=None))
    if name in _QUERIES:
        return states
    return states[:1] if name in _WITHOUT_EFFECT else _unknown(state, command.words[0].text)


def _wrapped(command: Simple, name: str) -> Simple | None:
    """What a wrapper such as ``exec`` or ``timeout 5`` runs; None for no or an unclear one."""
    skipped = {"timeout": 2}.get(name, 1 if name in _WRAPPERS else 0)
    words = command.words[skipped:]
    if not skipped or not words or any(word.text.startswith("-") for word in command.words[1:2]):
        return None
    return None if "=" in words[0].text else replace(command, words=words)


def _unknown(state: State, name: str) -> tuple[State, ...]:
    uncertain = replace(state, stdout=None).unknown_effect(f"what {name!r} does")
    return (replace(uncertain, status=0), replace(uncertain, status=1))


def _shell(command: Simple, state: State, nested: Nested) -> tuple[State, ...]:
    texts = [word.text for word in command.words[1:]]
    while texts and texts[0] in ("-e", "-u", "-x"):
        texts = texts[1:]
    if len(texts) > 1 and texts[0] in ("-c", "-ec"):
        return nested(texts[1], state)
    return _unknown(state, command.text)


def _true(_host_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    return (replace(state, status=0, stdout=""),)


def _false(_host_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    return (state.exits(1, "'false' is called"),)


def _exit(_host_config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    given = [word.text for word in command.words[1:2] if word.text.isdecimal()]
    status = int(given[0][:9]) % 256 if given else state.status
    return (replace(state, status=min(status, 1), ended=True),)


def _unreachable(_host_config: HostConfig, _command: Simple, state: State) -> tuple[State, ...]:
    why = "systemd-sysctl is not in the search path; the hook must give its full path"
    return (state.with_step(Step("systemd-sysctl", f"sets nothing: {why}")).exits(1, why),)


def _systemctl(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    named = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    if {unit.removesuffix(".service") for unit in named[1:]} != {"systemd-sysctl"}:
        return _unknown(state, command.text)
    if named[0] in ("restart", "try-restart", "reload-or-restart"):
        return run_systemd_sysctl(config, command, state, through_unit=True)
    return (
        state.with_step(Step(command.text, "sets nothing: the unit has already run at boot")).exits(
            0
        ),
    )


def _test(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    texts = [word.text for word in command.words[1:] if word.text != "]"]
    asks = len(texts) == 2 and texts[0] in ("-e", "-f", "-r", "-w")  # noqa: PLR2004  # -e FILE
    if asks and names_key(config, texts[1]):
        return (replace(state, status=int(not key_exists(config, state)), stdout=""),)
    return (replace(state, status=0, stdout=None), replace(state, status=1, stdout=None))


def _cat(_host_config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """``cat`` may write what it reads, which is not known."""
    if redirected_to(command).startswith("/proc/sys/"):
        return _unknown(state, command.text)
    return (replace(state, status=0, stdout=None),)


_PROGRAMS: dict[str, Callable[[HostConfig, Simple, State], tuple[State, ...]]] = {
    "sysctl": run_sysctl,
    "systemd-sysctl": _unreachable,
    "systemctl": _systemctl,
    "modprobe": run_modprobe,
    "insmod": run_insmod,
    "echo": run_echo,
    "printf": run_echo,
    "tee": run_tee,
    "true": _true,
    ":": _true,
    "false": _false,
    "exit": _exit,
    "test": _test,
    "[": _test,
    "cat": _cat,
}
