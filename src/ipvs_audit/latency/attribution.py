"""Whose the delays are, in an operator's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.latency.estimator_runs_text import (
    alike,
    brief,
    brief_words,
    held,
    held_words,
    unseen_words,
)
from ipvs_audit.latency.round_trips_text import Estimation
from ipvs_audit.model.text import duration

if TYPE_CHECKING:
    from ipvs_audit.latency.analysis import Latency
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.snapshot import Snapshot

#: The vendor's document: "If jitters or latency persist after you disable the estimation feature".
NEXT = (
    "look at what else stalls the host or the path: network diagnostics (on ACK the console has"
    " them; elsewhere mtr from both sides, mpstat for softirq and steal time)"
)


def blame(found: Latency, estimation: Estimation, snapshot: Snapshot, policy: Policy) -> str:
    """Say whether delays are the estimator's, and what to do where they are not.

    Only delays in its time, on a kernel whose timer does the work, while estimation may be on, are
    called consistent with it; a trace of its own runs strengthens that, or contradicts it.

    Raises:
        GarbledEvidenceError: the evidence does not parse.
    """
    rhythm, delays = found.rhythm, len(found.spikes)
    longest = duration(max(one.height for one in found.spikes))
    if rhythm.estimator and rhythm.period is not None:
        above = f" above {duration(rhythm.above)}" if rhythm.among != delays else ""
        paced = (
            f"period {duration(rhythm.period)}, {rhythm.members} of {rhythm.among} delays"
            f"{above}, up to {longest}"
        )
        told = _in_time(paced, found, estimation, snapshot, policy)
    else:
        told = _out_of_time(
            f"{delays} delays of up to {longest}", found, estimation, snapshot, policy
        )
    unseen = unseen_words(snapshot.ran) if snapshot.ran is not None else ""
    return f"{told}; {unseen}" if unseen else told


def _out_of_time(
    said: str, found: Latency, estimation: Estimation, snapshot: Snapshot, policy: Policy
) -> str:
    ran, spike, rhythm = snapshot.ran, policy.latency_spike_ms / 1000, found.rhythm
    if ran is not None and (holds := held(ran, spike)):
        return (
            f"{said}, not shown to be in the estimator's time; but {held_words(ran, holds)},"
            f" {_as_long(found, holds)}: it does stall this host, {_against(estimation, policy)}"
        )
    short = f" ({brief_words(ran)})" if ran is not None and brief(ran, spike) else ""
    if estimation is not Estimation.OFF and rhythm.likely and not short:
        return (
            f"{said}, of which {rhythm.members} may be in the estimator's time: not enough to tell;"
            " measure for longer (latency_seconds in the policy)"
        )
    every = (snapshot.census.host, *snapshot.census.others)
    timers = sum(1 for one in every if one.holds_rules)
    several = (
        f" ({timers} namespaces hold IPVS rules, each with a timer of its own, which the test does"
        " not take apart)"
        if estimation is not Estimation.OFF and timers > 1 and not short
        else ""
    )
    return f"{said}, not in the estimator's time: not the estimator{short}{several}; {NEXT}"


def _in_time(
    paced: str, found: Latency, estimation: Estimation, snapshot: Snapshot, policy: Policy
) -> str:
    ran, spike = snapshot.ran, policy.latency_spike_ms / 1000
    holds = held(ran, spike)
    if ran is not None and holds and estimation is Estimation.OFF:
        return (
            f"delays in the estimator's time ({paced}), and {held_words(ran, holds)},"
            f" {_as_long(found, holds)}, {_against(estimation, policy)}"
        )
    short = f"; {brief_words(ran)}" if ran is not None and brief(ran, spike) else ""
    if estimation is Estimation.OFF:
        return (
            f"delays in the estimator's time ({paced}), although estimation is off{short}: not"
            f" attributed; {NEXT}"
        )
    if snapshot.exposure.generation == "kthread":
        return (
            f"delays in the time of an older kernel's estimator ({paced}), but here threads do its"
            f" work in slices: not attributed; {NEXT}"
        )
    if short:
        return f"delays in the estimator's time ({paced}), but{short[1:]}: not attributed; {NEXT}"
    told = f"consistent with the IPVS estimator, {paced}"
    if ran is not None and holds:
        told += f"; {held_words(ran, holds)}, {_as_long(found, holds)}"
    if estimation is Estimation.UNKNOWN:
        told += "; whether estimation is on could not be seen: run as root"
    if policy.estimation == "enabled":
        told += "; the policy wants it enabled, and this is its price"
    return told


def _as_long(found: Latency, holds: tuple[float, ...]) -> str:
    count, delays = alike(found.spikes, holds), len(found.spikes)
    if not count:
        return "which is not as long as these delays are"
    return f"as long as {'all' if count == delays else f'{count} of the {delays}'} delays"


def _against(estimation: Estimation, policy: Policy) -> str:
    """What to do where the timer was seen to hold a CPU and the period alone does not tell."""
    if estimation is Estimation.OFF:
        return (
            "although estimation is off by what the probe read: look for a namespace that it did"
            " not see, or for what has changed the value since"
        )
    if policy.estimation == "enabled":
        return "which is the price of what the policy wants"
    return "so switch estimation off, and measure again"
