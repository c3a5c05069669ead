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
    from ipvs_audit.snapshot.estimator_runs import Ran

#: Seconds from which a run of the timer is work. With estimation off it still fires every 2 s, and
#: returns at once (``estimation_timer`` in net/netfilter/ipvs/ip_vs_est.c): microseconds.
WORK = 0.001
#: Runs below this share of a delay's threshold cannot be the delays.
_BRIEF = 0.5
#: A delay is as long as the timer's hold within this factor.
_ALIKE = 2.0
_LISTED = 12


def held(ran: Ran | None, spike: float) -> tuple[float, ...]:
    """Seconds for which the timer held a CPU, where they are enough for delays, and no accident.

    Args:
        ran: the estimator's runs.
        spike: seconds above the median from which a round trip is delayed.

    Returns:
        each such hold; nothing for a single one among shorter ones, nor where two runs may stand
        there as one.
    """
    if ran is None or ran.doubtful:
        return ()
    long = tuple(one for one in ran.holds if one > spike)
    return long if len(long) > 1 or len(ran.holds) == 1 else ()


def brief(ran: Ran | None, spike: float) -> bool:
    """Whether all runs were seen, and were too short for delays."""
    if ran is None or ran.doubtful or ran.fewer or len(ran.holds) < 2:  # noqa: PLR2004
        return False
    return max(ran.holds) < _BRIEF * spike


def alike(spikes: Sequence[Spike], holds: Sequence[float]) -> int:
    """How many delays are as long as the timer's holds."""
    typical = median(holds)
    return sum(typical / _ALIKE <= one.height <= typical * _ALIKE for one in spikes)


def held_words(ran: Ran, holds: Sequence[float]) -> str:
    """That the timer held a CPU, how long and how often: ``88 ms to 92 ms, 3 times in 7.1 s``."""
    low, high = duration(min(holds)), duration(max(holds))
    length = low if low == high else f"{low} to {high}"
    return (
        f"the estimator's timer was seen to hold a CPU for {length},"
        f" {_times(len(holds))} in {duration(ran.seconds)}"
    )


def brief_words(ran: Ran) -> str:
    """That it ran, and for how short a time."""
    return (
        f"the estimator's timer was seen to run {_times(len(ran.runs))} in {duration(ran.seconds)},"
        f" for at most {duration(max(ran.holds))}"
    )


def unseen_words(ran: Ran) -> str:
    """Why no run was seen, and that it proves nothing; empty where some was."""
    if ran.kind == "none" or ran.refused:
        return f"the estimator's own runs were not traced: {ran.refused or 'no reason was given'}"
    if ran.runs:
        return ""
    if ran.kind == "threads":
        why = (
            "the CPU time of its threads could not be read, or they ended meanwhile"
            if ran.fewer
            else "no thread ipvs-e:* was there"
        )
    elif ran.kprobes == "0":
        why = "probe events are switched off there (/sys/kernel/debug/kprobes/enabled is 0)"
    elif ran.ftrace == "0":
        why = "probe events are switched off there (kernel.ftrace_enabled is 0)"
    elif ran.doubtful or ran.fewer:
        why = "events were lost"
    elif ran.kprobes == "unknown":
        why = (
            "whether probe events are switched on could not be read"
            " (/sys/kernel/debug/kprobes/enabled: debugfs)"
        )
    else:
        why = "probe events are switched on, but none came"
    return (
        f"no run of the estimator was seen in {duration(ran.seconds)}, which proves nothing: {why}"
    )


def ran_shown(ran: Ran | None, estimation: Estimation) -> str:
    """What an operator reads of a trace, a line each; empty where nobody asked for one."""
    if ran is None:
        return ""
    lines = [unseen_words(ran) or _seen(ran)]
    if estimation is Estimation.OFF and works(ran):
        lines.append(
            "which contradicts what the probe read, that estimation is off: look for a namespace"
            " that it did not see, or for what has changed the value since"
        )
    if ran.runs and ran.doubtful:
        lines.append("events were lost in between: two runs may stand here as one; not judged by")
    elif ran.runs and ran.fewer:
        lines.append("there was more than is told here: a lower bound")
    lines += [f"left behind on the host by this trace or a dead one: {one}" for one in ran.left]
    lines += [f"removed what a dead trace had left: {one}" for one in ran.removed]
    lines += [
        f"there is {one} of a trace in another namespace of process ids; if none is at work there,"
        " remove it (docs/latency.md)"
        for one in ran.other
    ]
    return "\n".join(lines)


def works(ran: Ran) -> bool:
    """Whether somebody's estimator was seen at work, which an idle timer's runs are not."""
    if ran.kind == "threads":
        return sum(ran.runs) > WORK
    return not ran.doubtful and sum(one >= WORK for one in ran.runs) > 1


def _seen(ran: Ran) -> str:
    total = duration(sum(ran.runs))
    if ran.kind == "threads":
        threads = f"{len(ran.runs)} threads" if len(ran.runs) > 1 else "thread"
        return (
            f"the estimator's {threads} took {total} of CPU time in {duration(ran.seconds)}:"
            " work in slices, which stalls nobody"
        )
    listed = ", ".join(map(duration, ran.holds[:_LISTED]))
    more = len(ran.holds) - _LISTED
    also = f" and {more} more" if more > 0 else ""
    several = f"{len(ran.runs)} runs, " if len(ran.runs) != len(ran.holds) else ""
    return (
        f"the estimator's timer held a CPU {_times(len(ran.holds))} in {duration(ran.seconds)}"
        f" ({several}{total} in all): {listed}{also}"
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
