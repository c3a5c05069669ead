"""Saved evidence: one JSON line for each host, snapshot or failure, in ``snapshots.jsonl.gz``.

>>> with Writer(Path("/tmp/snapshots.jsonl.gz")) as saved:     # doctest: +SKIP
...     saved.write(snapshot)
>>> [taken.target for taken in read(Path("/tmp"))]             # doctest: +SKIP
['web1']
"""

from __future__ import annotations

import fcntl
import gzip
import json
import math
import os
import re
import sys
import zlib
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from ipvs_audit.model import limits
from ipvs_audit.model.private_files import new_file
from ipvs_audit.model.regular_file import open_regular
from ipvs_audit.snapshot import CollectionInfo, Failure, Section, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

SCHEMA = "ipvs-audit/snapshot/1"

#: The file's name in a run's directory.
NAME = "snapshots.jsonl.gz"

_FAILURE = TypeAdapter(Failure)
_COLLECTION = TypeAdapter(CollectionInfo)
_SECTIONS = TypeAdapter(list[Section])
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", re.ASCII)
T = TypeVar("T", Failure, CollectionInfo)
#: zlib's own: 9, which is gzip's, takes a third more CPU for 3 % less of a file.
_LEVEL = 6
#: Fields of a section that many hosts have alike.
_SHARED = ("name", "command", "output")


class StoreError(Exception):
    """Saved evidence cannot be read; names the file, the line and what is wrong."""


class CutShortError(StoreError):
    """The evidence ends before its end: whoever wrote it was killed, or the disk was full."""


class Writer:
    """Writes hosts as they come. The file has its name only once it is whole.

    As long as it is being written, it is locked (flock).

    Raises:
        OSError: the file cannot be written; nothing stays behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")

    def __enter__(self) -> Self:
        self._raw: IO[bytes] = new_file(self._part)
        fcntl.flock(self._raw, fcntl.LOCK_EX)
        # No name and no time in it: the same evidence gives the same file.
        self._file = gzip.GzipFile("", "wb", _LEVEL, fileobj=self._raw, mtime=0)
        return self

    def write(self, evidence: Snapshot | Failure) -> None:
        """Add one host. It is there, too, where this process is then killed."""
        self._file.write(to_line(evidence))
        self._file.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Finish the file, also when the run was interrupted: what is known is kept."""
        try:
            self._file.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
            self._raw.close()
            if isinstance(raised, OSError):
                self._part.unlink(missing_ok=True)
            else:
                self._part.replace(self.path)
        except OSError:
            self._raw.close()
            self._part.unlink(missing_ok=True)
            raise


def write(path: Path, hosts: Iterable[Snapshot | Failure]) -> None:
    """Write all hosts, one at a time.

    Raises:
        OSError: the file cannot be written; nothing stays behind.
    """
    with Writer(path) as saved:
        for evidence in hosts:
            saved.write(evidence)


def to_line(evidence: Snapshot | Failure) -> bytes:
    """One host as a line of JSON, ASCII only."""
    record: dict[str, Any] = {"schema": SCHEMA}
    if isinstance(evidence, Failure):
        record["failure"] = _plain(evidence)
    else:
        record["snapshot"] = {
            "target": evidence.target,
            "collection": _plain(evidence.collection),
            "sections": [_plain(section) for section in evidence.sections.values()],
        }
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _plain(flat: Failure | CollectionInfo | Section) -> dict[str, Any]:
    """Its fields, which are plain already; dataclasses.asdict copies each of them deeply."""
    return {name: getattr(flat, name) for name in flat.__dataclass_fields__}


def from_line(line: bytes) -> Snapshot | Failure:
    """One host, from its line.

    Raises:
        ValueError: the line is not what :func:`to_line` writes; says what is wrong.
    """
    record = json.loads(line, parse_float=_finite, parse_constant=_finite)
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"its schema is {schema!r}, this version reads {SCHEMA!r}")
    if "failure" in record:
        return _dated(_FAILURE.validate_python(record["failure"]))
    body = record.get("snapshot")
    if not isinstance(body, dict) or not isinstance(body.get("target"), str):
        raise ValueError("it holds neither a snapshot nor a failure")  # noqa: TRY004
    sections = _SECTIONS.validate_python(_sharing(body.get("sections")))
    named = {section.name: section for section in sections}
    if len(named) != len(sections):
        raise ValueError("a section is a duplicate")
    collection = _dated(_COLLECTION.validate_python(body.get("collection")))
    return Snapshot(body["target"], collection, named)


