"""How long the estimator itself ran on a host: asked by ran.sh, kept raw, read here.

The strongest attribution there is: not that delays look like the estimator's, but that its timer
held a CPU for so long, so often. On kernels from 6.2 on its threads' CPU time says how much work
there is, not for how long a CPU was held: they sleep between slices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, cast

from ipvs_audit.snapshot.section import number

if TYPE_CHECKING:
    from ipvs_audit.snapshot.section import Section

#: The section's name.
SECTION = "latency.trace"
#: Seconds for which runs are timed: three of the timer's, or four.
SECONDS = 7

_NONCE = re.compile(r"[0-9a-f]{32}")
_EVENT = re.compile(
    r".{1,64}? +\[([0-9]{1,5})\] +\S{1,8} +([0-9]{1,9})\.([0-9]{6}): (run|end): \(.*\)"
)
_THREAD = re.compile(r"([0-9]{1,10}) (ipvs-e:[ -~]{0,16}) ([0-9]{1,20})")
_KINDS = ("timer", "threads", "none")


@dataclass(frozen=True, slots=True)
class Ran:
    """The estimator's own runs.

    Attributes:
        kind: ``timer`` (up to Linux 6.1), ``threads`` (from 6.2 on), ``none`` where there is
            neither.
        seconds: for how long it was looked at.
        runs: seconds that each run took, in order of time; of threads, the CPU time of each.
        refused: why it could not be looked at; else empty.
    """

    kind: Literal["timer", "threads", "none"]
    seconds: int
    runs: tuple[float, ...]
    refused: str = ""


@cache
def _template() -> str:
    text = (files(__package__) / "ran.sh").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"


def render(nonce: str, *, seconds: int = SECONDS) -> bytes:
    """The script as it goes to a host, to be fed to ``sh`` as root.

    Raises:
        ValueError: for a nonce that is not 32 hex digits, or a time that is not 1 to 60 seconds.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError(f"the nonce {nonce!r} is not 32 hex digits")
    if not 1 <= seconds <= 60:  # noqa: PLR2004
        raise ValueError(f"{seconds} s is not 1 to 60 s")
    script = _template().replace("@NONCE@", nonce).replace("@SECONDS@", str(seconds))
    return script.replace("@TAG@", nonce[:12]).encode()


def parse(section: Section) -> Ran:
    """What the script saw.

    Raises:
        GarbledEvidenceError: the section is not what it prints.
    """
    section.whole_lines()
    fields = section.fields()
    kind, seconds = (fields.get(name, ("",))[0] for name in ("kind", "seconds"))
    if kind not in _KINDS:
        raise section.garbled(f"the kind is {kind[:40]!r}")
    length = number(section, "seconds", seconds)
    runs: tuple[float, ...] = ()
    if kind == "timer":
        runs = _timer(section, fields.get("event", ()))
    elif kind == "threads":
        runs = _threads(section, fields)
    return Ran(
        cast("Literal['timer', 'threads', 'none']", kind),
        length,
        runs,
        fields.get("refused", ("",))[0][:200],
    )


def _timer(section: Section, events: tuple[str, ...]) -> tuple[float, ...]:
    """Runs that began and ended while we looked; a timer's run stays on its CPU."""
    began: dict[str, int] = {}
    runs = []
    for event in events:
        found = _EVENT.fullmatch(event)
        if found is None:
            raise section.garbled(f"an event reads {event[:80]!r}")
        cpu, at = found[1], int(found[2]) * 1_000_000 + int(found[3])
        if found[4] == "run":
            began[cpu] = at
        elif cpu in began:
            runs.append(max(0, at - began.pop(cpu)) / 1e6)
    return tuple(runs)


def _threads(section: Section, fields: dict[str, tuple[str, ...]]) -> tuple[float, ...]:
    """The CPU time of each thread that was there at both ends."""
    first, last = (_times(section, fields.get(name, ())) for name in ("first", "last"))
    return tuple(max(0, last[one] - first[one]) / 1e9 for one in first if one in last)


def _times(section: Section, said: tuple[str, ...]) -> dict[str, int]:
    times = {}
    for one in said:
        found = _THREAD.fullmatch(one)
        if found is None:
            raise section.garbled(f"a thread reads {one[:80]!r}")
        times[f"{found[1]} {found[2]}"] = int(found[3])
    return times
