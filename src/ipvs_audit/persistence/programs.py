"""What the programs that hooks call do to the key: modprobe, echo, tee and the small ones.

``sysctl`` and ``systemd-sysctl`` have :mod:`~ipvs_audit.persistence.sysctl_command`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.state import State, Step
from ipvs_audit.persistence.subject import MODULE
from ipvs_audit.persistence.sysctl_command import run_sysctl, run_systemd_sysctl
from ipvs_audit.snapshot.modprobe_config import underscored
from ipvs_audit.snapshot.sysctl_key import resolved

if TYPE_CHECKING:
    from ipvs_audit.persistence.shell import Simple, Word
    from ipvs_audit.persistence.subject import Subject

Nested = Callable[[str, State], "tuple[State, ...]"]

_DIRECTORIES = frozenset(
    ("", "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")
)
_SYSTEMD_SYSCTL = ("/lib/systemd/systemd-sysctl", "/usr/lib/systemd/systemd-sysctl")
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh"))
_QUIET = frozenset(
    ("sleep", "logger", "date", "touch", "udevadm", "mkdir", "wall", "chmod", "chown", "sync")
)
_ASKING = frozenset(
    ("test", "[", "grep", "egrep", "lsmod", "cat", "ls", "stat", "pidof", "pgrep", "ipvsadm", "ip")
)
_WRAPPERS = frozenset(("exec", "nohup", "command", "env", "nice", "ionice", "sudo", "setsid"))
_PROC_SYS = "/proc/sys/"


def run_program(
    subject: Subject, command: Simple, state: State, nested: Nested
) -> tuple[State, ...]:
    """Run one simple command: every state that it may end in."""
    if not command.words:
        return (replace(state, status=0),)
    path = command.words[0].text
    directory, name = path[: path.rfind("/") + 1], path.rpartition("/")[2]
    arguments = command.words[1:]
    if path in _SYSTEMD_SYSCTL:
        return run_systemd_sysctl(subject, command, state)
    if directory not in _DIRECTORIES:
        return _unknown(state, path)
    if name in _WRAPPERS and arguments and not arguments[0].text.startswith("-"):
        inner = replace(command, words=arguments)
        if "=" in arguments[0].text:
            return _unknown(state, path)
        ends = run_program(subject, inner, state, nested)
        return tuple(replace(end, ended=True) for end in ends) if name == "exec" else ends
    if name == "timeout" and len(arguments) > 1 and not arguments[0].text.startswith("-"):
        return run_program(subject, replace(command, words=arguments[1:]), state, nested)
    if name in _SHELLS:
        return _shell(arguments, state, nested, path)
    if name == "sysctl":
        return run_sysctl(subject, command, state)
    return _simple(subject, name, command, state)


def _simple(subject: Subject, name: str, command: Simple, state: State) -> tuple[State, ...]:
    texts = [word.text for word in command.words[1:]]
    if name in ("modprobe", "insmod"):
        return (_modprobe if name == "modprobe" else _insmod)(subject, command.text, texts, state)
    if name in ("echo", "printf"):
        return _prints(subject, name, command, state)
    if name == "tee":
        return _tee(subject, command, texts, state)
    if name in ("true", ":"):
        return (replace(state, status=0, fed=""),)
    if name == "false":
        return (state.exits(1, "'false' is called"),)
    if name == "exit":
        status = int(texts[0]) if texts and texts[0].isdigit() else state.status
        return (replace(state, status=min(status, 1), ended=True),)
    if name == "systemctl":
        return _systemctl(subject, command, texts, state)
    if name == "systemd-sysctl":
        return (
            state.exits(1, "systemd-sysctl is not in the search path; its path must be written"),
        )
    if name in _QUIET:
        return (replace(state, status=0, fed=None),)
    if name in _ASKING:
        return _asks(subject, name, texts, state)
    return _unknown(state, command.words[0].text)


def _unknown(state: State, name: str) -> tuple[State, ...]:
    unsure = replace(state, fed=None).unsure(f"what {name!r} does is not known to this audit")
    return (replace(unsure, status=0), replace(unsure, status=1))


def _shell(
    arguments: tuple[Word, ...], state: State, nested: Nested, path: str
) -> tuple[State, ...]:
    texts = [word.text for word in arguments]
    while texts and texts[0] in ("-e", "-u", "-x"):
        texts = texts[1:]
    if len(texts) > 1 and texts[0] in ("-c", "-ec"):
        return tuple(replace(end, ended=False) for end in nested(texts[1], state))
    return _unknown(state, " ".join([path, *texts[:1]]))


def _modprobe(subject: Subject, text: str, texts: list[str], state: State) -> tuple[State, ...]:
    ignoring, removing, dry = False, False, False
    modules: list[str] = []
    for word in texts:
        if word.startswith("--") and len(word) > 2:  # noqa: PLR2004  # "--" alone ends options
            ignoring = ignoring or (
                len(word) > len("--ignore-i") - 1 and "--ignore-install".startswith(word)
            )
            removing = removing or "--remove".startswith(word)
            dry = dry or word in ("--dry-run", "--show-depends", "--show", "--showconfig")
        elif word.startswith("-") and word != "--":
            ignoring = ignoring or "i" in word
            removing = removing or "r" in word
            dry = dry or "n" in word or "D" in word or "c" in word
        elif word != "--":
            modules.append(underscored(word))
    module = modules[0] if modules else ""
    if dry or not module:
        return (replace(state, status=0, fed=None),)
    if removing:
        return (_removed(state) if module == MODULE else replace(state, status=0),)
    if state.loaded or not module.startswith((MODULE, "xt_ipvs")):
        return (replace(state, status=0, fed=None),)
    if module == MODULE and subject.modprobe.first("alias", MODULE) is not None:
        alias = subject.modprobe.first("alias", MODULE)
        where = alias.where if alias else ""
        return _unknown(state, f"modprobe {MODULE}, which {where} makes an alias,")
    if module == MODULE and ignoring:
        return (_loads(subject, state, text),)
    if subject.modprobe.bypass(MODULE) is not None:
        return (_loads(subject, state, text),)
    return (
        state.broken(f"{text!r} has no --ignore-install, so it runs the hook again, without end"),
    )


def _loads(subject: Subject, state: State, text: str) -> State:
    value = 1 if subject.has_switch is not False else None
    told = Step(text, "loads ip_vs; the key starts at 1")
    if not subject.needs_module:
        return replace(state, loaded=True, status=0, fed=None)
    return replace(
        state,
        loaded=True,
        value=value,
        doubt="",
        written=False,
        status=0,
        fed=None,
        steps=(*state.steps, told),
    )


def _removed(state: State) -> State:
    return replace(state, loaded=False, value=None, doubt="", written=False, status=0)


def _insmod(subject: Subject, text: str, texts: list[str], state: State) -> tuple[State, ...]:
    named = [word for word in texts if not word.startswith("-")]
    file = named[0].rpartition("/")[2] if named else ""
    if file.partition(".")[0] != MODULE:
        return (replace(state, status=0, fed=None),)
    if state.loaded:
        return (state.exits(1, "ip_vs is loaded already"),)
    return (_loads(subject, state, text),)


def _prints(subject: Subject, name: str, command: Simple, state: State) -> tuple[State, ...]:
    texts = [word.text for word in command.words[1:]]
    if name == "echo":
        while texts and texts[0] in ("-n", "-e", "-ne", "-en"):
            texts = texts[1:]
        printed: str | None = " ".join(texts)
    else:
        printed = _formatted(texts)
    for descriptor, operator, target in reversed(command.redirections):
        if operator in (">", ">>", ">|") and descriptor in ("", "1"):
            return _writes(subject, command.text, printed, target, state)
    return (replace(state, status=0, fed=printed),)


def _formatted(texts: list[str]) -> str | None:
    """What printf prints, where it is plain to see."""
    if not texts:
        return None
    form = texts[0].removesuffix("\\n")
    if "%" not in form and "\\" not in form:
        return form
    return texts[1] if form in ("%s", "%d") and len(texts) == 2 else None  # noqa: PLR2004


def _writes(
    subject: Subject, text: str, printed: str | None, target: str, state: State
) -> tuple[State, ...]:
    """Write to a file: the key, another key, or nothing of interest."""
    if not target.startswith(_PROC_SYS):
        if "/sysctl." in target or "/modprobe.d" in target:
            return (state.unsure(f"the hook rewrites {target}"),)
        return (replace(state, status=0, fed=""),)
    if resolved(target.removeprefix(_PROC_SYS)) != subject.key.path:
        return (replace(state, status=0, fed=""),)
    state = replace(state, fed="")
    if not _key_exists(subject, state):
        why = (
            f"{target} does not exist" if state.loaded else f"{target} exists once ip_vs is loaded"
        )
        return (state.told(Step(text, f"writes nothing: {why}")).exits(1, why),)
    if printed is None:
        return (state.unsure(f"what {text!r} writes is not known"),)
    stores = subject.key.stores(printed)
    if stores is None:
        why = f"the kernel refuses {printed!r}"
        return (state.told(Step(text, f"writes nothing: {why}")).exits(1, why),)
    return (state.wrote(stores, Step(f"{text} > {target}", f"writes {stores}")).exits(0),)


def _key_exists(subject: Subject, state: State) -> bool:
    return subject.has_switch is not False and (state.loaded or not subject.needs_module)


def _tee(subject: Subject, command: Simple, texts: list[str], state: State) -> tuple[State, ...]:
    states: tuple[State, ...] = (replace(state, status=0),)
    printed = state.fed
    for target in (word for word in texts if not word.startswith("-")):
        states = tuple(
            end for each in states for end in _writes(subject, command.text, printed, target, each)
        )
    return states


def _systemctl(
    subject: Subject, command: Simple, texts: list[str], state: State
) -> tuple[State, ...]:
    named = [word for word in texts if not word.startswith("-")]
    units = {word.removesuffix(".service") for word in named[1:]}
    if units == {"systemd-sysctl"}:
        if named[0] in ("restart", "try-restart", "reload-or-restart"):
            return run_systemd_sysctl(subject, command, state, through_unit=True)
        return (state.told(Step(command.text, "does nothing: the unit has run at boot")).exits(0),)
    return _unknown(state, command.text)


def _asks(subject: Subject, name: str, texts: list[str], state: State) -> tuple[State, ...]:
    target = texts[1] if name in ("test", "[") and len(texts) > 1 else ""
    if (
        texts[:1] in (["-e"], ["-f"], ["-w"], ["-r"])
        and len(texts) in (2, 3)
        and resolved(target.removeprefix(_PROC_SYS)) == subject.key.path
    ):
        return (replace(state, status=int(not _key_exists(subject, state)), fed=""),)
    return (replace(state, status=0, fed=None), replace(state, status=1, fed=None))
