"""The history in the terminal: the newest runs, who fails since when, how soon hosts are fixed."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted, duration, shortened, some_of
from ipvs_audit.report.history import SHOWN, Point
from ipvs_audit.report.summary import Status
from ipvs_audit.report.terminal import SHORT
from ipvs_audit.report.terminal_lines import print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console

    from ipvs_audit.report.history import History, OpenHost
    from ipvs_audit.report.history_runs import LeftOut

RUNS, NAMES, HOSTS, LEFT_OUT = 10, 5, 10, 5
_NAME = 64
_HEADS = SHORT | {Status.NOT_EVALUATED: "not ev."}


def render_history(
    history: History, left_out: Sequence[LeftOut], page: Path, console: Console
) -> None:
    """Print it; plain ASCII but for what names hold, and nothing of a name moves the cursor."""
    points = history.points
    since = f" since {day(points[0].started)}" if len(points) > 1 else ""
    console.print(Text(f"History of {counted(len(points), 'run')}{since}"))
    console.print()
    print_lines(console, _table(points[-RUNS:]))
    console.print()
    for line in _lines(history):
        print_lines(console, Text(line))
    for one in left_out[:LEFT_OUT]:
        print_lines(console, Text(_short(f"left out: {one.place}: {one.reason}", 400)))
    if (more := len(left_out) - LEFT_OUT) > 0:
        print_lines(console, Text(f"and {counted(more, 'more run')} left out: see the page"))
    console.print(Text(f"page: {one_line(str(page))}"), soft_wrap=True)


def day(moment: datetime) -> str:
    """When a run was started, to the minute, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def time_to_fix(history: History) -> str:
    """The mean, over how many fixes, and what it leaves out."""
    mean = history.mean_time_to_fix
    said = "not known yet" if mean is None else _length(mean)
    if mean is not None:
        said += f", over {history.fixes:,} fix{'' if history.fixes == 1 else 'es'}"
    if history.unknown_start:
        said += (
            f"; {history.unknown_start:,} more left out: not known since when the host had failed"
        )
    still = len(history.failing) + len(history.not_seen_fixed)
    return f"{said}; {counted(still, 'host')} not fixed yet, not in the mean" if still else said


def how_long(one: OpenHost, newest: Point) -> str:
    """For how long a host was seen to fail, e.g. ``3 d 2 h`` or ``at least 29 d``."""
    took = newest.started - one.since.started
    return ("at least " if one.earlier and took else "") + _length(took)


def _length(took: timedelta) -> str:
    return duration(took.total_seconds()) if took else "since this run"


def _table(points: Sequence[Point]) -> Table:
    shown = [one for one in SHOWN if any(point.hosts[one] for point in points)]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("run (UTC)", no_wrap=True)
    for head in (*(_HEADS.get(one, one.word) for one in shown), "new", "fixed"):
        table.add_column(head, justify="right", no_wrap=True)
    for point in points:
        counts = [f"{point.hosts[one]:,}" for one in shown]
        flow = ["-" if one is None else f"{one:,}" for one in (point.newly_failing, point.fixed)]
        table.add_row(day(point.started), *counts, *flow)
    return table


def _lines(history: History) -> Iterator[str]:
    newest = history.points[-1]
    if len(history.points) > 1:
        names = [f"{name} ({', '.join(ids)})" for name, ids in history.newly_failing.items()]
        yield f"newly failing: {_names(names)}"
        yield f"fixed: {_names([one.name for one in history.fixed])}"
    if failing := history.failing:
        yield "longest failing:"
        yield from _hosts(failing, newest)
    if unseen := history.not_seen_fixed:
        yield "not seen fixed, though they do not fail in the newest run:"
        yield from _hosts(unseen, newest)
    yield f"mean time to fix: {time_to_fix(history)}"


def _hosts(hosts: Sequence[OpenHost], newest: Point) -> Iterator[str]:
    for one in hosts[:HOSTS]:
        now = one.status.word if one.status else "not in the run"
        yield _short(
            f"  {_short(one.name, _NAME)}: {', '.join(one.controls)}, "
            f"{how_long(one, newest)}, now {now}",
            200,
        )
    if (more := len(hosts) - HOSTS) > 0:
        yield f"  and {counted(more, 'more host')}: see the page"


def _names(names: Sequence[str]) -> str:
    return some_of([_short(one, _NAME) for one in names], NAMES) or "none"


def _short(text: str, most: int) -> str:
    return shortened(one_line(text), most)
