"""Round trips drawn: when they were slow, and how many were; one small SVG for a host's details.

Each column shows the range of the round trips that fall into it, so that no spike is lost however
many there are; dots mark the spikes. Next to it is the share of round trips slower than a given
time. All times are on one logarithmic scale, before and after remediation on the same. Colours come
from style.css, by class: a page under Jenkins' content policy draws no inline style. What a colour
says, a shape or a dash says too.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from markupsafe import Markup

from ipvs_audit.latency.analysis import SPIKE, LatencyAnalysis, analyse
from ipvs_audit.model.text import counted, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ipvs_audit.snapshot.round_trips import RoundTrips

#: The picture's units; it scales to the width of its place.
WIDTH = 760
#: Where the time series are, and the distribution next to them.
_LEFT, _MIDDLE, _CURVE, _RIGHT = 56, 520, 584, 752
_TOP, _PANEL, _GAP = 20, 96, 38
_COLUMN = 2
#: Seconds that the scale can show: 10 microseconds to an hour.
_LOWEST, _HIGHEST = 1e-5, 3600.0
#: Spikes that the description counts out.
_LISTED = 12
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1200, 3600)
_METHODS = {"ssh": "SSH", "icmp": "ICMP"}


def picture(before: RoundTrips | None, after: RoundTrips, *, spike: float = SPIKE) -> Markup:
    """An inline SVG of a trace, or of two side by side.

    Args:
        before: round trips before remediation; None without it.
        after: the latest round trips.
        spike: seconds above the median from which a round trip counts as delayed.
    """
    named = [("measured", after)] if before is None else [("before", before), ("after", after)]
    seen = [_Seen(name, trace, analyse(trace, spike=spike)) for name, trace in named]
    scale = _Scale.over([rtt for one in seen for _, rtt in one.answered])
    span = max(*(one.found.span for one in seen), 1.0)
    height = _TOP + len(seen) * (_PANEL + _GAP)
    text = " ".join(f"{one.name.capitalize()}: {one.description}." for one in seen)
    drawn = [
        f'<svg class="trace" role="img" viewBox="0 0 {WIDTH} {height}">',
        f"<title>Round trips over time, and how many were how slow: {_names(seen)}</title>",
        f"<desc>{text}</desc>",
    ]
    for number, one in enumerate(seen):
        drawn += _series(one, scale, span, _TOP + number * (_PANEL + _GAP))
    drawn += _distribution(seen, scale, _TOP, height - _GAP)
    return Markup("".join(drawn) + "</svg>")  # noqa: S704  # numbers and our own words


@dataclass(frozen=True, slots=True)
class _Seen:
    """A trace, what it shows, and what that is called."""

    name: str
    trace: RoundTrips
    found: LatencyAnalysis

    @property
    def answered(self) -> list[tuple[float, float]]:
        """When, and how long, where an answer came."""
        return [
            (sent, rtt)
            for sent, rtt in zip(self.trace.sent, self.trace.rtt, strict=True)
            if rtt is not None
        ]

    @property
    def lost(self) -> list[float]:
        """When no answer came."""
        return [
            sent for sent, rtt in zip(self.trace.sent, self.trace.rtt, strict=True) if rtt is None
        ]

    @property
    def summary(self) -> str:
        """The numbers above the series."""
        found = self.found
        if found.p50 is None or found.max is None:
            return f"{self.name}: no answers"
        delays = counted(len(found.spikes), "delay")
        if found.period_test.estimator and found.period_test.period is not None:
            delays += (
                f", {found.period_test.members} of them every {duration(found.period_test.period)}"
            )
        lost = f", {found.lost} lost" if found.lost else ""
        numbers = f"worst {duration(found.max)}, median {duration(found.p50)}"
        return f"{self.name}: {delays}, {numbers}{lost}"

    @property
    def description(self) -> str:
        """The same and more, for those who do not see the picture."""
        method = _METHODS.get(self.trace.via, self.trace.via)
        text = f"{self.found.n} round trips by {method} in {duration(self.found.span)}, "
        text += self.summary.partition(": ")[2]
        if spikes := self.found.spikes[:_LISTED]:
            text += "; delays at " + ", ".join(
                f"{one.at:.1f} s ({duration(one.height)})" for one in spikes
            )
            text += " and more" if len(self.found.spikes) > _LISTED else ""
        return text


@dataclass(frozen=True, slots=True)
class _Scale:
    """Times on a logarithmic scale, by whole decades."""

    low: int
    high: int

    @classmethod
    def over(cls, times: Sequence[float]) -> _Scale:
        """A scale that holds them all."""
        least, most = (min(times), max(times)) if times else (1e-3, 1e-1)
        low = floor(log10(_held(least)))
        return cls(low, max(low + 2, ceil(log10(_held(most)))))

    def share(self, seconds: float) -> float:
        """How far along the scale a time is: 0 to 1."""
        return (log10(_held(seconds)) - self.low) / (self.high - self.low)

    def seconds(self, share: float) -> float:
        """The time at a place on the scale."""
        return float(10 ** (self.low + share * (self.high - self.low)))

    @property
    def marks(self) -> list[float]:
        """Its decades."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def _series(one: _Seen, scale: _Scale, span: float, top: float) -> Iterator[str]:
    """One time series, its top edge at ``top``."""
    floor_ = top + _PANEL

    def x(at: float) -> float:
        return _LEFT + at / span * (_MIDDLE - _LEFT)

    def y(seconds: float) -> float:
        return floor_ - scale.share(seconds) * _PANEL

    yield f'<text class="lt" x="{_LEFT}" y="{_n(top - 7)}">{one.summary}</text>'
    stalled = {
        column
        for start, length in one.trace.stalls
        if start < span
        for column in range(_column(x(start)), _column(x(min(start + length, span))) + 1)
    }
    yield _path("ls", (f"M{_n(_centre(column))} {_n(top)}v{_PANEL}" for column in sorted(stalled)))
    for mark in scale.marks:
        yield _line("lg", _LEFT, y(mark), _MIDDLE, y(mark))
        yield _text(_LEFT - 6, y(mark) + 3.5, duration(mark), "le")
    step = next((step for step in _STEPS if span / step <= 8), _STEPS[-1])  # noqa: PLR2004
    for count in range(int(span / step) + 1):
        yield _text(x(count * step), floor_ + 13, duration(count * step) if count else "0", "lm")
    if (threshold := one.found.threshold) is not None and threshold < scale.marks[-1]:
        yield _line("lh", _LEFT, y(threshold), _MIDDLE, y(threshold))
    yield _path("lr", _ranges([(x(at), y(rtt)) for at, rtt in one.answered]))
    lost = sorted({_column(x(at)) for at in one.lost})
    yield _path("ll", (f"M{_n(_centre(column))} {_n(top)}v5" for column in lost))
    tallest: dict[int, float] = {}
    for spike in one.found.spikes:
        column, rtt = _column(x(spike.at)), spike.height + (one.found.p50 or 0)
        tallest[column] = max(tallest.get(column, 0.0), rtt)
    dots = (f"M{_n(_centre(column))} {_n(y(rtt))}h0" for column, rtt in tallest.items())
    yield _path("lk", dots)


