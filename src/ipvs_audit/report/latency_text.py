"""Latency as reports show it: rows of numbers, and JUnit properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipvs_audit.model.results import HostResult, LatencyResult, Run, TraceResult

_MOST_EASED = 5
_METHODS = {"icmp": "ICMP echo", "ssh": "a byte over SSH"}


def _or_dash(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)


def _period(one: LatencyResult) -> str:
    if one.period is None:
        return "none"
    kept = "at the estimator's period" if one.estimator else "not shown to be the estimator's"
    return (
        f"{duration(one.period)}, {one.members} of {one.among} above {duration(one.above)}; {kept}"
    )


def _trace(one: LatencyResult) -> str:
    seen = one.trace
    if seen is None:
        return ""
    if seen.unseen:
        return seen.unseen
    least = "" if seen.whole else "; events were lost, so there was more"
    if seen.kind == "threads":
        cpu_time = f"{duration(seen.total)} of CPU time in {duration(seen.seconds)}"
        return f"threads took {cpu_time}, in slices{least}"
    form = "delayed work" if seen.kind == "work" else "timer"
    return (
        f"{form} ran {seen.runs:,} times in {duration(seen.seconds)}, {duration(seen.total)} in"
        f" all; held a CPU for up to {duration(seen.longest)}{least}"
    )


_ROWS: dict[str, Callable[[LatencyResult], str]] = {
    "measured by": lambda one: _METHODS.get(one.via, one.via),
    "round trips": lambda one: f"{one.n:,}",
    "without an answer": lambda one: f"{one.lost:,}",
    "excluded, controller stalled": lambda one: f"{one.left_out:,}, {duration(one.stalled)}",
    "median": lambda one: _or_dash(one.p50),
    "p99": lambda one: _or_dash(one.p99),
    "p99.9": lambda one: _or_dash(one.p999),
    "longest": lambda one: _or_dash(one.max),
    "delayed above": lambda one: _or_dash(one.threshold),
    "delays": lambda one: f"{one.spikes}, up to {duration(one.highest)}" if one.spikes else "none",
    "period": _period,
    "the estimator itself": _trace,
    "left behind by the trace": lambda one: "; ".join(one.trace.left) if one.trace else "",
    "ended early": lambda one: one.ended,
}


def rows(host: HostResult) -> list[tuple[str, tuple[str, ...]]]:
    """Label and values, before (where there is one) and now; rows with nothing to say left out."""
    measured = [one for one in (host.latency_before, host.latency) if one is not None]
    shown = [(label, tuple(show(one) for one in measured)) for label, show in _ROWS.items()]
    return [(label, values) for label, values in shown if any(values)]


def latency_changes(run: Run) -> list[str]:
    """What remediation did to the latency, a line for each of the hosts delayed the longest.

    Nothing where no host was measured both before and after.
    """
    both = [
        (host.name, host.latency_before, host.latency)
        for host in run.hosts
        if host.latency_before is not None and host.latency is not None
    ]
    both.sort(key=lambda one: -one[1].highest)
    lines = [
        f"latency of {name}: {_delays(before)} before remediation; {_delays(now)} after it"
        for name, before, now in both[:_MOST_EASED]
    ]
    if (more := len(both) - len(lines)) > 0:
        lines.append(f"and the latency of {more:,} more hosts, before and after, in the report")
    return lines


def _delays(one: LatencyResult) -> str:
    if one.ended:
        return "not measured to the end"
    delays = (
        f"{counted(one.spikes, 'delay')} up to {duration(one.highest)}"
        if one.spikes
        else "no delay"
    )
    period = (
        f", one every {duration(one.period)}" if one.period is not None and one.estimator else ""
    )
    return f"{delays}{period}, p99.9 {_or_dash(one.p999)}"


def properties(host: HostResult) -> Iterator[tuple[str, str]]:
    """JUnit properties: plain numbers, in milliseconds and seconds, for machines to plot."""
    for prefix, one in (("latency before", host.latency_before), ("latency", host.latency)):
        if one is None:
            continue
        for label, value in (("p50", one.p50), ("p99", one.p99), ("p99.9", one.p999)):
            if value is not None:
                yield f"{prefix} {label} ms", f"{1000 * value:.3f}"
        if one.max is not None:
            yield f"{prefix} max ms", f"{1000 * one.max:.3f}"
        yield f"{prefix} round trips", str(one.n)
        yield f"{prefix} lost", str(one.lost)
        yield f"{prefix} delays", str(one.spikes)
        if one.period is not None:
            yield f"{prefix} period s", f"{one.period:.3f}"
            yield f"{prefix} at the estimator's period", "yes" if one.estimator else "no"
        if one.trace is not None:
            yield from _traced(f"{prefix} trace", one.trace)


def _traced(prefix: str, seen: TraceResult) -> Iterator[tuple[str, str]]:
    if seen.unseen:
        yield prefix, one_line(seen.unseen)
    else:
        yield f"{prefix} runs", str(seen.runs)
        yield f"{prefix} total ms", f"{1000 * seen.total:.3f}"
        if seen.kind == "timer":
            yield f"{prefix} longest ms", f"{1000 * seen.longest:.3f}"
        yield f"{prefix} seconds", f"{seen.seconds:.1f}"
    if seen.left:
        yield f"{prefix} left behind", one_line("; ".join(seen.left))
