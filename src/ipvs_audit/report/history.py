"""What became of hosts over many runs: who fails since when, who was fixed, and how soon.

Pure: :mod:`ipvs_audit.report.history_runs` reads the runs. What is kept grows with the hosts, and
by some numbers with each run, not by hosts times runs.

By raw verdicts, so a waiver fixes nothing. A control that fails on a host stays open until the same
control passes there: an error, inconclusive, not applicable, not evaluated, or a host that is not
there any more, fixes nothing. A host is fixed when it has no open control left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report.summary import Status, host_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipvs_audit.model.results import HostResult, Run

#: Hosts of one run, in this order; they add up to its inventory.
SHOWN = (
    *(Status.FAIL, Status.ERROR, Status.INCONCLUSIVE, Status.WAIVED),
    *(Status.PASS, Status.NOT_APPLICABLE, Status.NOT_EVALUATED),
)
#: What counts as not evaluated here: each run's own report tells them apart.
_NOT_EVALUATED = frozenset({Status.NOT_SELECTED, Status.EXCLUDED})


@dataclass(frozen=True, slots=True)
class SeenHost:
    """One host in one run.

    Attributes:
        name: inventory name.
        status: the worst of its controls; a pass only where every required control was evaluated.
        collected: when its evidence was begun; None where there is none.
        direction: what its own policy asks: ``disabled`` or ``enabled``.
        failing: ids of the controls that fail.
        before: ids of those that failed before remediation.
        passing: ids of those that pass.
    """

    name: str
    status: Status
    collected: datetime | None
    direction: str
    failing: tuple[str, ...]
    before: tuple[str, ...]
    passing: tuple[str, ...]

    @classmethod
    def of(cls, host: HostResult, run: Run) -> SeenHost:
        """From the results of a run."""
        status = host_status(host)
        evaluated = {result.control for result in host.controls}
        partly = status in (Status.PASS, Status.NOT_APPLICABLE) and set(run.required) - evaluated
        if partly or status in _NOT_EVALUATED:
            status = Status.NOT_EVALUATED
        return cls(
            host.name,
            status,
            datetime.fromisoformat(host.started) if host.started else None,
            str(host.policy.get("estimation", run.estimation)),
            tuple(one.control for one in host.controls if one.verdict is Verdict.FAIL),
            tuple(one.control for one in host.controls if one.before is Verdict.FAIL),
            tuple(one.control for one in host.controls if one.verdict is Verdict.PASS),
        )


@dataclass(frozen=True, slots=True)
class SeenRun:
    """One run, cut down to what its history needs.

    Attributes:
        place: the name of its directory.
        started, finished: when.
        remarks: what makes its numbers hard to compare: hosts left out, an interruption.
        policy: digest of its policy.
        version: of the suite.
        left_out: hosts of the inventory that it left out.
        hosts: each once.
    """

    place: str
    started: datetime
    finished: datetime
    remarks: tuple[str, ...]
    policy: str
    version: str
    left_out: int
    hosts: tuple[SeenHost, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One run in the history.

    Attributes:
        number: its place in it.
        place: the name of its directory.
        started: when.
        hosts: how many have which status of :data:`SHOWN`; they add up to the inventory.
        newly_failing: hosts with a control that fails, and was not open before; None in the
            oldest run, before which nothing is known.
        fixed: hosts whose last open control passed; None in the oldest run.
        remarks: what makes its numbers hard to compare with those of the run before.
    """

    number: int
    place: str
    started: datetime
    hosts: Mapping[Status, int]
    newly_failing: int | None
    fixed: int | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenHost:
    """A host that failed, and was not seen to be fixed.

    Attributes:
        name: of the host.
        controls: ids of those that are open.
        since: the run in which the first of them failed.
        earlier: it may have failed before that: nothing is known of the time before.
        last: the newest run in which one of them failed.
        status: in the newest run; None where it is not in that one.
    """

    name: str
    controls: tuple[str, ...]
    since: Point
    earlier: bool
    last: Point
    status: Status | None


@dataclass(frozen=True, slots=True)
class FixedHost:
    """A host that was fixed in the newest run, and when it was first seen to fail."""

    name: str
    since: datetime


@dataclass(slots=True)
class _Host:
    """What is known of a host.

    Attributes:
        known: whether it is known that it did not fail before its open controls did.
        seen: number of the newest run that it is in.
        status: in that one.
        failing: whether a control fails in that one.
        collected: when the newest evidence was collected by which a control passed or failed.
        opened: controls that failed, and did not pass since.
        since: number of the run in which the first of them failed.
        last: number of the newest run in which a control failed.
    """

    known: bool
    seen: int = 0
    status: Status = Status.NOT_EVALUATED
    failing: bool = False
    collected: datetime | None = None
    direction: str = ""
    opened: set[str] = field(default_factory=set)
    since: int = 0
    last: int = 0


