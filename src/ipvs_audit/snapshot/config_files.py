"""The files that sysctl, modprobe, udev and systemd's module loader read, as the probe saw them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from ipvs_audit.snapshot.errors import GarbledEvidenceError
from ipvs_audit.snapshot.running_values import SECTION as RUNNING_VALUES
from ipvs_audit.snapshot.running_values import Compared, parse_running_values
from ipvs_audit.snapshot.section import Section, number, unescaped_path

if TYPE_CHECKING:
    from collections.abc import Mapping


Joined = Literal["", "old", "open"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, without its end. Continued lines are joined, numbered as the first.

    Attributes:
        number: from 1.
        text: the line.
        joined: ``old`` where udev before systemd 243 joins it otherwise, for a comment within;
            ``open`` where it is not certain how any does, for a blank line or the end of the file.
    """

    number: int
    text: str
    joined: Joined = ""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file at the path where a loader finds it.

    Attributes:
        path: e.g. ``/etc/sysctl.d/99-sysctl.conf``; the name decides order and masking.
        real: the path after all symlinks; ``/dev/null`` masks; empty for a dangling link.
        uid, gid: numeric owner of the real file.
        mode: permission bits of the real file, e.g. ``0o644``.
        size: bytes.
        sha256: of the whole content; empty where not read.
        lines: the lines that matter, in order: of sysctl files all that are neither blank nor
            comment; of modprobe, udev and modules-load files those that concern ip_vs or sysctl,
            and of udev's also what jumps. None where the file could not be read.
    """

    path: str
    real: str
    uid: int
    gid: int
    mode: int
    size: int
    sha256: str
    lines: tuple[Line, ...] | None

    @property
    def masks(self) -> bool:
        """Whether this entry exists to hide files of the same name in later directories."""
        return self.real == "/dev/null"


@dataclass(frozen=True, slots=True)
class ConfigTree:
    """All configuration that decides whether the value persists.

    Attributes:
        files: by path.
        keys: for the other keys that sysctl lines set, whether ``/proc/sys`` has them now
            (dotted or slashed spelling as written in the file -> exists); globs are left out.
        cmdline: the words of ``/proc/cmdline`` that concern modules or sysctl.
        unreadable: directories and files that could not be read, with the reason.
        ignored: files that concern ip_vs and that no loader reads: those in ``/etc/sysctl.d`` and
            ``/etc/modprobe.d`` with another ending, and all in a directory with a misspelt name.
        running: how each line of a sysctl file compares with the running value, by path and number
            of the line; what is not in it was not compared.
    """

    files: Mapping[str, ConfigFile] = field(default_factory=dict)
    keys: Mapping[str, bool] = field(default_factory=dict)
    cmdline: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    running: Mapping[tuple[str, int], Compared] = field(default_factory=dict)

    def under(self, *directories: str) -> tuple[ConfigFile, ...]:
        """The files directly in these directories, in the order given, then by name."""
        return tuple(
            self.files[path]
            for directory in directories
            for path in sorted(self.files)
            if path.rpartition("/")[0] == directory
        )


#: The sections that hold files; the last is there only where a hook names files of its own.
FILE_SECTIONS = ("sysctl", "modprobe", "udev", "modules-load", "sysctl-named")

_LINES: dict[str, Joined] = {"line": "", "line-old": "old", "line-open": "open"}
_NUMBERED = re.compile(r"([0-9]{1,9}) (.*)", re.DOTALL)
#: Directories of one kind that are links: the probe looks at half a dozen.
_MOST_ALIASES = 32


#: Sections that the configuration is read from.
_SECTIONS = (*FILE_SECTIONS, "keys", "cmdline", RUNNING_VALUES)


def parse_config_files(sections: Mapping[str, Section]) -> ConfigTree:
    """The configuration, from the probe's sections by name.

    Hosts of one image say the same, word for word: they share one tree, which nobody changes.

    Raises:
        GarbledEvidenceError: a section is missing, not whole, or not of its form.
    """
    return _parsed(tuple((name, sections[name].output) for name in _SECTIONS if name in sections))


@lru_cache(maxsize=256)
def _parsed(outputs: tuple[tuple[str, str], ...]) -> ConfigTree:
    sections = {name: Section(name, "", output, None, 0.0) for name, output in outputs}
    files: dict[str, ConfigFile] = {}
    unreadable: list[str] = []
    ignored: list[str] = []
    for name in FILE_SECTIONS:
        if name not in sections and name == FILE_SECTIONS[-1]:
            continue
        read = _Reader(_section(sections, name))
        read.all()
        files.update(read.files)
        unreadable.extend(read.unreadable)
        ignored.extend(read.ignored)
    keys = _section(sections, "keys")
    known = {}
    for line in keys.whole_lines():
        answer, _, key = line.partition(" ")
        if answer not in ("yes", "no"):
            raise keys.garbled_line(line)
        known[key] = answer == "yes"
    return ConfigTree(
        files=files,
        keys=known,
        cmdline=_section(sections, "cmdline").whole_lines(),
        unreadable=tuple(unreadable),
        ignored=tuple(ignored),
        running=parse_running_values(_section(sections, RUNNING_VALUES)),
    )


def _section(sections: Mapping[str, Section], name: str) -> Section:
    try:
        return sections[name]
    except KeyError:
        raise GarbledEvidenceError(name, "the probe did not bring it") from None


class _Reader:
    """Reads one section of files: ``file PATH``, and what follows about it, line by line."""

    def __init__(self, section: Section) -> None:
        self.section = section
        self.files: dict[str, ConfigFile] = {}
        self.unreadable: list[str] = []
        self.ignored: list[str] = []
        self.aliases: list[tuple[str, str]] = []
        self.file: ConfigFile | None = None
        self.lines: list[Line] = []

    def all(self) -> None:
        """Read every line."""
        for line in self.section.whole_lines():
            word, _, rest = line.partition(" ")
            if word == "file":
                self._close()
                self._open(unescaped_path(rest))
            elif word == "unreadable":
                self.unreadable.append(rest)
            elif word == "ignored":
                self.ignored.append(unescaped_path(rest))
            elif word == "same":
                alias, _, directory = rest.partition(" ")
                self.aliases.append((alias, directory))
            elif self.file is not None:
                self.file = self._with(self.file, word, rest)
            else:
                raise self.section.garbled_line(line)
        self._close()
        if len(self.aliases) > _MOST_ALIASES:
            raise self.section.garbled(f"more than {_MOST_ALIASES} directories are links")
        for alias, directory in self.aliases:
            self._alias(alias, directory)

    def _open(self, path: str) -> None:
        if path in self.files:
            raise self.section.garbled(f"{path!r} is listed twice")
        self.file = ConfigFile(
            path=path, real=path, uid=-1, gid=-1, mode=0, size=-1, sha256="", lines=()
        )
        self.files[path] = self.file

    def _close(self) -> None:
        """Take the file of which everything was said."""
        if self.file is not None:
            lines = None if self.file.lines is None else tuple(self.lines)
            self.files[self.file.path] = replace(self.file, lines=lines)
        self.lines = []

    def _with(self, file: ConfigFile, word: str, rest: str) -> ConfigFile:
        if word in _LINES and file.lines is not None and (found := _NUMBERED.fullmatch(rest)):
            self.lines.append(Line(int(found[1]), found[2], _LINES[word]))
            return file
        if word == "real":
            return replace(file, real=unescaped_path(rest))
        if word == "dangling":
            return replace(file, real="")
        if word == "sha256" and re.fullmatch("[0-9a-f]{64}", rest):
            return replace(file, sha256=rest)
        if word == "stat":
            mode, *texts = rest.split(" ")
            numbers = [number(self.section, "metadata", text) for text in texts]
            if re.fullmatch("0[0-7]{1,4}", mode) and len(numbers) == len(("uid", "gid", "size")):
                uid, gid, size = numbers
                return replace(file, mode=int(mode, 8), uid=uid, gid=gid, size=size)
        if word == "unread":
            self.unreadable.append(f"{file.path}: {rest}")
            return replace(file, lines=None, sha256="")
        raise self.section.garbled(f"line {word!r} {rest[:40]!r} is not of its form")

    def _alias(self, alias: str, directory: str) -> None:
        """A directory that is a link to another holds the same files."""
        for path, file in list(self.files.items()):
            parent, _, name = path.rpartition("/")
            if parent == directory:
                self.files.setdefault(f"{alias}/{name}", replace(file, path=f"{alias}/{name}"))
