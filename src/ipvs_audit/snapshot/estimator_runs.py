"""How long the estimator itself ran on a host: kept raw as a section, and parsed here.

The strongest attribution there is: not that delays look like the estimator's, but that its timer
held a CPU for so long, so often. Delayed work (the vendor's 4.19) holds one as well, but softirqs
still run in between. On kernels from 6.2 on its threads' CPU time says how much work
there is, not for how long a CPU was held: they sleep between slices.

Not to have seen a run proves nothing: probe events can be switched off, or lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from ipvs_audit.model.limits import ESTIMATOR_TRACE_EVENTS
from ipvs_audit.snapshot.section import Section, decimal, number

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The section's name: the latest trace, and the one before remediation.
SECTION = "latency.trace"
BEFORE = "latency.trace.before"

Kind = Literal["timer", "work", "threads", "none"]
#: A switch of the kernel's: on, off, or not readable.
Switch = Literal["1", "0", "unknown"]

_EVENT = re.compile(r"([0-9]{1,5}) ([0-9]{1,9})\.([0-9]{6}) (run|end)")
_THREAD = re.compile(r"([0-9]{1,10}) (ipvs-e:[ -~]{0,16}) ([0-9]{1,20}|-)")
_SYMBOL = re.compile(r"(?:ip_vs:)?estimation_(?:timer|work)[a-z0-9.]{0,60}")
_PLAIN = re.compile("[^ -~]")
_TEXT, _TEXTS = 500, 20
#: Microseconds between two runs on a CPU up to which they are one hold of it.
_APART = 1000


@dataclass(frozen=True, slots=True)
class EstimatorRuns:
    """The estimator's own runs.

    Attributes:
        kind: ``timer`` (mainline up to 6.1), ``work`` (delayed work, the vendor's 4.19),
            ``threads`` (from 6.2 on), ``none`` where it was not looked at.
        seconds: for how long it was looked at.
        runs: seconds that each run of the timer or work took, in order of time; of threads, the
            CPU time of each.
        holds: seconds for which the timer held a CPU: runs of several namespaces' timers that
            follow each other on one CPU are one. Empty for threads, which hold none.
        refused: why it could not be looked at; else empty.
        fewer: there were more runs, or more CPU time, than are told here.
        doubtful: events are missing in between, so that two runs may stand here as one.
        kprobes, ftrace: whether the kernel's switches let probe events work.
        left: what the script could not remove from the host, of its own or of a dead run's.
        removed: what a dead run had left there, and this one removed.
        other: what a run in another namespace of process ids has there, or has left.
        symbol: the function that was, or would be, traced: ``ip_vs:estimation_timer``; empty for
            threads, and where the kernel shows none.
    """

    kind: Kind
    seconds: float
    runs: tuple[float, ...]
    holds: tuple[float, ...] = ()
    refused: str = ""
    fewer: bool = False
    doubtful: bool = False
    kprobes: Switch = "unknown"
    ftrace: Switch = "unknown"
    left: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    symbol: str = ""


def refusal(why: str) -> Section:
    """A section that says that nothing was looked at, and why, in one line."""
    text = f"kind=none\nseconds=0\nrefused={_PLAIN.sub('?', why)[:_TEXT]}\nend\n"
    return Section(SECTION, "# nothing was traced", text, None, 0.0)


def parse(section: Section) -> EstimatorRuns:
    """What the script saw.

    Raises:
        GarbledEvidenceError: the section is not what it prints.
    """
    section.whole_lines()
    fields = section.fields()

    def one(name: str, default: str = "") -> str:
        return fields.get(name, (default,))[0]

    def texts(name: str) -> tuple[str, ...]:
        return tuple(_PLAIN.sub("?", text)[:_TEXT] for text in fields.get(name, ())[:_TEXTS])

    def switch(name: str) -> Switch:
        if (text := one(name, "unknown")) not in get_args(Switch):
            raise section.garbled(f"{name} is {text[:40]!r}")
        return cast("Switch", text)

    if (symbol := one("symbol")) and not _SYMBOL.fullmatch(symbol):
        raise section.garbled(f"the symbol is {symbol[:60]!r}")
    kind = one("kind")
    if kind not in get_args(Kind):
        raise section.garbled(f"the kind is {kind[:40]!r}")
    runs: tuple[float, ...] = ()
    holds: tuple[float, ...] = ()
    fewer = number(section, "overrun", one("overrun", "0")) > 0
    if kind in ("timer", "work"):
        events = fields.get("event", ())
        fewer = fewer or len(events) > ESTIMATOR_TRACE_EVENTS
        runs, holds = _timer(section, events[:ESTIMATOR_TRACE_EVENTS])
    elif kind == "threads":
        runs, fewer = _threads(section, fields)
    return EstimatorRuns(
        cast("Kind", kind),
        decimal(section, "seconds", one("seconds")),
        runs,
        holds,
        refused=_PLAIN.sub("?", one("refused"))[:_TEXT],
        fewer=fewer,
        doubtful=number(section, "missed", one("missed", "0")) > 0,
        kprobes=switch("kprobes"),
        ftrace=switch("ftrace"),
        left=texts("left"),
        removed=texts("removed"),
        other=texts("other"),
        symbol=symbol,
    )


def _timer(section: Section, events: Iterable[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Runs that began and ended while we looked, and holds.

    A timer's run stays on its CPU; so does that of work on the system's workqueue, which is bound.
    """
    began: dict[str, int] = {}
    runs: list[float] = []
    holds: list[tuple[int, int]] = []
    latest: dict[str, int] = {}
    for event in events:
        found = _EVENT.fullmatch(event)
        if found is None:
            raise section.garbled(f"an event reads {event[:80]!r}")
        cpu, at = found[1], int(found[2]) * 1_000_000 + int(found[3])
        if found[4] == "run":
            began[cpu] = at
        elif cpu in began:
            start, end = began.pop(cpu), at
            runs.append(max(0, end - start) / 1e6)
            last = latest.get(cpu)
            if last is not None and start - holds[last][1] <= _APART:
                holds[last] = (holds[last][0], end)
            else:
                latest[cpu] = len(holds)
                holds.append((start, end))
    return tuple(runs), tuple(max(0, end - start) / 1e6 for start, end in holds)


def _threads(
    section: Section, fields: dict[str, tuple[str, ...]]
) -> tuple[tuple[float, ...], bool]:
    """The CPU time that each thread took, and whether some took more.

    Of a thread that began while we looked it is all that it has; of one that ended it is not known.
    """
    first, last = (_times(section, fields.get(name, ())) for name in ("first", "last"))
    evidence, fewer = [], bool(first.keys() - last.keys())
    for one, after in last.items():
        before = first.get(one, 0)
        if after is None or before is None or after < before:
            fewer = True
        else:
            evidence.append((after - before) / 1e9)
    return tuple(evidence), fewer


def _times(section: Section, threads: tuple[str, ...]) -> dict[str, int | None]:
    times: dict[str, int | None] = {}
    for one in threads:
        found = _THREAD.fullmatch(one)
        if found is None:
            raise section.garbled(f"a thread reads {one[:80]!r}")
        times[f"{found[1]} {found[2]}"] = None if found[3] == "-" else int(found[3])
    return times
