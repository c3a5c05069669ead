"""Whose the delays are, in an operator's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.latency.words import Estimation, ms

if TYPE_CHECKING:
    from ipvs_audit.latency.analysis import Latency
    from ipvs_audit.policy import Policy
    from ipvs_audit.snapshot import Snapshot

#: The vendor's document: "If jitters or latency persist after you disable the estimation feature".
NEXT = (
    "look at what else stalls the host or the path: network diagnostics (on ACK the console has"
    " them; elsewhere mtr from both sides, mpstat for softirq and steal time)"
)


def blame(found: Latency, estimation: Estimation, snapshot: Snapshot, policy: Policy) -> str:
    """Say whether delays are the estimator's, and what to do where they are not.

    Only delays in its time, on a kernel whose timer does the work, while estimation may be on, are
    called consistent with it.

    Raises:
        GarbledEvidenceError: the evidence does not parse.
    """
    rhythm, delays = found.rhythm, len(found.spikes)
    longest = ms(max(one.height for one in found.spikes))
    if rhythm.estimator and rhythm.period is not None:
        above = f" above {ms(rhythm.above)}" if rhythm.among != delays else ""
        paced = (
            f"period {rhythm.period:.1f} s, {rhythm.members} of {rhythm.among} delays"
            f"{above}, up to {longest}"
        )
        return _in_time(paced, estimation, snapshot, policy)
    said = f"{delays} delays of up to {longest}"
    if estimation is not Estimation.OFF and rhythm.likely:
        return (
            f"{said}, of which {rhythm.members} may be in the estimator's time: not enough to tell;"
            " measure for longer (latency_seconds in the policy)"
        )
    every = (snapshot.census.host, *snapshot.census.others)
    timers = sum(1 for one in every if one.holds_rules)
    several = (
        f" ({timers} namespaces hold IPVS rules, each with a timer of its own, which the test does"
        " not take apart)"
        if estimation is not Estimation.OFF and timers > 1
        else ""
    )
    return f"{said}, not in the estimator's time: not the estimator{several}; {NEXT}"


def _in_time(paced: str, estimation: Estimation, snapshot: Snapshot, policy: Policy) -> str:
    if estimation is Estimation.OFF:
        return (
            f"delays in the estimator's time ({paced}), although estimation is off: not"
            f" attributed; {NEXT}"
        )
    if snapshot.exposure.generation == "kthread":
        return (
            f"delays in the time of an older kernel's estimator ({paced}), but here threads do its"
            f" work in slices: not attributed; {NEXT}"
        )
    told = f"consistent with the IPVS estimator, {paced}"
    if estimation is Estimation.UNKNOWN:
        told += "; whether estimation is on could not be seen: run as root"
    if policy.estimation == "enabled":
        told += "; the policy wants it enabled, and this is its price"
    return told
