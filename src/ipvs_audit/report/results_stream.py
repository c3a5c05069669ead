"""results.json read host by host, for fleets that would not fit into memory.

Only files as :func:`ipvs_audit.report.results_json.write` lays them out can be read so: the head in
three lines, then one host a line.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from pydantic import ValidationError

from ipvs_audit.model.limits import RESULTS_LINE
from ipvs_audit.model.regular_file import open_regular
from ipvs_audit.model.results import SCHEMA, Counts, counts_of
from ipvs_audit.model.verdict import Evidence
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.results_json import (
    COUNTS,
    HOST,
    RUN,
    contradiction,
    first_error,
    refuse_other_counts,
    twice,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from ipvs_audit.model.results import HostResult, Run

T = TypeVar("T", bound=Hashable)

_HEAD = f'{{"schema":"{SCHEMA}",\n'.encode()
_RUN = b'"run":'
_THIRD = b'"hosts":[\n'
_LAST = b"]}\n"


class Results:
    """A results.json whose hosts stay on disk.

    Attributes:
        path: the file.
        run: all of it but its hosts.
        counts: what the file says that its hosts add up to.
    """

    def __init__(self, path: Path) -> None:
        """Read the head.

        Raises:
            OSError: the file cannot be read.
            ReportError: it is not laid out as this version writes it.
        """
        self.path = path
        with open_regular(path) as file:
            first, second, third = (_line(file, path) for _ in range(3))
            self._start = file.tell()
        if first != _HEAD or not second.startswith(_RUN) or third != _THIRD:
            raise ReportError(
                f"{path}: is not laid out as an ipvs-audit of this version writes it; take the"
                " file of the run as it was written"
            )
        try:
            head = json.loads(second[len(_RUN) :].rstrip(b",\n"))
            self.run: Run = RUN.validate_python(head)
            self.counts: Counts = COUNTS.validate_python(head["counts"])
        except ValidationError as invalid:
            raise ReportError(f"{path}:2: {first_error(invalid)}") from None
        except (ValueError, KeyError, TypeError, RecursionError) as broken:
            raise ReportError(f"{path}:2: is not the head of a run: {broken}") from None

    def lines(self) -> Iterator[bytes]:
        """Each host as JSON, in the order of the file.

        Raises:
            ReportError: the file was cut short.
        """
        return (line for _, line in self.placed())

    def placed(self) -> Iterator[tuple[int, bytes]]:
        """The same, each with the number of bytes before it."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            offset = self._start
            while line := _line(file, self.path):
                if line == _LAST:
                    return
                yield offset, line.rstrip(b"\n").removesuffix(b",")
                offset += len(line)
        raise ReportError(f"{self.path}: was cut short: it has no end")

    def hosts(self) -> Iterator[HostResult]:
        """Each host, checked against the schema; after the last one, the counts.

        Raises:
            ReportError: names the line, a duplicate host, or the count that the hosts do
                not add up to.
        """
        names: set[str] = set()
        states, verdicts = Counter[str](), Counter[str]()
        for number, line in enumerate(self.lines(), 4):
            try:
                host = parsed(line)
            except ValidationError as invalid:
                raise ReportError(f"{self.path}:{number}: {first_error(invalid)}") from None
            except ReportError as wrong:
                raise ReportError(f"{self.path}:{number}: {wrong}") from None
            if host.name in names:
                raise ReportError(f"{self.path}:{number}: {twice(host)}")
            names.add(host.name)
            states[host.state] += 1
            verdicts.update(host.verdicts())
            yield host
        found = counts_of(states, verdicts, left_out=self.run.left_out)
        refuse_other_counts(self.counts, found, self.path)


def _line(file: BinaryIO, path: Path) -> bytes:
    line = file.readline(RESULTS_LINE + 1)
    if len(line) > RESULTS_LINE:
        raise ReportError(
            f"{path}: has a line of more than {RESULTS_LINE >> 20} MiB, which no run writes; take"
            " the file of the run as it was written"
        )
    return line


def parsed(line: bytes) -> HostResult:
    """A host from its line.

    Raises:
        ValidationError: it is not one.
        ReportError: its verdict is not that of its controls, or of one that was not evaluated.
    """
    host = HOST.validate_json(line)
    said = f'"verdict":{json.dumps(host.verdict)},"reachable":{json.dumps(host.reachable)}}}'
    if not line.endswith(said.encode()):
        raise ReportError(f"{host.name}: its verdict is not the worst of its controls")
    if wrong := contradiction(host):
        raise ReportError(wrong)
    return host


def without_evidence(host: HostResult, path: Path, offset: int) -> HostResult:
    """The host with its evidence left on disk, and read from there each time.

    What many hosts have alike, such as a message, is held once.

    Args:
        host: as it is in the file.
        path: a results.json, as :class:`Results` reads it.
        offset: bytes before the host's line.
    """
    return replace(
        host,
        groups=_alike(host.groups),
        reason=_alike(host.reason),
        kernel=_alike(host.kernel),
        facts={_alike(label): _alike(text) for label, text in host.facts.items()},
        controls=tuple(
            replace(
                result,
                control=_alike(result.control),
                name=_alike(result.name),
                severity=_alike(result.severity),
                message=_alike(result.message),
                expected=_alike(result.expected),
                observed=_alike(result.observed),
                evidence=OnDisk(path, offset, number, len(result.evidence)),
            )
            for number, result in enumerate(host.controls)
        ),
    )


# Bounded: a fleet in which nothing is alike gains nothing, and costs little.
@lru_cache(maxsize=1 << 14)
def _kept(value: Hashable) -> Hashable:
    return value


def _alike(value: T) -> T:
    """The same text or tuple, and mostly the very one that an earlier host has."""
    return cast("T", _kept(value))


class OnDisk(Sequence[Evidence]):
    """The evidence of one result, where results.json has it. Equal to a tuple of the same."""

    __slots__ = ("_count", "_number", "_offset", "_path")

    def __init__(self, path: Path, offset: int, number: int, count: int) -> None:
        self._path = path
        self._offset = offset
        self._number = number
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Evidence, ...]: ...
    def __getitem__(self, index: int | slice) -> Evidence | tuple[Evidence, ...]:
        return self._read()[index]

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self._read())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._read() == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    def _read(self) -> tuple[Evidence, ...]:
        if not self._count:
            return ()
        controls = _controls_at(self._path, self._offset)
        return tuple(Evidence(**shown) for shown in controls[self._number]["evidence"])


# One host: its other results are asked for next.
@lru_cache(maxsize=1)
def _controls_at(path: Path, offset: int) -> list[dict[str, list[dict[str, Any]]]]:
    with path.open("rb") as file:
        file.seek(offset)
        host: dict[str, Any] = json.loads(file.readline().rstrip(b"\n").removesuffix(b","))
    controls: list[dict[str, list[dict[str, Any]]]] = host["controls"]
    return controls