def _ranges(points: Iterable[tuple[float, float]]) -> Iterator[str]:
    """A stroke for each column, from its fastest round trip to its slowest."""
    columns: dict[int, tuple[float, float]] = {}
    for x, y in points:
        low, high = columns.get(_column(x), (y, y))
        columns[_column(x)] = (max(low, y), min(high, y))
    for column, (low, high) in columns.items():
        # A column of equal round trips still shows as a point.
        yield f"M{_n(_centre(column))} {_n(low + 0.5)}V{_n(min(high, low - 0.5))}"


def _distribution(seen: Sequence[_Seen], scale: _Scale, top: float, floor_: float) -> Iterator[str]:
    """The share of round trips slower than a time, lost ones among them, both logarithmic."""
    most = max((one.found.n for one in seen), default=1)
    decades = max(2, min(4, ceil(log10(max(most, 1)))))

    def x(share: float) -> float:
        return _CURVE + share * (_RIGHT - _CURVE)

    def y(share: float) -> float:
        return top - log10(share) / decades * (floor_ - top)

    yield f'<text class="lt" x="{_CURVE}" y="{_n(top - 7)}">share slower than</text>'
    for power in range(decades + 1):
        yield _line("lg", _CURVE, y(10**-power), _RIGHT, y(10**-power))
        yield _text(_CURVE - 6, y(10**-power) + 3.5, f"{100 * 10**-power:g}%", "le")
    for mark in scale.marks:
        yield _line("lg", x(scale.share(mark)), top, x(scale.share(mark)), floor_)
    for mark in scale.marks[:: 1 if len(scale.marks) < 6 else 2]:  # noqa: PLR2004
        yield _text(x(scale.share(mark)), floor_ + 13, duration(mark), "lm")
    for number, one in enumerate(seen):
        kind = "lb" if one.name == "before" else "la"
        yield _path(kind, _slower(one, scale, x, y, 10.0**-decades))
        if len(seen) > 1:
            at = top + 12 + 13 * number
            yield _line(kind, _RIGHT - 62, at - 3.5, _RIGHT - 40, at - 3.5)
            yield f'<text class="lt" x="{_RIGHT - 36}" y="{_n(at)}">{one.name}</text>'


def _slower(
    one: _Seen,
    scale: _Scale,
    x: Callable[[float], float],
    y: Callable[[float], float],
    least: float,
) -> Iterator[str]:
    ordered = sorted(rtt for _, rtt in one.answered)
    every = len(ordered) + one.found.lost
    drawn = None
    for column in range(0, _RIGHT - _CURVE + 1, _COLUMN):
        along = column / (_RIGHT - _CURVE)
        slower = every - bisect_right(ordered, scale.seconds(along))
        if not every or slower / every < least:
            if drawn is not None:
                yield f"V{_n(y(least))}"
            return
        at = f"{_n(x(along))} {_n(y(slower / every))}"
        if drawn != slower:
            yield f"{'M' if drawn is None else 'L'}{at}"
        drawn = slower
    if drawn is not None:
        yield f"H{_RIGHT}"


def _names(seen: Sequence[_Seen]) -> str:
    return " and ".join(one.name for one in seen) if len(seen) > 1 else "one measurement"


def _held(seconds: float) -> float:
    return min(max(seconds, _LOWEST), _HIGHEST)


def _column(x: float) -> int:
    return int(x // _COLUMN)


def _centre(column: int) -> float:
    return (column + 0.5) * _COLUMN


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="{kind}" d="M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}"/>'


def _path(kind: str, steps: Iterable[str]) -> str:
    whole = "".join(steps)
    return f'<path class="{kind}" d="{whole}"/>' if whole else ""


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="lt {kind}" x="{_n(x)}" y="{_n(y)}">{words}</text>'
