"""What udev runs when the module is added: rules on ``ACTION=="add"``, ``SUBSYSTEM=="module"``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook_programs import UDEV_PROGRAMS
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.shell_parser import Simple, Word
from ipvs_audit.snapshot.config_paths import UDEV, first_unreadable
from ipvs_audit.snapshot.sysctl_config import files_by_name
from ipvs_audit.snapshot.sysctl_key import name_matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.config_files import ConfigFile

_EVENT = {
    "ACTION": "add",
    "SUBSYSTEM": "module",
    "SUBSYSTEMS": "module",
    "KERNEL": MODULE,
    "KERNELS": MODULE,
    "DEVPATH": f"/module/{MODULE}",
    "DRIVER": "",
    "DRIVERS": "",
}
_TOKEN = re.compile(r'\s*,?\s*([A-Z_]+)(\{[^}]*\})?\s*(==|!=|\+=|-=|:=|=)\s*e?"((?:[^"\\]|\\.)*)"')
_PIECE = re.compile(r"'([^']*)'|\"([^\"]*)\"|(\S+)")
_CONCERNS = re.compile(r"ip[_-]vs|sysctl")
_JUMPS = re.compile(r"\b(GOTO|LABEL|RUN)\b")
_MATCHES = ("==", "!=")
_ALSO_MATCH = ("PROGRAM", "IMPORT", "TEST")
_SETS = ("=", ":=")
_REMOVALS = frozenset(("remove", "unbind", "offline"))


@dataclass(frozen=True, slots=True)
class Rule:
    """A program that a rule runs for ip_vs's add event.

    Attributes:
        command: the program and its arguments; udev runs no shell.
        text: as written in the rule.
        where: file and line.
        doubt: a condition whose result is not known; empty where the rule surely matches.
        own_event: whether it runs when ip_vs itself is added; else on some other event.
    """

    command: Simple
    text: str
    where: str
    doubt: str
    own_event: bool = True


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a rules file, matched against the event that adds ip_vs.

    Attributes:
        matches: nothing that is known speaks against it.
        specific: it names the device or its subsystem.
        doubt: a condition whose result is not known.
        removal_only: it matches only the removal of a device.
        runs: operator and value of each RUN, and whether that is a program.
        goto, label: of the line; mostly empty.
    """

    matches: bool
    specific: bool
    doubt: str
    removal_only: bool
    runs: tuple[tuple[str, str, bool], ...]
    goto: str
    label: str


def rules(config: HostConfig) -> tuple[Rule, ...]:
    """The programs that udev runs, in order: when ip_vs is added, or on another event.

    What ``GOTO`` jumps over, and what ``RUN=`` or ``RUN:=`` removes from the list, may run on other
    events (udev(7); systemd's src/udev/udev-rules.c).
    """
    files, _ = files_by_name(config.tree, UDEV.directories, *UDEV.endings)
    programs = _Programs()
    for file in files:
        for where, line, skipped, doubt in _reached(file):
            programs.take(where, line, skipped=skipped, doubt=doubt)
    return tuple(programs.found)


class _Programs:
    """The list that udev gathers while it goes through its rules, and runs at the end."""

    def __init__(self) -> None:
        self.found: list[Rule] = []
        self._final = False
        self._uncertain = ""

    def take(self, where: str, line: _Line, *, skipped: bool, doubt: str) -> None:
        """What one line does to the list."""
        for operator, value, is_program in line.runs:
            here = line.matches and not skipped and not self._final
            if here and operator in _SETS:
                self._reset(where, doubt or ("" if line.specific else "it names no device"))
            if is_program and value and operator != "-=" and not line.removal_only:
                own_event = here and line.specific
                also = doubt or (self._uncertain if own_event else "")
                self.found.append(Rule(_command(value), value, where, also, own_event))
            if here and operator == ":=":
                self._close(where, doubt or ("" if line.specific else "it names no device"))

    def _reset(self, where: str, doubt: str) -> None:
        if not doubt:
            self.found = [rule for rule in self.found if not rule.own_event]
            return
        why = f"{where} may remove it again: {doubt}"
        self.found = [
            replace(rule, doubt=rule.doubt or why) if rule.own_event else rule
            for rule in self.found
        ]

    def _close(self, where: str, doubt: str) -> None:
        if doubt:
            self._uncertain = self._uncertain or f"{where} may block it: {doubt}"
        else:
            self._final = True


def _reached(file: ConfigFile) -> Iterator[tuple[str, _Line, bool, str]]:
    """Each line that matters: its place, whether ip_vs's event skips it, and what is unsure."""
    lines = [
        (f"{file.path}:{line.number}", _read(line.text))
        for line in file.lines or ()
        if not line.text.lstrip().startswith("#")
        and (_CONCERNS.search(line.text) or _JUMPS.search(line.text))
    ]
    label, uncertain = "", dict[str, str]()
    for at, (where, line) in enumerate(lines, 1):
        uncertain.pop(line.label, None)
        label = "" if line.label == label else label
        doubt = line.doubt or next((f"{one} may skip it" for one in uncertain.values()), "")
        yield where, line, bool(label), doubt
        reachable = line.goto and line.matches and not label
        if reachable and any(other.label == line.goto for _, other in lines[at:]):
            if doubt:
                uncertain[line.goto] = where
            else:
                label = line.goto


def unreadable(config: HostConfig) -> str:
    """The first udev rules file or directory that could not be read; empty for none."""
    files, _ = files_by_name(config.tree, UDEV.directories, *UDEV.endings)
    hit = next(
        (file.path for file in files if file.lines is None and not file.masks and file.real), ""
    )
    return hit or first_unreadable(UDEV, config.tree.unreadable)


def _read(text: str) -> _Line:
    """Match a line against ip_vs's event.

    A rule that names no device at all is taken for another event's: snapshots of earlier versions
    do not hold what may jump over it.
    """
    doubt, specific, matches, removal_only = "", False, True, False
    runs: list[tuple[str, str, bool]] = []
    names = {"GOTO": "", "LABEL": ""}
    for key, attribute, operator, raw in _TOKEN.findall(text):
        value = raw.replace('\\"', '"')
        if key == "RUN" and operator not in _MATCHES:
            is_program = attribute in ("", "{program}") and bool(_CONCERNS.search(text))
            runs.append((operator, value, is_program))
        elif key in names:
            names[key] = value
        elif key in _EVENT and not attribute and operator in _MATCHES:
            values = value.split("|")
            removal_only = removal_only or (
                key == "ACTION" and operator == "==" and set(values) <= _REMOVALS
            )
            hit = any(name_matches(each, _EVENT[key]) for each in values)
            matches = matches and hit == (operator == "==")
            specific = specific or key in ("KERNEL", "SUBSYSTEM", "DEVPATH")
        elif operator in _MATCHES or key in _ALSO_MATCH:
            doubt = doubt or f"the result of its condition {key}{attribute} is not known"
    return _Line(matches, specific, doubt, removal_only, tuple(runs), names["GOTO"], names["LABEL"])


def _command(text: str) -> Simple:
    """A RUN value as udev splits it: at white space, with quotes, its own substitutions made."""
    filled = text.replace("%%", "%").replace("$$", "$")
    filled = filled.replace("$kernel", MODULE).replace("%k", MODULE)
    words = ["".join(piece) for piece in _PIECE.findall(filled)]
    if words and not words[0].startswith("/"):
        words[0] = f"{UDEV_PROGRAMS}{words[0]}"
    return Simple(tuple(Word(word) for word in words))
