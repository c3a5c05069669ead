"""What caused the delays, in an operator's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.latency.estimator_runs_text import (
    all_too_short,
    holds_text,
    long_holds,
    matching_delays,
    no_runs_reason,
    short_runs_text,
)
from ipvs_audit.latency.round_trips_text import Estimation
from ipvs_audit.model.text import duration

if TYPE_CHECKING:
    from ipvs_audit.latency.analysis import LatencyAnalysis
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot import Snapshot

#: The vendor's document: "If jitters or latency persist after you disable the estimation feature".
NEXT = (
    "look at what else stalls the host or the path: network diagnostics (on ACK the console has"
    " them; elsewhere mtr from both sides, mpstat for softirq and steal time)"
)


def attribute_delays(
    found: LatencyAnalysis, estimation: Estimation, snapshot: Snapshot, policy: Policy
) -> str:
    """Say whether the estimator caused the delays, and what to do where it did not.

    Only delays at its period, on a kernel whose timer or delayed work estimates, while estimation
    may be on, are called consistent with it; a trace of its own runs strengthens that, or
    contradicts it.

    Raises:
        GarbledEvidenceError: the evidence does not parse.
    """
    tested, delays = found.period_test, len(found.spikes)
    longest = duration(max(one.height for one in found.spikes))
    if tested.estimator and tested.period is not None:
        above = f" above {duration(tested.above)}" if tested.among != delays else ""
        periodic = (
            f"period {duration(tested.period)}, {tested.members} of {tested.among} delays"
            f"{above}, up to {longest}"
        )
        text = _at_period(periodic, found, estimation, snapshot, policy)
    else:
        summary = f"{delays} delays of up to {longest}"
        text = _not_at_period(summary, found, estimation, snapshot, policy)
    seen = snapshot.estimator_runs
    unseen = no_runs_reason(seen) if seen is not None else ""
    return f"{text}; {unseen}" if unseen else text


def _not_at_period(
    summary: str,
    found: LatencyAnalysis,
    estimation: Estimation,
    snapshot: Snapshot,
    policy: Policy,
) -> str:
    seen, spike, tested = snapshot.estimator_runs, policy.latency_spike_ms / 1000, found.period_test
    if seen is not None and (holds := long_holds(seen, spike)):
        return (
            f"{summary}, not shown to be at the estimator's period; but {holds_text(seen, holds)},"
            f" {_as_long(found, holds)}: it does stall this host, {_what_to_do(estimation, policy)}"
        )
    short = _short(snapshot, spike)
    if estimation is not Estimation.OFF and tested.likely and not short:
        return (
            f"{summary}, of which {tested.members} may be at the estimator's period: too few to"
            " tell; measure for longer (latency_seconds in the policy)"
        )
    every = (snapshot.census.host, *snapshot.census.others)
    timers = sum(1 for one in every if one.holds_rules)
    several = (
        f" ({timers} namespaces hold IPVS rules, each with a timer of its own, which the period"
        " test cannot separate)"
        if estimation is not Estimation.OFF and timers > 1 and not short
        else ""
    )
    reason = f" ({short})" if short else ""
    return (
        f"{summary}, not at the estimator's period: not caused by the estimator{reason}{several};"
        f" {NEXT}"
    )


def _at_period(
    periodic: str,
    found: LatencyAnalysis,
    estimation: Estimation,
    snapshot: Snapshot,
    policy: Policy,
) -> str:
    seen, spike = snapshot.estimator_runs, policy.latency_spike_ms / 1000
    delays = f"delays at the estimator's period ({periodic})"
    holds = long_holds(seen, spike)
    held = f"{holds_text(seen, holds)}, {_as_long(found, holds)}" if seen and holds else ""
    if held and estimation is Estimation.OFF:
        return f"{delays}, and {held}, {_what_to_do(estimation, policy)}"
    short = _short(snapshot, spike)
    if estimation is Estimation.OFF:
        reason = f"; {short}" if short else ""
        return f"{delays}, although estimation is off{reason}: not attributed; {NEXT}"
    if snapshot.exposure.generation == "kthread":
        return (
            f"delays at the period of an older kernel's estimator ({periodic}), but here threads do"
            f" its work in slices: not attributed; {NEXT}"
        )
    if short:
        return f"{delays}, but {short}: not attributed; {NEXT}"
    by_icmp = snapshot.latency is not None and snapshot.latency.via == "icmp"
    if snapshot.exposure.generation == "work" and by_icmp:
        return (
            f"{delays}, but here delayed work estimates, in which softirqs still run, and with them"
            " the kernel answers echo requests: not attributed; measure what tasks see:"
            " --latency-via ssh"
        )
    text = f"consistent with the IPVS estimator, {periodic}"
    if held:
        text += f"; {held}"
    if estimation is Estimation.UNKNOWN:
        text += "; whether estimation is on could not be seen: run as root"
    if policy.estimation == "enabled":
        text += "; the policy requires estimation, which causes them"
    return text


def _short(snapshot: Snapshot, spike: float) -> str:
    """That the timer's runs were too short for delays; empty where they were not, or not seen."""
    seen = snapshot.estimator_runs
    return short_runs_text(seen) if seen is not None and all_too_short(seen, spike) else ""


def _as_long(found: LatencyAnalysis, holds: tuple[float, ...]) -> str:
    count, delays = matching_delays(found.spikes, holds), len(found.spikes)
    if not count:
        return "which is not as long as these delays are"
    return f"as long as {'all' if count == delays else f'{count} of the {delays}'} delays"


def _what_to_do(estimation: Estimation, policy: Policy) -> str:
    """What to do where the timer was seen to hold a CPU and the period alone does not tell."""
    if estimation is Estimation.OFF:
        return (
            "although estimation is off according to the probe: look for a namespace that it did"
            " not see, or for what has changed the value since"
        )
    if policy.estimation == "enabled":
        return "which is the cost of the estimation that the policy requires"
    return "so switch estimation off, and measure again"
