"""What udev runs when the module is added: rules on ``ACTION=="add"``, ``SUBSYSTEM=="module"``.

Source: udev(7); systemd's src/udev/udev-rules.c, as in :mod:`~ipvs_audit.persistence.udev.line`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.shell.parser import Simple
from ipvs_audit.persistence.shell.words import Word
from ipvs_audit.persistence.udev.command import read_command
from ipvs_audit.persistence.udev.line import JOINS_SINCE, read_udev_line
from ipvs_audit.snapshot.config_paths import UDEV, first_unreadable
from ipvs_audit.snapshot.sysctl_config import files_by_name
from ipvs_audit.snapshot.sysctl_key import loader_path, name_matches, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.udev.line import Part
    from ipvs_audit.snapshot.config_files import ConfigFile, Line

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
_CONCERNS = re.compile(r"ip[_-]?vs|sysctl|SYSCTL|run_estimation")
_JUMPS = re.compile(r"\b(GOTO|LABEL|RUN)\b")
_SETS = ("=", ":=")
_RESULTS = ("PROGRAM", "IMPORT")


@dataclass(frozen=True, slots=True)
class Rule:
    """A program that a rule runs for ip_vs's add event.

    Attributes:
        command: the program and its arguments; udev runs no shell.
        text: as written in the rule.
        where: file and line.
        doubt: a condition whose result is not known; empty where the rule surely matches.
        unclear: why what the command is, or does to its end, is not known; empty where it is.
        own_event: whether it runs when ip_vs itself is added; else on some other event.
        at_once: whether it is done while the rules are read, before all programs of RUN.
    """

    command: Simple
    text: str
    where: str
    doubt: str
    own_event: bool = True
    at_once: bool = False
    unclear: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """A RUN, or what is done while the line is read (SYSCTL, PROGRAM, IMPORT).

    Attributes:
        operator: ``+=`` adds to the list, ``=`` and ``:=`` replace it.
        value: as written.
        command: what runs; None where that is nothing of interest.
        at_once: it is done while udev reads the line, so that nothing removes it again.
        unclear: why what udev makes of the command is not known; empty where it is.
    """

    operator: str
    value: str
    command: Simple | None
    at_once: bool = False
    unclear: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a rules file, matched against the event that adds ip_vs.

    Attributes:
        matches: nothing that is known speaks against it.
        specific: it names the device or its subsystem.
        doubt: a condition whose result is not known.
        runs: what it runs.
        goto, label: of the line; mostly empty.
        discarded: why udev throws the line away.
    """

    matches: bool = False
    specific: bool = False
    doubt: str = ""
    runs: tuple[_Run, ...] = ()
    goto: str = ""
    label: str = ""
    discarded: str = ""


def rules(config: HostConfig) -> tuple[Rule, ...]:
    """The programs that udev runs, in order: when ip_vs is added, or on another event.

    What ``GOTO`` jumps over, and what ``RUN=`` or ``RUN:=`` removes from the list, may run on other
    events (udev(7); systemd's src/udev/udev-rules.c).
    """
    files, _ = files_by_name(config.tree, UDEV.directories, *UDEV.endings)
    programs = _Programs()
    for file in files:
        for where, line, skipped, doubt in _reached(file, config.loaders.systemd_version):
            programs.take(where, line, skipped=skipped, doubt=doubt)
    return tuple(sorted(programs.found, key=lambda rule: not rule.at_once))


def discarded(config: HostConfig) -> tuple[str, ...]:
    """The lines on ip_vs or sysctl that udev throws away: place and reason, a sentence each."""
    files, _ = files_by_name(config.tree, UDEV.directories, *UDEV.endings)
    found = (
        (f"{file.path}:{line.number}", read_udev_line(line.text, config.loaders.systemd_version))
        for file in files
        for line in file.lines or ()
        if not line.text.lstrip().startswith("#") and _CONCERNS.search(line.text)
    )
    return tuple(
        f"udev ignores {where}: {line.discarded}" for where, line in found if line.discarded
    )