class History:
    """Runs, added from the oldest to the newest.

    Attributes:
        points: a point for each run.
        newly_failing: host -> controls, of the newest run.
        fixed: hosts fixed in the newest run.
        fixes: how often a host was fixed that is known to have passed before it failed.
        unknown_start: how often one was fixed of which that is not known.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.newly_failing: dict[str, tuple[str, ...]] = {}
        self.fixed: list[FixedHost] = []
        self.fixes = 0
        self.unknown_start = 0
        self._took = timedelta()
        self._hosts: dict[str, _Host] = {}
        self._whole = False
        self._policy = self._version = ""

    @property
    def mean_time_to_fix(self) -> timedelta | None:
        """From the first run that saw a host fail to the one that saw it fixed; None without."""
        return self._took / self.fixes if self.fixes else None

    @property
    def failing(self) -> list[OpenHost]:
        """Hosts that fail in the newest run, waived or not; the longest first."""
        return list(self._open(failing=True))

    @property
    def not_seen_fixed(self) -> list[OpenHost]:
        """Those that failed earlier, and neither fail nor were seen to pass since."""
        return list(self._open(failing=False))

    def add(self, run: SeenRun) -> None:
        """The next newer run."""
        number = len(self.points)
        self.newly_failing, self.fixed = {}, []
        stale = 0
        for host in run.hosts:
            held = self._hosts.get(host.name)
            if held is None:
                # New: what was not in the whole inventory did not fail there.
                held = self._hosts[host.name] = _Host(known=self._whole)
            held.seen, held.status, held.failing = number, host.status, False
            stale += not self._observe(host, held, run, number)
        count = Counter(host.status for host in run.hosts)
        count[Status.NOT_EVALUATED] += run.left_out
        self.points.append(
            Point(
                number,
                run.place,
                run.started,
                {one: count[one] for one in SHOWN},
                len(self.newly_failing) if number else None,
                len(self.fixed) if number else None,
                (*self._changed(run), *run.remarks, *_stale(stale)),
            )
        )
        if not number:
            self.newly_failing, self.fixed = {}, []
        self._whole = not run.left_out
        self._policy, self._version = run.policy, run.version

    def _observe(self, host: SeenHost, held: _Host, run: SeenRun, number: int) -> bool:
        """Take over what was found on a host; False where newer evidence was seen earlier."""
        failed = tuple(dict.fromkeys((*host.failing, *host.before)))
        if not failed and not host.passing:
            return True
        # Dated ahead, by another clock, evidence would outlast what is collected later.
        collected = min(host.collected or run.started, run.finished)
        if held.collected is not None and collected < held.collected:
            return False
        # The same evidence, evaluated again, fixes nothing.
        newer = collected != held.collected
        if held.direction not in ("", host.direction):
            held.opened.clear()  # something else is asked of it: nobody will fix the old failure
        held.collected, held.direction = collected, host.direction
        held.failing = bool(host.failing)
        if new := tuple(one for one in host.failing if one not in held.opened):
            self.newly_failing[host.name] = new
        if failed:
            held.since = held.since if held.opened else number
            held.last = number
        was_open = held.opened.union(failed)
        held.opened = was_open.difference(host.passing) if newer else was_open
        if not held.opened:
            if was_open:
                self._fix(host.name, held, run)
            held.known = True
        return True

    def _fix(self, name: str, held: _Host, run: SeenRun) -> None:
        if held.since == len(self.points):  # remediated in the very run that saw it fail
            self.fixed.append(FixedHost(name, run.started))
            return
        since = self.points[held.since].started
        self.fixed.append(FixedHost(name, since))
        if held.known:
            self.fixes += 1
            self._took += run.started - since
        else:
            self.unknown_start += 1

    def _changed(self, run: SeenRun) -> Iterator[str]:
        if self._policy not in ("", run.policy):
            yield "the policy changed"
        if self._version not in ("", run.version):
            yield f"ipvs-audit {run.version} instead of {self._version}"

    def _open(self, *, failing: bool) -> Iterator[OpenHost]:
        """By the run since which they fail, then by name."""
        newest = len(self.points) - 1
        found = [
            (held.since, name, held)
            for name, held in self._hosts.items()
            if held.opened and (held.failing and held.seen == newest) is failing
        ]
        for since, name, held in sorted(found, key=lambda one: one[:2]):
            yield OpenHost(
                name,
                tuple(sorted(held.opened)),
                self.points[since],
                not held.known,
                self.points[held.last],
                held.status if held.seen == newest else None,
            )


def _stale(hosts: int) -> list[str]:
    if not hosts:
        return []
    said = "1 host is" if hosts == 1 else f"{hosts:,} hosts are"
    return [f"{said} judged by evidence older than that of an earlier run, and changed nothing"]
