"""The files that a plan may change, byte for byte, and the directories that it would write to."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from ipvs_audit.model.limits import EDITABLE_FILE_LIMIT
from ipvs_audit.snapshot.section import Section, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.snapshot import Snapshot

SECTION = "editable-files"

DirectoryState = Literal["absent", "writable", "denied", "readonly", "immutable", "shared"]
_STATES: tuple[DirectoryState, ...] = get_args(DirectoryState)
_STAT = re.compile(r"([0-7]{1,5}) ([0-9]{1,10}) ([0-9]{1,10}) [0-9]{1,15} ([0-9]{1,10})")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class EditableFile:
    """A file as it lay when the probe looked.

    Attributes:
        path: where a loader finds it.
        real: after all symlinks.
        mode: permission bits.
        uid, gid: numeric owner.
        links: hard links; more than one would part on a rename.
        sha256: of the content; empty where not read.
        content: None where not read.
        unread: why not.
        attributes: ``immutable``, ``append-only``.
        others: a directory on the way of its links that users other than root write to, so that
            it was not read.
    """

    path: str
    real: str
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    links: int = 1
    sha256: str = ""
    content: bytes | None = None
    unread: str = ""
    attributes: tuple[str, ...] = ()
    others: str = ""


@dataclass(frozen=True, slots=True)
class TargetDirectory:
    """A directory that a plan may write to.

    Attributes:
        path: of the directory.
        state: ``writable``, or why it is not.
        free: KiB free on its file system.
        others: where ``shared``, the directory on the way to it where users other than root write.
    """

    path: str
    state: DirectoryState
    free: int
    others: str = ""


@dataclass(frozen=True, slots=True)
class EditableFiles:
    """What a plan may change, by path."""

    files: Mapping[str, EditableFile]
    directories: Mapping[str, TargetDirectory]

    def by_real_path(self, real: str) -> EditableFile | None:
        """The file of that real path."""
        return next((file for file in self.files.values() if file.real == real), None)


def read_editable_files(snapshot: Snapshot) -> EditableFiles | None:
    """The editable files that a snapshot holds; None where it was taken without a plan in mind.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line is not of its form.
    """
    section = snapshot.sections.get(SECTION)
    return None if section is None else parse_editable_files(section)


def parse_editable_files(section: Section) -> EditableFiles:
    """Read the section that ``editable_files.sh`` prints.

    Raises:
        GarbledEvidenceError: it is not whole, or a line is not of its form.
    """
    files: dict[str, EditableFile] = {}
    directories: dict[str, TargetDirectory] = {}
    current = ""
    directory: TargetDirectory | None = None
    for line in section.whole_lines():
        word, _, rest = line.partition(" ")
        if word == "file":
            if rest in files:
                raise section.garbled(f"{rest[:60]!r} is duplicated")
            current = rest
            files[rest] = EditableFile(rest, rest)
        elif word == "directory":
            directory = _directory_of(section, rest)
            directories[directory.path] = directory
            current = ""
        elif word == "others" and rest.startswith("/") and directory and not current:
            directories[directory.path] = replace(directory, others=rest)
        elif not current:
            raise section.garbled(f"line {line[:60]!r} is not of its form")
        else:
            files[current] = _with(section, files[current], word, rest)
    return EditableFiles(files, directories)


def _directory_of(section: Section, rest: str) -> TargetDirectory:
    word, _, more = rest.partition(" ")
    free, _, path = more.partition(" ")
    state = next((one for one in _STATES if one == word), None)
    if state is None or not path.startswith("/"):
        raise section.garbled(f"directory {rest[:60]!r} is not of its form")
    return TargetDirectory(path, state, number(section, "the free space", free))


def _with(section: Section, file: EditableFile, word: str, rest: str) -> EditableFile:
    found = None
    if word == "real" and rest.startswith("/"):
        found = replace(file, real=rest)
    elif word == "others" and rest.startswith("/"):
        found = replace(file, others=rest)
    elif word == "stat" and (stat := _STAT.fullmatch(rest)):
        found = replace(
            file,
            mode=int(stat[1], 8) & 0o7777,
            uid=int(stat[2]),
            gid=int(stat[3]),
            links=int(stat[4]),
        )
    elif word == "sha256" and _SHA256.fullmatch(rest):
        found = replace(file, sha256=rest)
    elif word == "hex" and len(rest) <= 2 * EDITABLE_FILE_LIMIT:
        found = replace(file, content=_bytes(section, rest))
    elif word == "unread":
        found = replace(file, unread=rest, content=None)
    elif word == "attribute":
        found = replace(file, attributes=(*file.attributes, rest))
    if found is None:
        raise section.garbled(f"line {word!r} {rest[:40]!r} is not of its form")
    return found


def _bytes(section: Section, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise section.garbled("the content of a file is not hex") from None