class _Programs:
    """The list that udev gathers while it goes through its rules, and runs at the end."""

    def __init__(self) -> None:
        self.found: list[Rule] = []
        self._final = False
        self._uncertain = ""

    def take(self, where: str, line: _Line, *, skipped: bool, doubt: str) -> None:
        """What one line does to the list."""
        for run in line.runs:
            here = line.matches and not skipped and (run.at_once or not self._final)
            if here and run.operator in _SETS:
                self._reset(where, doubt or ("" if line.specific else "it names no device"))
            if run.command is not None:
                own_event = here and line.specific
                also = doubt or (self._uncertain if own_event and not run.at_once else "")
                rule = Rule(
                    run.command, run.value, where, also, own_event, run.at_once, run.unclear
                )
                self.found.append(rule)
            if here and run.operator == ":=":
                self._close(where, doubt or ("" if line.specific else "it names no device"))

    def _reset(self, where: str, doubt: str) -> None:
        if not doubt:
            self.found = [rule for rule in self.found if rule.at_once or not rule.own_event]
            return
        why = f"{where} may remove it again: {doubt}"
        self.found = [
            replace(rule, doubt=rule.doubt or why) if rule.own_event and not rule.at_once else rule
            for rule in self.found
        ]

    def _close(self, where: str, doubt: str) -> None:
        if doubt:
            self._uncertain = self._uncertain or f"{where} may block it: {doubt}"
        else:
            self._final = True


def _reached(file: ConfigFile, version: int | None) -> Iterator[tuple[str, _Line, bool, str]]:
    """Each line that matters: its place, whether ip_vs's event skips it, and what is unsure."""
    lines = [
        (f"{file.path}:{line.number}", _read(line, version))
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


def _read(source: Line, version: int | None) -> _Line:
    """Match a line against ip_vs's event.

    A rule that names no device at all is taken for another event's: the probe does not bring what
    may jump over it.
    """
    text = source.text
    line = read_udev_line(text, version)
    if line.discarded:
        return _Line(discarded=line.discarded)
    joins = _joining_doubt(source, version)
    doubt, specific, matches = line.doubt or joins, False, True
    runs: list[_Run] = []
    jumps = {"GOTO": "", "LABEL": ""}
    for part in line.parts:
        if part.key in jumps:
            jumps[part.key] = part.value
        elif part.key in _EVENT:
            values = part.value.split("|")
            hit = any(name_matches(each, _EVENT[part.key]) for each in values)
            matches = matches and hit == (part.operator == "==")
            specific = specific or part.key in ("KERNEL", "SUBSYSTEM", "DEVPATH")
        elif (run := _run_of(part, version, concerns=bool(_CONCERNS.search(text)))) is not None:
            runs.append(run)
        elif part.matching or part.key in _RESULTS:
            doubt = doubt or f"the result of its condition {part.named} is not known"
        if part.key in _RESULTS and part.attribute in (None, "program"):
            command, why = read_command(part.value, version)
            runs.append(_Run("+=", part.value, command, at_once=True, unclear=why))
    if joins:
        runs = [replace(run, unclear=run.unclear or joins) for run in runs]
    return _Line(matches, specific, doubt, tuple(runs), jumps["GOTO"], jumps["LABEL"])


def _joining_doubt(line: Line, version: int | None) -> str:
    """Why it is not certain how udev joins the lines of a continued one; empty where it is."""
    if not line.joined or (line.joined == "old" and (version or 0) >= JOINS_SINCE):
        return ""
    which = "udev" if version is None else f"udev of systemd {version}"
    return f"how {which} joins the lines, with a comment or a blank line among them, is not known"


def _run_of(part: Part, version: int | None, *, concerns: bool) -> _Run | None:
    """What a part does to the list of programs, or to a key directly; None for neither."""
    if part.key == "RUN":
        is_program = part.attribute != "builtin" and concerns and bool(part.value)
        command, why = read_command(part.value, version) if is_program else (None, "")
        return _Run(part.operator, part.value, command, unclear=why)
    if part.key == "SYSCTL" and not part.matching:
        path = resolved(loader_path(part.attribute or ""))
        write = Simple((Word("echo"), Word(part.value)), (("", ">", f"/proc/sys/{path}"),))
        return _Run("+=", f'{part.named}="{part.value}"', write, at_once=True)
    return None