def _dated(told: T) -> T:
    """The same, where it says when it began and ended as results.json does, or not at all."""
    for moment in filter(None, (told.started, told.finished)):
        if not _MOMENT.fullmatch(moment):
            raise ValueError(f"{moment[:40]!r} is no time like 2026-11-23T02:00:00.000Z")
        datetime.fromisoformat(moment)
    return told


def _sharing(sections: object) -> object:
    """The same, with one text for all hosts of this process that say the same.

    Most that hosts of one image say is alike, and all of it is held to the end of a run.
    """
    for section in sections if isinstance(sections, list) else ():
        for key in _SHARED if isinstance(section, dict) else ():
            if type(text := section.get(key)) is str:
                section[key] = sys.intern(text)
    return sections


def read(path: Path) -> Iterator[Snapshot | Failure]:
    """The saved hosts, one at a time.

    Args:
        path: a run's directory, or the file itself; plain JSON lines do as well.

    Raises:
        StoreError: names the file and the line.
    """
    file = path / NAME if path.is_dir() else path
    number, targets = 0, set()
    try:
        for number, line in enumerate(_lines(file), 1):
            if not line.endswith(b"\n"):
                raise CutShortError(f"{file}:{number}: cut short: it has no end")
            evidence = from_line(line)
            if evidence.target in targets:
                raise StoreError(f"{file}:{number}: {evidence.target!r} is a duplicate")
            targets.add(evidence.target)
            yield evidence
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{file}:{number}: {where}: {first['msg']}") from wrong
    except (ValueError, RecursionError) as wrong:
        raise StoreError(f"{file}:{number}: {wrong}") from wrong
    except (EOFError, zlib.error, gzip.BadGzipFile) as wrong:
        where = f"{file}: after line {number}"
        raise CutShortError(f"{where}: cut short or damaged: {wrong}") from wrong
    except OSError as wrong:
        raise StoreError(f"{file}: {wrong.strerror or wrong}") from wrong
    if not number:
        raise CutShortError(f"{file}: holds no host")


def read_unfinished(path: Path) -> Iterator[Snapshot | Failure]:
    """The saved hosts of a run that may have been killed: those before the cut.

    Raises:
        StoreError: it cannot be read for another reason; names the file and the line.
    """
    try:
        yield from read(path)
    except CutShortError:
        return


def mentions(path: Path, section: str) -> bool:
    """Whether some host of a file seems to hold a section of that name, without parsing it.

    Evidence cannot pretend to: quotes in it are escaped. False where the file cannot be read:
    :func:`read` tells why.
    """
    wanted = re.compile(rb'"name"\s*:\s*"' + re.escape(section.encode()) + rb'"')
    file = path / NAME if path.is_dir() else path
    try:
        return any(wanted.search(line) for line in _lines(file))
    except (OSError, EOFError, zlib.error, StoreError):
        return False


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"{text} is not a number that a host can have")
    return found


def _lines(file: Path) -> Iterator[bytes]:
    """The lines, unpacked where the file is packed.

    Raises:
        StoreError: a line or the whole is larger than evidence is, or the file is a pipe or device.
        OSError, EOFError, zlib.error: it cannot be read, or is damaged.
    """
    with open_regular(file) as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        most = limits.EVIDENCE_EXPANSION * os.fstat(raw.fileno()).st_size
        most = max(most, limits.EVIDENCE_EXPANSION_FROM)
        lines = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
        number = total = 0
        while line := lines.readline(limits.EVIDENCE_LINE + 1):
            number += 1
            total += len(line)
            if len(line) > limits.EVIDENCE_LINE:
                raise StoreError(f"{file}:{number}: longer than {limits.EVIDENCE_LINE:,} bytes")
            if packed and total > most:
                raise StoreError(
                    f"{file}:{number}: unpack it yourself (gunzip) if you trust it: it grows to"
                    f" more than {limits.EVIDENCE_EXPANSION} times its size, as no evidence does"
                )
            yield line
