"""What ``echo``, ``printf`` and ``tee`` write below ``/proc/sys`` when a hook calls them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook_state import State, Step
from ipvs_audit.snapshot.config_paths import CONFIGURATION
from ipvs_audit.snapshot.sysctl_key import resolved

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell_parser import Simple

_PROC_SYS = "/proc/sys/"
_OVERWRITING = (">", ">>", ">|")


def run_echo(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run ``echo`` or ``printf``, to a file or into a pipe."""
    texts = [word.text for word in command.words[1:]]
    printed = _formatted(texts)
    if command.words[0].text.endswith("echo"):
        while texts and texts[0] in ("-n", "-e", "-ne", "-en"):
            texts = texts[1:]
        printed = " ".join(texts)
    target = redirected_to(command)
    if target:
        return (write(config, f"{command.text} > {target}", printed, target, state),)
    return (replace(state, status=0, stdout=printed),)


def _formatted(texts: list[str]) -> str | None:
    """What printf prints, where it is plain to see."""
    if not texts:
        return None
    form = texts[0].removesuffix("\\n")
    if "%" not in form and "\\" not in form:
        return form
    return texts[1] if form in ("%s", "%d") and len(texts) == 2 else None  # noqa: PLR2004


def run_tee(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run ``tee``: what came through the pipe goes to each file."""
    printed, status = state.stdout, 0
    others = False
    for word in command.words[1:]:
        if not word.text.startswith("-"):
            others = others or not names_key(config, word.text)
            state = write(config, command.text, printed, word.text, state)
            status = max(status, state.status)
    end = replace(state, status=status, stdout=printed)
    if not others or status:
        return (end,)
    return end, replace(end.either(command.text)[1], stdout=printed)


def redirected_to(command: Simple) -> str:
    """The file that a command's standard output goes to; empty for none."""
    for descriptor, operator, target in reversed(command.redirections):
        if operator in _OVERWRITING and descriptor in ("", "1"):
            return target
    return ""


def names_key(config: HostConfig, path: str) -> bool:
    """Whether a path is the key's file below ``/proc/sys``."""
    return path.startswith(_PROC_SYS) and resolved(path[len(_PROC_SYS) :]) == config.key.path


def key_exists(config: HostConfig, state: State) -> bool:
    """Whether the key is there to be written."""
    return config.has_switch is not False and (state.loaded or not config.needs_module)


def write(config: HostConfig, text: str, printed: str | None, target: str, state: State) -> State:
    """Write to a file: the key, another key, configuration, or nothing of interest."""
    state = replace(state, status=0, stdout="")
    if not names_key(config, target):
        return _write_other_file(config, text, target, state)
    if not key_exists(config, state):
        why = f"{target} does not exist"
        if not state.loaded and config.needs_module:
            why += " before ip_vs is loaded"
        return state.with_step(Step(text, f"writes nothing: {why}")).exits(1, f"{text!r}: {why}")
    if printed is None:
        return state.unknown_effect(f"what {text!r} writes")
    stores = config.key.stores(printed)
    if stores is None:
        why = f"the kernel rejects {printed!r}"
        return state.with_step(Step(text, f"writes nothing: {why}")).exits(1, f"{text!r}: {why}")
    return state.after_write(Step(text, f"writes {stores}", stores))


def _write_other_file(config: HostConfig, text: str, target: str, state: State) -> State:
    """Write to a file that is not the key."""
    if any(part in target for part in CONFIGURATION):
        return state.never_certain(f"{text!r} rewrites {target}")
    if target.startswith(f"{_PROC_SYS}{config.key.path}"):
        return state.exits(1, f"{text!r}: {target!r} does not exist")
    return state
