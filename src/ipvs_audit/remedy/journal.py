"""The controller's journal: what was done where, one JSON line a record, on disk before it goes on.

>>> with Journal(Path("/tmp/journal.jsonl"), run="r1", who="ops") as journal:  # doctest: +SKIP
...     journal.note("applying", "web1", steps=2)
"""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.remedy.plan_steps import WriteFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from ipvs_audit.remedy.plan_steps import Step

NAME = "journal.jsonl"
SCHEMA = "ipvs-audit/journal/1"
_BEGINS = f'{{"schema":"{SCHEMA}"'.encode()
#: An answer of a host that tells of a change, as ``1 written``.
_TOUCHED = re.compile(r"[1-9][0-9]* (written|set)\b")


class JournalError(Exception):
    """A journal cannot be read; names the file and what is wrong."""


class Journal:
    """An open journal. Records may come from several threads.

    Raises:
        OSError: the file cannot be made or written.
    """

    def __init__(self, path: Path, *, run: str, who: str) -> None:
        self.path = path
        self.run = run
        self.who = who
        self._lock = threading.Lock()
        self._torn = False

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(self.path, flags, 0o600)
        directory = os.open(self.path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def note(self, event: str, host: str = "", **more: Any) -> None:  # noqa: ANN401  # any JSON
        """Add a record; it is on disk when this returns."""
        record = {
            "schema": SCHEMA,
            "at": utc_timestamp(),
            "run": self.run,
            "who": self.who,
            "event": event,
        }
        if host:
            record["host"] = host
        line = json.dumps(record | more, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            if self._torn:
                line = b"\n" + line
            self._torn = True
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self._torn = False
            os.fsync(self._file)


def told(step: Step) -> dict[str, object]:
    """A step as a journal keeps it: what, and the hashes or values before and after."""
    if isinstance(step, WriteFile):
        return {
            "control": step.control,
            "file": step.path,
            "before_sha256": step.before_sha256,
            "after_sha256": step.after_sha256,
        }
    return {
        "control": step.control,
        "namespace": step.inode,
        "name": step.name,
        "before": step.before,
        "after": step.after,
    }


def find(reports: Path, run: str) -> Path:
    """The journal of a run: its id, ``latest``, or a directory; also of one that was killed.

    Raises:
        JournalError: there is none; says where it was looked for.
    """
    folder = reports / run
    places = [folder / NAME, *reports.glob(f".{run}.*.journal/{NAME}")]
    for place in places:
        if place.is_file():
            return place
    raise JournalError(f"{folder / NAME}: no such journal; name a run that changed hosts")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records. One that was cut, by a kill or a full disk, is passed over.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as wrong:
        raise JournalError(f"{path}: {wrong.strerror}") from None
    for number, line in enumerate(lines[:-1], 1):
        try:
            record = json.loads(line)
        except ValueError:
            if line.startswith(_BEGINS) or _BEGINS.startswith(line):
                continue
            raise JournalError(f"{path}:{number}: is not JSON") from None
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            raise JournalError(f"{path}:{number}: is no record of {SCHEMA}")
        yield record


@dataclass(frozen=True, slots=True)
class Changes:
    """What a journal says of a run.

    Attributes:
        run: its id.
        who: made it.
        begun: the hosts on which it began to change something, in order.
        touched: those of them that answered that something was written or set.
    """

    run: str
    who: str
    begun: tuple[str, ...]
    touched: frozenset[str]


def changes_of(path: Path) -> Changes:
    """The hosts that a run began to change.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    run = who = ""
    begun: dict[str, None] = {}
    touched: set[str] = set()
    for record in read(path):
        run, who = str(record.get("run", "")), str(record.get("who", ""))
        host = record.get("host")
        if not isinstance(host, str):
            continue
        if record.get("event") == "applying":
            begun[host] = None
        if record.get("event") == "applied" and any(map(_TOUCHED.match, record.get("answers", ()))):
            touched.add(host)
    if not run:
        raise JournalError(f"{path}: holds no record")
    return Changes(run, who, tuple(begun), frozenset(touched))
