"""What a trace shows: percentiles, spikes, and whether the spikes come at the estimator's period.

>>> from ipvs_audit.snapshot.round_trips import RoundTrips
>>> found = analyse(RoundTrips("ssh", 0.005, (0.0, 0.005, 0.01), (0.0003, 0.09, None), 2.0))
>>> found.n, found.lost, found.spikes
(3, 1, (Spike(at=0.005, height=0.0897, width=0.09),))

How spikes are found and what the period test promises is told in docs/latency.md.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from ipvs_audit.latency.period import PeriodTest, find_period
from ipvs_audit.latency.spikes import Spike, find_spikes
from ipvs_audit.model.limits import LATENCY_SPIKE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipvs_audit.snapshot.round_trips import RoundTrips

__all__ = ["LatencyAnalysis", "PeriodTest", "Spike", "analyse"]

#: Seconds above the median from which a round trip is delayed, where nobody says otherwise.
SPIKE = LATENCY_SPIKE_MS / 1000
#: Seconds that a controller that was stalled may need beside, until it has read what came.
SLACK = 0.005

#: The period test looks at all spikes, and at those that are twice and four times as high: a path
#: that is restless by itself must not hide the estimator.
ABOVE = (1, 2, 4)

#: When the controller was stalled: beginning and end, in order, none touching another.
Stalls = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class LatencyAnalysis:
    """What a trace shows. All times are seconds.

    Attributes:
        n: round trips that count: a delay that the controller's own stalls may explain does not.
        lost: how many of them had no answer in time.
        left_out: round trips that do not count.
        p50, p99, p999, max: of the answered ones; None where there is none.
        threshold: what is slower than this is delayed; None without answers.
        spikes: delays, in order of time; neighbours are one.
        span: from the first sending to the last.
        stalled: for how long of it the controller itself was stalled.
        rhythm: whether the spikes come at the estimator's period.
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
    period_test: PeriodTest

    @property
    def delayed(self) -> float:
        """Seconds from the beginning to the end of each delay, added up."""
        return sum(one.width for one in self.spikes)


def analyse(trace: RoundTrips, *, spike: float = SPIKE) -> LatencyAnalysis:
    """What the trace shows.

    Args:
        trace: the round trips.
        spike: seconds above the median from which a round trip is delayed.
    """
    stalls = _merged(trace.stalls)
    threshold = _threshold(trace, stalls, spike)
    counted = list(_counted(trace, stalls, threshold))
    answered = sorted(rtt for _, rtt in counted if rtt is not None)
    spikes = () if threshold is None else find_spikes(counted, threshold - spike, threshold)
    span = trace.sent[-1] if trace.sent else 0.0

    def period_test(factor: int) -> PeriodTest:
        above = factor * spike
        found = (
            ()
            if threshold is None
            else find_spikes(counted, threshold - spike, threshold - spike + above)
        )
        tried = find_period(
            found, span=span, interval=trace.interval, blind=stalls, tries=len(ABOVE)
        )
        return replace(tried, above=above)

    period_tests = [period_test(factor) for factor in ABOVE]
    return LatencyAnalysis(
        n=len(counted),
        lost=len(counted) - len(answered),
        left_out=len(trace.sent) - len(counted),
        p50=percentile(answered, 0.5),
        p99=percentile(answered, 0.99),
        p999=percentile(answered, 0.999),
        max=answered[-1] if answered else None,
        threshold=threshold,
        spikes=spikes,
        span=span,
        stalled=sum(min(end, span) - start for start, end in stalls if start < span),
        period_test=next((one for one in period_tests if one.estimator), period_tests[0]),
    )


def _threshold(trace: RoundTrips, stalls: Stalls, spike: float) -> float | None:
    """From which a round trip is delayed; by those that no stall of the controller met, if any."""
    answered = [(at, rtt) for at, rtt in _trips(trace) if rtt is not None]
    clean = [rtt for at, rtt in answered if not _overlap(stalls, at, at + rtt)]
    median = percentile(sorted(clean or [rtt for _, rtt in answered]), 0.5)
    return None if median is None else median + spike


def _counted(
    trace: RoundTrips, stalls: Stalls, threshold: float | None
) -> Iterator[tuple[float, float | None]]:
    """The round trips that say something of the host, with what the controller added taken off.

    One that was delayed is left out where the controller's own stalls may be all of the delay.
    """
    for at, rtt in _trips(trace):
        took = trace.limit if rtt is None else rtt
        ours = _overlap(stalls, at, at + took)
        if not ours or threshold is None or took <= threshold:
            yield at, rtt
        elif took - ours - SLACK > threshold:
            yield at, None if rtt is None else took - ours


def _trips(trace: RoundTrips) -> Iterator[tuple[float, float | None]]:
    return zip(trace.sent, trace.rtt, strict=True)


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values do not exceed (nearest rank).

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _merged(stalls: Sequence[tuple[float, float]]) -> Stalls:
    """Start and end of each stall, none touching another, in order."""
    merged: list[tuple[float, float]] = []
    for start, length in sorted(stalls):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], start + length))
        else:
            merged.append((start, start + length))
    return tuple(merged)


def _overlap(stalls: Stalls, start: float, end: float) -> float:
    """Seconds of a time in which the controller was stalled."""
    at = bisect_right(stalls, (start,)) - 1
    shared = 0.0
    for first, last in stalls[max(0, at) :]:
        if first >= end:
            break
        shared += max(0.0, min(last, end) - max(first, start))
    return shared
