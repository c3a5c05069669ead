"""What sets the key at boot and later beside the loaders, and the units that these boot with.

The lines that concern sysctl or ip_vs of units, crontabs, rc.local and the like, as the probe's
``late_search.sh`` and ``late_writers.sh`` chose them; of what stands between them only that it
stands there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_files import Line
from ipvs_audit.snapshot.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTION = "late-writers"
_NUMBERED = re.compile(r"([0-9]{1,9}) (.*)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class BootFile:
    """A file that may set the key.

    Attributes:
        path: where it was found.
        executable: whether it may be executed.
        lines: those that concern sysctl or ip_vs; of units also those on order and conditions, and
            the names of other settings that may matter (``ProtectKernelModules=``).
        others: numbers of lines that were not brought, the first of each run of them.
        writes: one of those may write a file whose name it does not tell.
    """

    path: str
    executable: bool = False
    lines: tuple[Line, ...] = ()
    others: tuple[int, ...] = ()
    writes: bool = False


@dataclass(frozen=True, slots=True)
class BootFiles:
    """What runs at boot and later, as far as it concerns the key.

    Attributes:
        files: by path.
        settings: files that a sysctl among them reads -> their lines that name the key.
        named: every file that a sysctl among them reads.
        units: systemd-sysctl.service and systemd-modules-load.service -> the file in effect.
        wanted: pairs of a unit and a directory that wants it: ``sysinit.target.wants``, or
            ``/run/sysinit.target.wants`` where a boot finds it no more.
        starts: pairs of a timer, path or socket unit and the unit of another name that it starts.
        aliases: pairs of a unit's other name, by which it has drop-ins, and its own.
        called: those of the files that something which runs names by their path.
        programs: paths of sysctl and modprobe, by which units and scripts may call them, and which.
        tuned: tuned's active profiles.
        extensions: directories that hold extension images (systemd-sysext, systemd-confext).
        merged: hierarchies that such images are merged into now.
        unreadable: what could not be looked into, with the reason.
        units_seen: whether units were looked for at all; a tree on disk may hold none.
    """

    files: Mapping[str, BootFile] = field(default_factory=dict)
    settings: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    wanted: tuple[tuple[str, str], ...] = ()
    programs: tuple[tuple[str, str], ...] = ()
    starts: tuple[tuple[str, str], ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    called: tuple[str, ...] = ()
    tuned: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    units_seen: bool = False


def parse_boot_files(section: Section) -> BootFiles:
    """Read the section; hosts of one image share one object.

    Raises:
        GarbledEvidenceError: it is not whole, or a line is not of its form.
    """
    return _parsed(section.output)


@lru_cache(maxsize=256)
def _parsed(output: str) -> BootFiles:
    reader = _Reader(Section(SECTION, "", output, None, 0.0))
    reader.all()
    return reader.found()


class _Reader:
    def __init__(self, section: Section) -> None:
        self.section = section
        self.files: dict[str, BootFile] = {}
        self.settings: dict[str, tuple[Line, ...]] = {}
        self.units: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {
            word: []
            for word in (
                *("named", "wanted", "program", "tuned", "extension", "merged", "unreadable"),
                *("starts", "alias", "called"),
            )
        }
        self.path = ""
        self.of_settings = False

    def all(self) -> None:
        for line in self.section.whole_lines():
            word, _, rest = line.partition(" ")
            if word in self.lists:
                self.lists[word].append(rest)
            elif word == "unit" and len(rest.split(" ", 1)) > 1:
                name, _, path = rest.partition(" ")
                self.units[name] = path
            elif word in ("file", "settings"):
                self._open(rest, settings=word == "settings")
            else:
                self._about(word, rest)

    def _open(self, path: str, *, settings: bool) -> None:
        if path in (self.settings if settings else self.files):
            raise self.section.garbled(f"{path!r} is listed twice")
        self.path, self.of_settings = path, settings
        if settings:
            self.settings[path] = ()
        else:
            self.files[path] = BootFile(path)

    def _about(self, word: str, rest: str) -> None:
        numbered = _NUMBERED.fullmatch(rest)
        if not self.path:
            raise self.section.garbled(f"line {word[:40]!r} is not of its form")
        if word == "line" and numbered and self.of_settings:
            line = Line(int(numbered[1]), numbered[2])
            self.settings[self.path] = (*self.settings[self.path], line)
            return
        file = self.files.get(self.path)
        if file is None or self.of_settings:
            raise self.section.garbled(f"line {word[:40]!r} is not of its form")
        if word == "line" and numbered:
            file = replace(file, lines=(*file.lines, Line(int(numbered[1]), numbered[2])))
        elif word == "other" and _NUMBER.fullmatch(rest):
            file = replace(file, others=(*file.others, int(rest)))
        elif word == "writes" and _NUMBER.fullmatch(rest):
            file = replace(file, writes=True)
        elif word == "exec" and not rest:
            file = replace(file, executable=True)
        elif word == "unread":
            self.lists["unreadable"].append(f"{self.path}: {rest}")
        else:
            raise self.section.garbled(f"line {word[:40]!r} is not of its form")
        self.files[self.path] = file

    def _pairs(self, word: str) -> tuple[tuple[str, str], ...]:
        pairs = (each.partition(" ") for each in self.lists[word])
        return tuple((first, second) for first, _, second in pairs)

    def found(self) -> BootFiles:
        return BootFiles(
            files=self.files,
            settings=self.settings,
            named=tuple(dict.fromkeys(self.lists["named"])),
            units=self.units,
            wanted=self._pairs("wanted"),
            programs=self._pairs("program"),
            starts=self._pairs("starts"),
            aliases=self._pairs("alias"),
            called=tuple(self.lists["called"]),
            tuned=tuple(word for each in self.lists["tuned"] for word in each.split()),
            extensions=tuple(self.lists["extension"]),
            merged=tuple(self.lists["merged"]),
            unreadable=tuple(self.lists["unreadable"]),
            units_seen=True,
        )
