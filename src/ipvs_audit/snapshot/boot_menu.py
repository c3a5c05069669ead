"""GRUB 2's menu: its entries, and which one a value of ``default`` takes.

Rules: grub-core/normal/menu.c (``default`` is a number, a title or an id, levels divided by ``>``;
what it does not find is the first entry); rhboot/grub2 grub-core/commands/blscfg.c (entries of the
Boot Loader Specification are sorted as rpm sorts versions, newest first).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from functools import cmp_to_key
from itertools import zip_longest

_RELEASE = re.compile(r"(?:vmlinu[xz]|Image|kernel)-([0-9][!-.0-~]{0,120})")
_PART = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
#: Files that grub.cfg reads where they exist: custom.cfg (the probe tells of it), and a password.
_HARMLESS = ("/custom.cfg", "/user.cfg", '/custom.cfg"', '/user.cfg"')
_LEVELS = re.compile(r"(?<!>)>(?!>)")


class UnknownChoiceError(Exception):
    """Which entry is taken cannot be told; says why."""


@dataclass(slots=True)
class Entry:
    """An entry of a menu, or a submenu.

    Attributes:
        names: its title and its id: what ``default`` may call it.
        kernel: the kernel's path; empty where none is named.
        entries: of a submenu; None for an entry.
        version: what a specification's entry says beside the path.
        words: of its command line, those that concern modules or sysctl; None where variables hold
            more.
    """

    names: tuple[str, ...]
    kernel: str = ""
    entries: list[Entry] | None = None
    version: str = ""
    words: tuple[str, ...] | None = ()

    @property
    def release(self) -> str:
        """The kernel's release by the name of its file; empty where that does not tell.

        >>> Entry((), "($root)/boot/vmlinuz-6.1.0-40-amd64").release
        '6.1.0-40-amd64'
        >>> Entry((), "/1a2b/6.8.4-200.fc39.x86_64/linux", version="6.8.4-200.fc39.x86_64").release
        '6.8.4-200.fc39.x86_64'
        """
        if found := release_of(self.kernel):
            return found
        folders = self.kernel.rpartition("/")[0]
        return self.version if self.version and folders.endswith(f"/{self.version}") else ""


def told_words(text: str) -> tuple[str, ...] | None:
    """The words of a command line; None where a variable of the boot loader holds some."""
    return None if "$" in text else tuple(text.split())


def release_of(path: str) -> str:
    """The release that the name of a kernel's file gives; empty for none."""
    found = _RELEASE.fullmatch(path.rpartition("/")[2])
    return found[1] if found else ""


@dataclass(slots=True)
class Menu:
    """A grub.cfg.

    Attributes:
        path: where it is.
        entries: in order; a specification's entries are at the place of ``blscfg``.
        defaults: the values that its ``set default=`` lines give, quotes taken off.
        counts_boots: whether it has a case for boots that failed.
        unknown: why its entries cannot be told; empty where they can.
    """

    path: str
    entries: list[Entry] = field(default_factory=list)
    defaults: list[str] = field(default_factory=list)
    counts_boots: bool = False
    unknown: str = ""

    @property
    def all_entries(self) -> list[Entry]:
        """Its entries and those of its submenus."""
        return [one for entry in self.entries for one in (entry.entries or [entry])]

    def choose(self, default: str) -> Entry:
        """The entry that a value of ``default`` takes.

        Raises:
            UnknownChoiceError: it is a submenu, or there is no entry.
        """
        level = self.entries
        for part in _LEVELS.split(default or "0"):
            if not level:
                raise UnknownChoiceError(f"{self.path} has no entry")
            found = _by_name(level, part.replace(">>", ">"))
            if found.entries is None:
                return found
            level = found.entries
        raise UnknownChoiceError(f"the default entry of {self.path} is a submenu")


def _by_name(level: list[Entry], name: str) -> Entry:
    if name.isascii() and name.isdigit():
        return level[int(name)] if int(name) < len(level) else level[0]
    return next((one for one in level if name in one.names), level[0])


