"""What the pages show, arranged for their templates: rows, cells, anchors, pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import clipped, visible_head
from ipvs_audit.model.text import duration
from ipvs_audit.report.summary import QUIET, Status, grouped, host_status, status_of, worst_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run
    from ipvs_audit.model.verdict import Result

#: Hosts that index.html holds with all their details; above it they get pages of their own.
INLINE_LIMIT = 500
HOSTS_A_PAGE = 100
#: Rows that one group has in the matrix of a large fleet, but for what is left over.
PATTERNS_A_GROUP = 40
#: Passing hosts of one group that have a row each; more of them share rows.
PASSING_ROWS = 10
#: Names under a row of the matrix that are not folded away: of hosts that pass, and of others.
PASSING_NAMES, NAMES = 12, 100
_PASSING = frozenset({Status.PASS, Status.NOT_APPLICABLE})
#: Characters of one output that a page shows.
OUTPUT_SHOWN = 16_000
#: Characters of a host or group name in the matrix of a large fleet.
_NAME_SHOWN = 80

_SAFE = re.compile(r"[A-Za-z0-9._-]{1,120}")


@dataclass(frozen=True, slots=True)
class Cell:
    """One control on one host.

    Attributes:
        about: the control.
        result: None where it was not evaluated.
        status: its word and shape.
        anchor: id of its details.
        href: link to its details; empty where they are not to be had from this page.
    """

    control: Control
    result: Result | None
    status: Status
    anchor: str
    href: str


@dataclass(frozen=True, slots=True)
class Row:
    """One host.

    Attributes:
        host: what was found.
        status: the worst of its controls.
        anchor: id of its details.
        page: where its details are: empty for the page itself, None where none has them.
        controls: those of the run.
    """

    host: HostResult
    status: Status
    anchor: str
    page: str | None
    controls: tuple[Control, ...]

    @property
    def href(self) -> str:
        """Link to its details; empty where they are not to be had from this page."""
        return _href(self.page, self.anchor)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """A cell for each control of the run: made when asked for, for a fleet has many."""
        cells = []
        for number, (control, result) in enumerate(self._results(), 1):
            place = f"{self.anchor}:{control.id if _SAFE.fullmatch(control.id) else number}"
            href = _href(self.page, place)
            cells.append(Cell(control, result, status_of(result), place, href))
        return tuple(cells)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The statuses of its cells."""
        return tuple(status_of(result) for _, result in self._results())

    def _results(self) -> Iterator[tuple[Control, Result | None]]:
        """Each control of the run with what it gave here; None where it was not evaluated."""
        found = {result.control: result for result in self.host.controls}
        return ((control, found.get(control.id)) for control in self.controls)

    @property
    def label(self) -> str:
        """The host's name as a large fleet's matrix shows it."""
        return clipped(self.host.name, _NAME_SHOWN)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Hosts of one group on which every control has the same status: one row of the matrix.

    Where a group has too many patterns for a page, the rest of them are ``mixed``: alike only in
    the status of the host.
    """

    rows: tuple[Row, ...]
    mixed: bool = False

    @property
    def first(self) -> Row:
        """The one whose cells represent all."""
        return self.rows[0]

    @property
    def folded(self) -> bool:
        """Whether the names are shown only when they are asked for."""
        return len(self.rows) > (PASSING_NAMES if self.first.status in _PASSING else NAMES)


@dataclass(frozen=True, slots=True)
class Group:
    """An inventory group: hosts failing first.

    Attributes:
        large: no host has a row of its own.
    """

    name: str
    rows: tuple[Row, ...]
    large: bool

    @property
    def shared(self) -> tuple[Row, ...]:
        """The hosts that share rows: all of a large fleet, else those that pass, where many."""
        if self.large:
            return self.rows
        passing = tuple(row for row in self.rows if row.status in _PASSING)
        return passing if len(passing) > PASSING_ROWS else ()

    @property
    def singles(self) -> tuple[Row, ...]:
        """The hosts with a row of their own."""
        together = {row.anchor for row in self.shared}
        return tuple(row for row in self.rows if row.anchor not in together)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Those that share rows by the statuses of their controls, in the order of the rows."""
        found: dict[tuple[Status, ...], list[Row]] = {}
        for row in self.shared:
            whole = (row.status, *row.statuses)
            key = whole if whole in found or len(found) < PATTERNS_A_GROUP else (row.status,)
            found.setdefault(key, []).append(row)
        return tuple(Pattern(tuple(rows), len(key) == 1) for key, rows in found.items())


