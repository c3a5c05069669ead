"""What the estimator's own runs say, and what they do not: pure functions.

A trace strengthens an attribution, or contradicts one; it never makes a failure a pass. What was
not seen says nothing, whatever the reason.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from ipvs_audit.latency.round_trips_text import Estimation
from ipvs_audit.model.text import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipvs_audit.latency.spikes import Spike
    from ipvs_audit.snapshot.estimator_runs import EstimatorRuns

#: Seconds from which a run of the timer is work. With estimation off it still fires every 2 s, and
#: returns at once (``estimation_timer`` in net/netfilter/ipvs/ip_vs_est.c): microseconds. So does
#: ``estimation_work``, its like in the vendor's 4.19.
WORK = 0.001
#: Runs below this share of a delay's threshold cannot be the delays.
_SHORT = 0.5
#: A delay is as long as the timer's hold within this factor.
_SIMILAR = 2.0
_LISTED = 12


def long_holds(seen: EstimatorRuns | None, spike: float) -> tuple[float, ...]:
    """Seconds for which the timer held a CPU, where they are enough for delays, and no accident.

    Args:
        seen: the estimator's runs.
        spike: seconds above the median from which a round trip is delayed.

    Returns:
        each such hold; nothing for a single one among shorter ones, nor where two runs may stand
        there as one.
    """
    if seen is None or seen.doubtful:
        return ()
    long = tuple(one for one in seen.holds if one > spike)
    return long if len(long) > 1 or len(seen.holds) == 1 else ()


def all_too_short(seen: EstimatorRuns | None, spike: float) -> bool:
    """Whether all runs were seen, and were too short for delays."""
    if seen is None or seen.doubtful or seen.fewer or len(seen.holds) < 2:  # noqa: PLR2004
        return False
    return max(seen.holds) < _SHORT * spike


def matching_delays(spikes: Sequence[Spike], holds: Sequence[float]) -> int:
    """How many delays are as long as the timer's holds."""
    typical = median(holds)
    return sum(typical / _SIMILAR <= one.height <= typical * _SIMILAR for one in spikes)


def holds_text(seen: EstimatorRuns, holds: Sequence[float]) -> str:
    """That the timer held a CPU, how long and how often: ``88 ms to 92 ms, 3 times in 7.1 s``."""
    low, high = duration(min(holds)), duration(max(holds))
    length = low if low == high else f"{low} to {high}"
    return (
        f"the estimator's {_form(seen)} was seen to hold a CPU for {length},"
        f" {_times(len(holds))} in {duration(seen.seconds)}"
    )


def short_runs_text(seen: EstimatorRuns) -> str:
    """That it ran, and for how short a time."""
    return (
        f"the estimator's {_form(seen)} was seen to run {_times(len(seen.runs))} in"
        f" {duration(seen.seconds)}, for at most {duration(max(seen.holds))}"
    )


def no_runs_reason(seen: EstimatorRuns) -> str:
    """Why no run was seen, and that it proves nothing; empty where some was."""
    if seen.kind == "none" or seen.refused:
        return f"the estimator's own runs were not traced: {seen.refused or 'no reason was given'}"
    if seen.runs:
        return ""
    if seen.kind == "threads":
        why = (
            "the CPU time of its threads could not be read, or they ended meanwhile"
            if seen.fewer
            else "no thread ipvs-e:* was there"
        )
    elif seen.kprobes == "0":
        why = "probe events are switched off there (/sys/kernel/debug/kprobes/enabled is 0)"
    elif seen.ftrace == "0":
        why = "probe events are switched off there (kernel.ftrace_enabled is 0)"
    elif seen.doubtful or seen.fewer:
        why = "events were lost"
    elif seen.kprobes == "unknown":
        why = (
            "whether probe events are switched on could not be read"
            " (/sys/kernel/debug/kprobes/enabled: debugfs)"
        )
    else:
        why = "probe events are switched on, but none came"
    return (
        f"no run of the estimator was seen in {duration(seen.seconds)}, which proves nothing: {why}"
    )


def estimator_runs_text(seen: EstimatorRuns | None, estimation: Estimation) -> str:
    """What an operator reads of a trace, a line each; empty where nobody asked for one."""
    if seen is None:
        return ""
    lines = [no_runs_reason(seen) or _runs_text(seen)]
    if estimation is Estimation.OFF and at_work(seen):
        lines.append(
            "which contradicts what the probe read, that estimation is off: look for a namespace"
            " that it did not see, or for what has changed the value since"
        )
    if seen.runs and seen.doubtful:
        lines.append(
            "events were lost in between: two runs may appear as one; not used for the verdict"
        )
    elif seen.runs and seen.fewer:
        lines.append("some runs were not recorded: the numbers are a lower bound")
    lines += [f"left behind on the host by this trace or a dead one: {one}" for one in seen.left]
    lines += [f"removed what a dead trace had left: {one}" for one in seen.removed]
    lines += [
        f"there is {one} of a trace in another namespace of process ids; if none is at work there,"
        " remove it (docs/latency.md)"
        for one in seen.other
    ]
    return "\n".join(lines)


def at_work(seen: EstimatorRuns) -> bool:
    """Whether somebody's estimator was seen at work, which an idle timer's runs are not."""
    if seen.kind == "threads":
        return sum(seen.runs) > WORK
    return not seen.doubtful and sum(one >= WORK for one in seen.runs) > 1


def _runs_text(seen: EstimatorRuns) -> str:
    total = duration(sum(seen.runs))
    if seen.kind == "threads":
        threads = f"{len(seen.runs)} threads" if len(seen.runs) > 1 else "thread"
        return (
            f"the estimator's {threads} took {total} of CPU time in {duration(seen.seconds)}:"
            " work in slices, which causes no stalls"
        )
    listed = ", ".join(map(duration, seen.holds[:_LISTED]))
    more = len(seen.holds) - _LISTED
    also = f" and {more} more" if more > 0 else ""
    several = f"{len(seen.runs)} runs, " if len(seen.runs) != len(seen.holds) else ""
    text = (
        f"the estimator's {_form(seen)} held a CPU {_times(len(seen.holds))} in"
        f" {duration(seen.seconds)} ({several}{total} in all): {listed}{also}"
    )
    return text + ("; tasks waited meanwhile, softirqs ran" if seen.kind == "work" else "")


def _form(seen: EstimatorRuns) -> str:
    """What estimates there, beside threads."""
    return "delayed work" if seen.kind == "work" else "timer"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
