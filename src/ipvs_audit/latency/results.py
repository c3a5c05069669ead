"""A snapshot's traces as the numbers that reports carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.latency.analysis import analyse
from ipvs_audit.latency.estimator_runs_text import unseen_words
from ipvs_audit.model.results import LatencyResult, TraceResult
from ipvs_audit.snapshot import GarbledEvidenceError, Snapshot

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot import Failure
    from ipvs_audit.snapshot.estimator_runs import Ran
    from ipvs_audit.snapshot.round_trips import Trace


def latency_of(
    evidence: Snapshot | Failure, policy: Policy
) -> tuple[LatencyResult | None, LatencyResult | None]:
    """The numbers of a host, and those before a remedy. Raises nothing: EST-7 names what is bad."""
    if not isinstance(evidence, Snapshot):
        return None, None
    try:
        return (
            _numbers(evidence.latency, evidence.ran, policy),
            _numbers(evidence.latency_before, evidence.ran_before, policy),
        )
    except GarbledEvidenceError:
        return None, None


def _numbers(trace: Trace | None, ran: Ran | None, policy: Policy) -> LatencyResult | None:
    if trace is None:
        return None
    found = analyse(trace, spike=policy.latency_spike_ms / 1000)
    rhythm = found.rhythm
    return LatencyResult(
        via=trace.via,
        started=trace.started,
        ended=trace.ended,
        n=found.n,
        lost=found.lost,
        left_out=found.left_out,
        stalled=round(found.stalled, 6),
        p50=_whole(found.p50),
        p99=_whole(found.p99),
        p999=_whole(found.p999),
        max=_whole(found.max),
        threshold=_whole(found.threshold),
        spikes=len(found.spikes),
        highest=round(max((one.height for one in found.spikes), default=0.0), 6),
        period=_whole(rhythm.period),
        members=rhythm.members,
        among=rhythm.among,
        above=round(rhythm.above, 6),
        chance=round(rhythm.chance, 12),
        estimator=rhythm.estimator,
        trace=None if ran is None else _runs(ran),
    )


def _runs(ran: Ran) -> TraceResult:
    return TraceResult(
        kind=ran.kind,
        seconds=round(ran.seconds, 6),
        runs=len(ran.runs),
        longest=round(max(ran.holds, default=0.0), 6),
        total=round(sum(ran.runs), 9),
        whole=not (ran.fewer or ran.doubtful),
        unseen=unseen_words(ran),
        left=ran.left,
    )


def _whole(seconds: float | None) -> float | None:
    """To the microsecond, as traces are saved."""
    return None if seconds is None else round(seconds, 6)