@dataclass(frozen=True, slots=True)
class Page:
    """A page of per-host details."""

    name: str
    number: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All hosts in the order of the report.

    Attributes:
        groups: every host.
        pages: where the details of a large fleet are; empty where index.html holds them.
        detailed: hosts whose details are on the page itself.
        large: the fleet is too large for a row for each host.
    """

    groups: tuple[Group, ...]
    pages: tuple[Page, ...]
    detailed: tuple[Row, ...]
    large: bool

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every host, failing first within its group."""
        return tuple(row for group in self.groups for row in group.rows)

    @property
    def shared(self) -> bool:
        """Whether some hosts share a row of the matrix."""
        return any(group.shared for group in self.groups)

    @property
    def links(self) -> dict[str, str]:
        """Where each host's details are, by its name."""
        return {row.host.name: row.href for row in self.rows}

    @classmethod
    def of(cls, run: Run, *, alone: bool = False) -> Fleet:
        """Arrange a run.

        Args:
            run: the run.
            alone: for a page in one file, without pages for hosts: it holds the details of
                a large fleet's worst hosts only.
        """
        large = len(run.hosts) > INLINE_LIMIT
        held = _held(run) if alone and large else None
        anchors = _anchors(run)
        groups, placed = [], 0
        for name, hosts in grouped(run.hosts).items():
            rows = []
            for host in hosts:
                page: str | None = ""
                if held is not None:
                    page = "" if host.name in held else None
                elif large:
                    page = _page_name(placed // HOSTS_A_PAGE + 1)
                anchor = anchors[host.name]
                rows.append(Row(host, host_status(host), anchor, page, run.controls))
                placed += 1
            groups.append(Group(name, tuple(rows), large))
        every = tuple(row for group in groups for row in group.rows)
        return cls(
            groups=tuple(groups),
            pages=tuple(_pages(every)) if large and held is None else (),
            detailed=tuple(row for row in every if row.page == ""),
            large=large,
        )


def _held(run: Run) -> set[str]:
    """The hosts of a large fleet that a page alone has room for: the worst."""
    worst = sorted((host for host in run.hosts if host_status(host) not in QUIET), key=worst_first)
    return {host.name for host in worst[:INLINE_LIMIT]}


def _pages(rows: tuple[Row, ...]) -> Iterator[Page]:
    for number, start in enumerate(range(0, len(rows), HOSTS_A_PAGE), 1):
        yield Page(_page_name(number), number, rows[start : start + HOSTS_A_PAGE])


def _page_name(number: int) -> str:
    return f"hosts-{number:03d}.html"


def _anchors(run: Run) -> dict[str, str]:
    """Ids for the page, from test ids where those are safe and unique, else numbered."""
    used: set[str] = set()
    anchors = {}
    for number, host in enumerate(run.hosts, 1):
        usable = _SAFE.fullmatch(host.id) and host.id not in used
        used.add(host.id)
        anchors[host.name] = f"h-{host.id}" if usable else f"h:{number}"
    return anchors


def _href(page: str | None, anchor: str) -> str:
    return "" if page is None else f"{page}#{anchor}"


def output_shown(output: str, unshown: int) -> tuple[str, int]:
    """The part of an output that a page shows, and how many more characters it does not."""
    head, cut = visible_head(output.rstrip("\n"), OUTPUT_SHOWN)
    return head, cut + unshown


# A host's evidence is of a few moments.
@lru_cache(maxsize=256)
def utc(moment: str) -> str:
    """A moment as people read it.

    >>> utc("2026-11-23T02:00:04.211Z")
    '2026-11-23 02:00:04 UTC'
    """
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return read.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(started: str, finished: str) -> str:
    """How long something took, in words; empty where that is not known, as the clock was set back.

    >>> span("2026-11-23T02:00:00Z", "2026-11-23T02:01:09.5Z")
    '1 min 10 s'
    >>> span("2026-11-23T02:00:00Z", "2026-11-22T20:00:00Z")
    ''
    """
    try:
        took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    except (ValueError, TypeError):
        return ""
    return duration(took.total_seconds()) if took >= timedelta() else ""
