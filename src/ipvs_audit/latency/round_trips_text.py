"""What an operator reads of a trace, and what else the verdict stands on: pure functions."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from ipvs_audit.latency.period import SHORTEST
from ipvs_audit.model.text import counted, duration

if TYPE_CHECKING:
    from ipvs_audit.latency.analysis import LatencyAnalysis
    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.snapshot.round_trips import RoundTrips

#: Round trips that a verdict needs.
FEWEST = 200
#: Share of the time that the controller may have been stalled, and of answers that may be lost.
MOST_STALLED = 0.2
MOST_LOST = 0.05
#: Share of the time that delays may last, however few they are. Delays close to each other are one,
#: so a path that is never at rest has a single one, without end.
MOST_DELAYED = 0.1
_METHODS = {"icmp": "ICMP echo requests", "ssh": "one byte and back over SSH"}
_LISTED = 12


class Estimation(Enum):
    """Whether the estimator runs, as far as the evidence tells."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


def estimation_of(snapshot: Snapshot) -> Estimation:
    """Whether it runs in some namespace that may hold rules.

    Raises:
        GarbledEvidenceError: the evidence does not parse.
    """
    if not snapshot.module.loaded:
        return Estimation.OFF
    census = snapshot.census
    judged = [one for one in (census.host, *census.others) if one.holds_rules is not False]
    if any(one.value not in (None, 0) and not one.stopped for one in judged):
        return Estimation.ON
    # A kernel without the switch estimates wherever there are rules.
    if any(one.holds_rules and one.why_unread == "absent" for one in judged):
        return Estimation.ON
    seen = census.complete and all(one.value is not None for one in judged)
    return Estimation.OFF if seen else Estimation.UNKNOWN


def round_trips_text(trace: RoundTrips, found: LatencyAnalysis) -> str:
    """The numbers, a line each."""
    if found.p50 is None or found.p99 is None or found.p999 is None or found.max is None:
        return f"{found.n} round trips by {_METHODS[trace.via]}, none of them answered"
    numbers = (
        f"{found.n} round trips by {_METHODS[trace.via]}, {duration(trace.interval)} apart:"
        f" median {duration(found.p50)}, p99 {duration(found.p99)}, p99.9 {duration(found.p999)},"
        f" longest {duration(found.max)};"
        f" {found.lost} without an answer within {duration(trace.limit)}"
    )
    lines = [numbers, delays_text(found)]
    if found.left_out:
        lines.append(
            f"excluded: {found.left_out} round trips while the controller itself was stalled"
            f" ({duration(found.stalled)} in all)"
        )
    return "\n".join(lines)


def delays_text(found: LatencyAnalysis) -> str:
    """The delays: when, and how long."""
    if not found.spikes:
        return "no delay"
    listed = [f"{one.at:.2f} s: {duration(one.height)}" for one in found.spikes[:_LISTED]]
    more = len(found.spikes) - len(listed)
    return (
        f"{counted(len(found.spikes), 'delay')}, {duration(found.delayed)} in all:"
        f" {', '.join(listed)}" + (f" and {more} more" if more else "")
    )


def steady(found: LatencyAnalysis, spikes: int) -> bool:
    """Whether there are no more delays than that, and they do not last."""
    return len(found.spikes) <= spikes and found.delayed <= MOST_DELAYED * found.span


def exposure_text(snapshot: Snapshot) -> str:
    """How much work estimation is there.

    Raises:
        GarbledEvidenceError: the evidence does not parse.
    """
    exposure = snapshot.exposure
    if exposure.reads_per_tick is None:
        return f"exposure not known ({exposure.generation} generation)"
    return (
        f"exposure: {exposure.services} services and {exposure.destinations} destinations x"
        f" {exposure.possible_cpus} possible CPUs = {exposure.reads_per_tick} reads per 2 s tick"
        f" while estimation runs ({exposure.generation} generation){exposure.stall_text}"
    )


def insufficient_because(found: LatencyAnalysis) -> str:
    """Why a trace cannot carry a verdict; empty where it can."""
    if found.n < FEWEST:
        return f"{found.n} round trips are too few: {FEWEST} are needed"
    if found.span < SHORTEST:
        return f"{duration(found.span)} are too short: the period test needs {duration(SHORTEST)}"
    if found.stalled > MOST_STALLED * found.span or found.left_out > MOST_STALLED * (
        found.n + found.left_out
    ):
        return (
            f"the controller itself was stalled for {duration(found.stalled)} of"
            f" {duration(found.span)}: measure from a machine with less load"
        )
    if found.lost > MOST_LOST * found.n:
        return (
            f"{found.lost} of {found.n} round trips had no answer in time:"
            " look at the network, or at --latency-via"
        )
    return ""
