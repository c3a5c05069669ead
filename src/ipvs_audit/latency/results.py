"""A snapshot's traces as the numbers that reports carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.latency.analysis import analyse
from ipvs_audit.latency.estimator_runs_text import no_runs_reason
from ipvs_audit.model.results import LatencyResult, TraceResult
from ipvs_audit.snapshot import GarbledEvidenceError, Snapshot

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot import Failure
    from ipvs_audit.snapshot.estimator_runs import EstimatorRuns
    from ipvs_audit.snapshot.round_trips import RoundTrips


def latency_of(
    evidence: Snapshot | Failure, policy: Policy
) -> tuple[LatencyResult | None, LatencyResult | None]:
    """Numbers of a host, and those before remediation. Never raises: EST-7 names what is bad."""
    if not isinstance(evidence, Snapshot):
        return None, None
    try:
        return (
            _numbers(evidence.latency, evidence.estimator_runs, policy),
            _numbers(evidence.latency_before, evidence.estimator_runs_before, policy),
        )
    except GarbledEvidenceError:
        return None, None


def _numbers(
    trace: RoundTrips | None, seen: EstimatorRuns | None, policy: Policy
) -> LatencyResult | None:
    if trace is None:
        return None
    found = analyse(trace, spike=policy.latency_spike_ms / 1000)
    period_test = found.period_test
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
        period=_whole(period_test.period),
        members=period_test.members,
        among=period_test.among,
        above=round(period_test.above, 6),
        chance=round(period_test.chance, 12),
        estimator=period_test.estimator,
        trace=None if seen is None else _runs(seen),
    )


def _runs(seen: EstimatorRuns) -> TraceResult:
    return TraceResult(
        kind=seen.kind,
        seconds=round(seen.seconds, 6),
        runs=len(seen.runs),
        longest=round(max(seen.holds, default=0.0), 6),
        total=round(sum(seen.runs), 9),
        whole=not (seen.fewer or seen.doubtful),
        unseen=no_runs_reason(seen),
        left=seen.left,
    )


def _whole(seconds: float | None) -> float | None:
    """To the microsecond, as traces are saved."""
    return None if seconds is None else round(seconds, 6)
