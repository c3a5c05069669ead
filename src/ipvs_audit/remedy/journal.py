"""The controller's journal: what was done where, one JSON line a record, on disk before it goes on.

>>> with Journal(Path("/tmp/journal.jsonl"), run="r1", who="ops") as journal:  # doctest: +SKIP
...     journal.record(Event.APPLYING, "web1", steps=[])
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.model.limits import JOURNAL_FILE
from ipvs_audit.model.private_files import make_directories
from ipvs_audit.model.regular_file import read_regular
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.remedy.plan_steps import WriteFile
from ipvs_audit.remedy.script import RUN_ID
from ipvs_audit.remedy.script_answers import StepOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from ipvs_audit.remedy.plan_steps import Step
    from ipvs_audit.remedy.script_answers import ScriptResult

JOURNAL_NAME = "journal.jsonl"
SCHEMA = "ipvs-audit/journal/1"
_RECORD_START = f'{{"schema":"{SCHEMA}"'.encode()


class Event(StrEnum):
    """What a record tells."""

    REMEDIATION_STARTED = "remediation_started"
    ROLLBACK_STARTED = "rollback_started"
    RUN_FINISHED = "run_finished"
    APPLYING = "applying"
    APPLIED = "applied"
    PLANNED_AGAIN = "planned_again"
    VERIFIED = "verified"
    REVERTING = "reverting"
    REVERTED = "reverted"
    ROLLING_BACK = "rolling_back"
    HOST_FINISHED = "host_finished"


class JournalError(UsageError):
    """A journal cannot be read; names the file and what is wrong."""


class Journal:
    """An open journal. Records may come from several threads.

    Raises:
        OSError: the file cannot be created or written.
    """

    def __init__(self, path: Path, *, run: str, who: str) -> None:
        self.path = path
        self.run = run
        self.who = who
        self._lock = threading.Lock()
        self._torn = False
        self._open = False

    def __enter__(self) -> Self:
        make_directories(self.path.parent)
        # Another run's, or a link that somebody has put there, is not written to.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._file = os.open(self.path, flags, 0o600)
        self._open = True
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
        with self._lock:
            self._open = False
            os.close(self._file)

    def record(self, event: Event, host: str = "", **more: Any) -> None:  # noqa: ANN401  # any JSON
        """Add a record; it is on disk when this returns.

        Raises:
            OSError: it cannot be written, or the journal is closed: a host that nobody waits for
                any more must not write where another file may be now.
        """
        at = utc_timestamp()
        entry = {"schema": SCHEMA, "at": at, "run": self.run, "who": self.who, "event": event}
        if host:
            entry["host"] = host
        line = json.dumps(entry | more, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            if not self._open:
                raise OSError(errno.EBADF, "the journal is closed", str(self.path))
            if self._torn:
                line = b"\n" + line
            self._torn = True
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self._torn = False
            os.fsync(self._file)


def step_entry(step: Step) -> dict[str, object]:
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
        "namespace": "own" if step.own else step.inode,
        "name": step.name,
        "before": step.before,
        "after": step.after,
    }


def result_entry(result: ScriptResult) -> dict[str, object]:
    """A script's answers as a journal keeps them."""
    return {
        "steps": [
            {"number": one.number, "outcome": one.outcome, "text": one.text} for one in result.steps
        ],
        "notes": [{"kind": note.kind, "text": note.text} for note in result.notes],
        "complete": result.complete,
    }


def find_journal(reports: Path, run: str) -> Path:
    """The journal of a run: its id, ``latest``, or a directory; also of one that was killed.

    Raises:
        JournalError: there is none; says where it was looked for.
    """
    folder = reports / run
    killed = f".{glob.escape(run)}.*.journal/{JOURNAL_NAME}"
    with contextlib.suppress(OSError, ValueError):  # no name of a file: too long, a NUL
        for path in (folder / JOURNAL_NAME, *reports.glob(killed)):
            if path.is_file():
                return path
    raise JournalError(f"{folder / JOURNAL_NAME}: no such journal; name a run that changed hosts")


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The records. One that was cut, by a kill or a full disk, is passed over.

    Raises:
        JournalError: the file cannot be read, or is not a journal.
    """
    try:
        lines = read_regular(path, JOURNAL_FILE).split(b"\n")
    except OSError as wrong:
        raise JournalError(f"{path}: {wrong.strerror}") from None
    for number, line in enumerate(lines[:-1], 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if line.startswith(_RECORD_START) or _RECORD_START.startswith(line):
                continue
            raise JournalError(f"{path}:{number}: is not JSON") from None
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            raise JournalError(f"{path}:{number}: is not a record of {SCHEMA}")
        yield record


@dataclass(frozen=True, slots=True)
class RunChanges:
    """What a journal says of a run.

    Attributes:
        run: its id.
        who: made it.
        started: the hosts on which it started to change something, in order.
        changed: those of them that answered that something was written or set.
    """

    run: str
    who: str
    started: tuple[str, ...]
    changed: frozenset[str]


def read_changes(path: Path) -> RunChanges:
    """The hosts that a run started to change.

    Raises:
        JournalError: the file cannot be read, is not the journal of one run, or is that of a
            rollback, which has no backups of its own.
    """
    run = who = ""
    started: dict[str, None] = {}
    changed: set[str] = set()
    for number, record in enumerate(read_journal(path), 1):
        made = str(record.get("run", "")), str(record.get("who", ""))
        if number > 1 and made != (run, who):
            raise JournalError(f"{path}: holds records of several runs")
        run, who = made
        if not RUN_ID.fullmatch(run):
            raise JournalError(f"{path}: {one_line(run[:60])!r} is not a run's id")
        if record.get("event") == Event.ROLLBACK_STARTED:
            of = one_line(str(record.get("of")))
            raise JournalError(
                f"finish it with --rollback {of}, or change the hosts again with --remediate: {run}"
                " is itself a rollback, which cannot be undone"
            )
        host = record.get("host")
        if not isinstance(host, str):
            continue
        if record.get("event") == Event.APPLYING:
            started[host] = None
        if record.get("event") == Event.APPLIED and _changed_host(path, record):
            changed.add(host)
    if not run:
        raise JournalError(f"{path}: holds no record")
    return RunChanges(run, who, tuple(started), frozenset(changed))


def _changed_host(path: Path, record: dict[str, Any]) -> bool:
    try:
        return any(StepOutcome(step["outcome"]).changed_host for step in record["steps"])
    except (LookupError, TypeError, ValueError):
        raise JournalError(f"{path}: what was done on a host is not of its form") from None