def read_menu(path: str, lines: list[str], specified: list[Entry]) -> Menu:
    """A menu from the lines of a grub.cfg that the probe brings.

    Args:
        path: of grub.cfg.
        lines: ``menuentry ...``, ``submenu ...``, ``linux PATH``, ``set default=...``, ``blscfg``,
            ``{``, ``}``, ``source ...``, ``configfile ...``, ``boot_counter`` for one that has it.
        specified: the entries of the Boot Loader Specification, in any order.
    """
    read = _Reader(Menu(path), specified)
    for line in lines:
        word, _, rest = line.partition(" ")
        read.line(word, rest)
    menu = read.menu
    if read.elsewhere and menu.entries and not menu.unknown:
        menu.unknown = f"{path} takes entries from another file"
    return menu


class _Reader:
    """Reads a grub.cfg line by line."""

    def __init__(self, menu: Menu, specified: list[Entry]) -> None:
        self.menu = menu
        self.specified = specified
        self.elsewhere = False
        # What the open braces belong to: an entry, or something else.
        self.open: list[Entry | None] = []

    def line(self, word: str, rest: str) -> None:
        inside = next((one for one in reversed(self.open) if one is not None), None)
        if word in ("menuentry", "submenu"):
            self.entry(rest, inside, submenu=word == "submenu")
        elif word == "linux" and inside is not None:
            if not inside.kernel:
                inside.kernel, _, words = rest.partition(" ")
                inside.words = told_words(words)
        elif word == "{":
            self.open.append(None)
        elif word == "}":
            self.open = self.open[:-1]
        elif inside is None:
            self.outside(word, rest)

    def entry(self, rest: str, inside: Entry | None, *, submenu: bool) -> None:
        made = _entry(rest, submenu=submenu)
        level = self.menu.entries if inside is None else inside.entries
        if made is None or level is None or not rest.rstrip().endswith("{"):
            self.menu.unknown = f"an entry of {self.menu.path} is not in the usual form"
            return
        level.append(made)
        self.open.append(made)

    def outside(self, word: str, rest: str) -> None:
        if word == "blscfg":
            self.menu.entries += in_order(self.specified)
        elif word == "boot_counter":
            self.menu.counts_boots = True
        elif word == "set":
            self.menu.defaults.append(_unquoted(rest.partition("=")[2]))
        elif word in ("source", "configfile"):
            self.elsewhere = self.elsewhere or not rest.endswith(_HARMLESS)


def _entry(rest: str, *, submenu: bool) -> Entry | None:
    try:
        words = shlex.split(rest)
    except ValueError:
        return None
    if not words:
        return None
    ids = [
        words[at + 1]
        for at, word in enumerate(words[:-1])
        if word in ("$menuentry_id_option", "--id", "${menuentry_id_option}")
    ]
    return Entry((words[0], *ids), entries=[] if submenu else None)


def _unquoted(text: str) -> str:
    try:
        return " ".join(shlex.split(text.rstrip(";")))
    except ValueError:
        return text


def in_order(entries: list[Entry]) -> list[Entry]:
    """Entries as GRUB lists them: by the names of their files, newest first.

    >>> named = [Entry((f"a-{one}",)) for one in ("5.10.9-1.al8", "0-rescue", "5.10.134-1.al8")]
    >>> [one.names[0] for one in in_order(named)]
    ['a-5.10.134-1.al8', 'a-5.10.9-1.al8', 'a-0-rescue']
    """
    by_version = cmp_to_key(compare)
    return sorted(entries, key=lambda one: by_version(one.names[0]), reverse=True)


def compare(one: str, other: str) -> int:
    """Compare two versions as rpm does (rpmio/rpmvercmp.c): -1, 0 or 1."""
    parts = zip_longest(_PART.findall(one), _PART.findall(other), fillvalue="")
    for mine, its in parts:
        if mine == its:
            continue
        ranks = _rank(mine), _rank(its)
        if ranks[0] != ranks[1]:
            return 1 if ranks[0] > ranks[1] else -1
        a, b = (int(mine), int(its)) if mine.isdigit() else (mine, its)
        if a != b:
            return 1 if a > b else -1  # type: ignore[operator]  # both are numbers, or both text
    return 0


def _rank(part: str) -> int:
    """Of kinds of parts: a tilde, the end, a caret, letters, a number."""
    if part == "~":
        return 0
    if not part:
        return 1
    if part == "^":
        return 2
    return 4 if part.isdigit() else 3
