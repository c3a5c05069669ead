"""What udev runs when the module is added: rules on ``ACTION=="add"``, ``SUBSYSTEM=="module"``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.persistence.programs import UDEV
from ipvs_audit.persistence.shell import Simple, Word
from ipvs_audit.persistence.subject import MODULE
from ipvs_audit.snapshot.sysctl_config import by_name
from ipvs_audit.snapshot.sysctl_key import name_matches

if TYPE_CHECKING:
    from ipvs_audit.persistence.subject import Subject

DIRECTORIES = (
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
)
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
_MATCHES = ("==", "!=")
_LEAVING = frozenset(("remove", "unbind", "offline"))


@dataclass(frozen=True, slots=True)
class Rule:
    """A program that a rule runs for ip_vs's add event.

    Attributes:
        command: the program and its arguments; udev runs no shell.
        text: as written in the rule.
        where: file and line.
        doubt: a condition whose outcome is not known; empty where the rule surely matches.
        ours: whether it runs when ip_vs itself is added; else on some other event.
    """

    command: Simple
    text: str
    where: str
    doubt: str
    ours: bool = True


def rules(subject: Subject) -> tuple[Rule, ...]:
    """The programs that udev runs, in order: when ip_vs is added, or on another event."""
    files, _ = by_name(subject.tree, DIRECTORIES, ".rules")
    found: list[Rule] = []
    for file in files:
        for line in file.lines or ():
            if _CONCERNS.search(line.text) is None:
                continue
            where = f"{file.path}:{line.number}"
            ours, doubt, assigned = _read(line.text)
            if ours is None:
                continue
            for key, operator, value in assigned:
                if key == "RUN" and operator in ("=", ":=") and ours and not doubt:
                    found = [rule for rule in found if not rule.ours]
                if key == "RUN" and operator != "-=" and value:
                    found.append(Rule(_command(value), value, where, doubt, ours))
    return tuple(found)


def unreadable(subject: Subject) -> str:
    """The first udev rules file or directory that could not be read; empty for none."""
    files, _ = by_name(subject.tree, DIRECTORIES, ".rules")
    hit = next(
        (file.path for file in files if file.lines is None and not file.masks and file.real), ""
    )
    return hit or next(
        (text for text in subject.tree.unreadable if "rules.d" in text.partition(":")[0]), ""
    )


def _read(text: str) -> tuple[bool | None, str, list[tuple[str, str, str]]]:
    """Whether a rule matches ip_vs's event, what is unsure about it, and what it assigns.

    None in the first place for a comment, and for what runs only when something is removed. A rule
    that names no device at all may stand behind a GOTO, and is taken for another event's.
    """
    if text.lstrip().startswith("#"):
        return None, "", []
    doubt, specific, ours = "", False, True
    assigned: list[tuple[str, str, str]] = []
    for key, attribute, operator, raw in _TOKEN.findall(text):
        value = raw.replace('\\"', '"')
        if operator not in _MATCHES:
            if attribute in ("", "{program}"):
                assigned.append((key, operator, value))
            continue
        if key in _EVENT and not attribute:
            wanted = value.split("|")
            if key == "ACTION" and operator == "==" and set(wanted) <= _LEAVING:
                return None, "", []
            hit = any(name_matches(each, _EVENT[key]) for each in wanted)
            ours = ours and hit == (operator == "==")
            specific = specific or key in ("KERNEL", "SUBSYSTEM", "DEVPATH")
        else:
            doubt = doubt or f"its condition {key}{attribute} is not known to this audit"
    return ours and specific, doubt, assigned


def _command(text: str) -> Simple:
    """A RUN value as udev splits it: at white space, with quotes, its own substitutions made."""
    filled = text.replace("%%", "%").replace("$$", "$")
    filled = filled.replace("$kernel", MODULE).replace("%k", MODULE)
    words = ["".join(piece) for piece in _PIECE.findall(filled)]
    if words and not words[0].startswith("/"):
        words[0] = f"{UDEV}{words[0]}"
    return Simple(tuple(Word(word) for word in words))
