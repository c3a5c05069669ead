"""What a trace shows: percentiles, spikes, and whether the spikes keep the estimator's time.

>>> found = analyse(Trace("ssh", 0.005, (0.0, 0.005, 0.01), (0.0003, 0.09, None), 2.0))
>>> found.n, found.lost, found.spikes
(3, 1, (Spike(at=0.005, height=0.0897, width=0.09),))

How spikes are found and what the period test promises is told in docs/latency.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from ipvs_audit.latency.period import Rhythm, find_rhythm
from ipvs_audit.latency.spikes import Spike, find_spikes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipvs_audit.latency.trace import Trace

__all__ = ["Latency", "Rhythm", "Spike", "analyse"]

#: Seconds above the median from which a round trip counts as delayed, where nobody says otherwise.
SPIKE = 0.020


@dataclass(frozen=True, slots=True)
class Latency:
    """What a trace shows. All times are seconds.

    Attributes:
        n: round trips that count: those under way while the controller itself stood still do not.
        lost: how many of them had no answer in time.
        left_out: round trips that do not count.
        p50, p99, p999, max: of the answered ones; None where there is none.
        threshold: what is slower than this is delayed; None without answers.
        spikes: delays, in order of time; neighbours are one.
        span: from the first sending to the last.
        stalled: for how long of it the controller itself stood still.
        rhythm: whether the spikes keep the estimator's time.
    """

    n: int
    lost: int
    left_out: int
    p50: float | None
    p99: float | None
    p999: float | None
    max: float | None
    threshold: float | None
    spikes: tuple[Spike, ...]
    span: float
    stalled: float
    rhythm: Rhythm


def analyse(trace: Trace, *, spike: float = SPIKE) -> Latency:
    """What the trace shows.

    Args:
        trace: the round trips.
        spike: seconds above the median from which a round trip is delayed.
    """
    stalls = _merged(trace.stalls)
    counted = [
        (sent, rtt)
        for sent, rtt in zip(trace.sent, trace.rtt, strict=True)
        if not _meets(stalls, sent, sent + (trace.limit if rtt is None else rtt))
    ]
    answered = sorted(rtt for _, rtt in counted if rtt is not None)
    median = percentile(answered, 0.5)
    threshold = None if median is None else median + spike
    spikes = (
        ()
        if median is None or threshold is None
        else find_spikes(counted, median=median, threshold=threshold)
    )
    span = trace.sent[-1] if trace.sent else 0.0
    return Latency(
        n=len(counted),
        lost=len(counted) - len(answered),
        left_out=len(trace.sent) - len(counted),
        p50=median,
        p99=percentile(answered, 0.99),
        p999=percentile(answered, 0.999),
        max=answered[-1] if answered else None,
        threshold=threshold,
        spikes=spikes,
        span=span,
        stalled=sum(min(end, span) - start for start, end in stalls if start < span),
        rhythm=find_rhythm(spikes, span=span, interval=trace.interval, blind=stalls),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values do not exceed (nearest rank).

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _merged(stalls: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Start and end of each stall, none touching another, in order."""
    merged: list[tuple[float, float]] = []
    for start, length in sorted(stalls):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], start + length))
        else:
            merged.append((start, start + length))
    return tuple(merged)


def _meets(stalls: tuple[tuple[float, float], ...], start: float, end: float) -> bool:
    return any(first <= end and start <= last for first, last in stalls)
