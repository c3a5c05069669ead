"""Scores: how much of what was judged passes, by control and by group, before and after waivers.

>>> percent(2_999, 3_000)
'99.9 %'
>>> percent(0, 0)
'no score'
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.report.summary import Status, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run

FORMULA = "score = pass ÷ (pass + fail + error + inconclusive)"
#: What counts in the sum: not what is not applicable or not evaluated, nor waived fails after
#: waivers.
_COUNTED = (Status.FAIL, Status.ERROR, Status.INCONCLUSIVE, Status.PASS)
#: The order of a bar's segments.
_SHOWN = (
    *(Status.FAIL, Status.ERROR, Status.INCONCLUSIVE, Status.WAIVED),
    *(Status.PASS, Status.NOT_APPLICABLE, Status.NOT_EVALUATED),
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: where it begins and how wide it is, in percent."""

    status: Status
    count: int
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Results by standing, and the score that they give."""

    segments: tuple[Segment, ...]
    score: str

    @property
    def told(self) -> str:
        """The bar in words."""
        parts = ", ".join(f"{one.count:,} {one.status.word}" for one in self.segments)
        return f"{self.score}: {parts}" if parts else self.score


@dataclass(frozen=True, slots=True)
class Score:
    """A control's or a group's score."""

    label: str
    name: str
    before: Bar
    after: Bar

    @property
    def changed(self) -> bool:
        """Whether waivers make a difference."""
        return self.before != self.after


def of_controls(run: Run) -> tuple[Score, ...]:
    """A score for each control, and one for all together where there are several."""
    counts = {control.id: Counter[Status]() for control in run.controls}
    for host in run.hosts:
        for control, status in _statuses(host, run.controls):
            counts[control][status] += 1
    scores = tuple(_score(control.id, control.name, counts[control.id]) for control in run.controls)
    if len(scores) < 2:  # noqa: PLR2004  # one is all there is
        return scores
    return (*scores, _score("all", "controls", sum(counts.values(), Counter())))


def of_groups(
    groups: Iterable[tuple[str, Sequence[HostResult]]], controls: Sequence[Control]
) -> tuple[Score, ...]:
    """A score for each group of hosts, over all controls of the run."""
    return tuple(
        _score(name, "", Counter(one for host in hosts for _, one in _statuses(host, controls)))
        for name, hosts in groups
    )


def _statuses(host: HostResult, controls: Sequence[Control]) -> Iterator[tuple[str, Status]]:
    """The status of each control on a host to be audited, also where it was not evaluated."""
    if host.contacted:
        for control in controls:
            yield control.id, status_of(host.result(control.id))


def percent(part: int, whole: int) -> str:
    """A share to one decimal, never rounded up: 100 % means all."""
    if not whole:
        return "no score"
    tenths = part * 1000 // whole
    return f"{tenths // 10} %" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10} %"


def _score(label: str, name: str, count: Mapping[Status, int]) -> Score:
    before = Counter(count)
    before[Status.FAIL] += before.pop(Status.WAIVED, 0)
    return Score(label, name, _bar(before), _bar(count))


def _bar(count: Mapping[Status, int]) -> Bar:
    total = sum(count.get(one, 0) for one in _SHOWN)
    segments, started = [], 0
    for one in _SHOWN:
        if number := count.get(one, 0):
            start, width = 100 * started / total, 100 * number / total
            segments.append(Segment(one, number, f"{start:.3f}%", f"{width:.3f}%"))
            started += number
    counted = sum(count.get(one, 0) for one in _COUNTED)
    return Bar(tuple(segments), percent(count.get(Status.PASS, 0), counted))
