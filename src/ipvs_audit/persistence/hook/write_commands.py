"""What ``echo``, ``printf`` and ``tee`` write below ``/proc/sys`` when a hook calls them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.state import State, Step
from ipvs_audit.persistence.shell.streams import UNKNOWN, streams
from ipvs_audit.snapshot.config_paths import CONFIGURATION

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.shell.parser import Simple

_PROC_SYS = "/proc/sys/"
#: What makes a path lead elsewhere than it reads: patterns, empty and dotted parts.
_NOT_PLAIN = re.compile(r"[*?[]|//|(^|/)\.\.?(/|$)")
_BASH_OPTION = re.compile(r"-[neE]+")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,9})")
_TEE_OPTIONS = ("-a", "-i", "-ai", "-ia", "--append", "--ignore-interrupts")


def run_echo(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run ``echo`` or ``printf``, to a file or into a pipe."""
    texts = [word.text for word in command.words[1:]]
    if command.words[0].text.endswith("echo"):
        own = "/" not in command.words[0].text
        printed = _echoed(texts, config.programs.shell if own else "")
    elif texts[:1] and texts[0].startswith("-") and texts[0] != "--":
        return (state.never_certain(f"what {command.text!r} does is not known"),)
    else:
        printed = _formatted(texts[1:] if texts[:1] == ["--"] else texts)
    if any(word.pattern for word in command.words[1:]):
        printed = None
    target = streams(command.redirections)["1"]
    if target == "stdout":
        return (replace(state, status=0, stdout=printed),)
    if target == "stderr":
        return (replace(state, status=0, stdout=""),)
    if target == UNKNOWN:
        return state.either(command.text)
    return (write(config, f"{command.text} > {target}", printed, target, state),)


def _echoed(texts: list[str], shell: str) -> str | None:
    """What echo prints in a shell; None where that is not known.

    dash takes one ``-n`` and expands backslashes, bash takes ``-n``, ``-e`` and ``-E``.
    """
    if texts[:1] == ["-n"]:
        texts = texts[1:]
    if shell == "bash":
        while texts and _BASH_OPTION.fullmatch(texts[0]):
            texts = texts[1:]
    elif shell != "dash" and texts[:1] and re.match(r"-[a-zA-Z-]", texts[0]):
        return None
    printed = " ".join(texts)
    return None if "\\" in printed else printed


def _formatted(texts: list[str]) -> str | None:
    """What printf prints, where it is plain to see."""
    if not texts:
        return None
    form = texts[0].removesuffix("\\n")
    if "%" not in form and "\\" not in form:
        return form
    if form not in ("%s", "%d") or len(texts) != 2:  # noqa: PLR2004
        return None
    return texts[1] if form == "%s" or _DECIMAL.fullmatch(texts[1]) else None


def run_tee(config: HostConfig, command: Simple, state: State) -> tuple[State, ...]:
    """Run ``tee``: what came through the pipe goes to each file."""
    leads = streams(command.redirections)
    options = [word.text for word in command.words[1:] if word.text.startswith("-")]
    # Nothing that came, or from elsewhere than the pipe, is not followed.
    printed = (state.stdout or None) if leads["0"] == "stdin" else None
    if not all(option in _TEE_OPTIONS for option in options):
        return state.unknown_effect(f"what {command.text!r} writes").either(command.text)
    status, others = 0, False
    for word in command.words[1:]:
        if not word.text.startswith("-"):
            others = others or not names_key(config, word.text)
            state = write(config, command.text, printed, word.text, state)
            status = max(status, state.status)
    passed = {"stdout": printed, UNKNOWN: None}.get(leads["1"], "")
    end = replace(state, status=status, stdout=passed)
    if not others or status:
        return (end,)
    return end, replace(end.either(command.text)[1], stdout=passed)


def names_key(config: HostConfig, path: str) -> bool:
    """Whether a path is the key's file, in its one plain spelling."""
    return path == f"{_PROC_SYS}{config.key.path}"


def may_name_key(config: HostConfig, path: str) -> bool:
    """Whether another spelling of a path may lead to the key: a pattern, ``..``, another /proc."""
    if names_key(config, path) or path == "/dev/null":
        return False
    plain = path.startswith("/") and not _NOT_PLAIN.search(path)
    if plain and path.startswith(_PROC_SYS):
        return False  # there are no links below it
    key = config.key.path.rpartition("/")[2]
    return key in path or "proc" in path.split("/") or not plain


def key_exists(config: HostConfig, state: State) -> bool:
    """Whether the key is there to be written."""
    return config.has_switch is not False and (state.loaded or not config.needs_module)


def write(config: HostConfig, text: str, printed: str | None, target: str, state: State) -> State:
    """Write to a file: the key, another key, configuration, or nothing of interest."""
    state = replace(state, status=0, stdout="")
    if not names_key(config, target):
        return _write_other_file(config, text, printed, target, state)
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


def _write_other_file(
    config: HostConfig, text: str, printed: str | None, target: str, state: State
) -> State:
    """Write to a file that is not the key."""
    if any(part in target for part in CONFIGURATION):
        return state.never_certain(f"{text!r} rewrites {target}")
    if target.startswith(f"{_PROC_SYS}{config.key.path}"):
        return state.exits(1, f"{text!r}: {target!r} does not exist")
    known = target.startswith((_PROC_SYS, "/sys/")) or target == "/dev/null"
    number = printed is not None and config.key.stores(printed) is not None
    if may_name_key(config, target) or (number and not known):  # it may be a link to the key
        return state.unknown_effect(f"whether {text!r} writes the key through {target}")
    return state
