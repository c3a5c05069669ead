"""A trace: when each round trip began and how long it took, and how it is written down.

A trace is a section of the snapshot (:data:`SECTION`; before remediation :data:`BEFORE`), so
that saved evidence gives the verdict that live evidence gave. Times are whole microseconds in it.

>>> trace = RoundTrips("ssh", 0.005, sent=(0.0, 0.005), rtt=(0.0003, None), limit=2.0)
>>> decode(encode(trace, command="cat over SSH", at=12.5)) == trace
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Literal, cast, get_args

from ipvs_audit.model.limits import ROUND_TRIPS_MOST
from ipvs_audit.snapshot.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The section's name: the latest measurement, and the one before remediation.
SECTION = "latency"
BEFORE = "latency.before"

Via = Literal["icmp", "ssh"]

#: The longest time in a trace, in microseconds: an hour.
_LONGEST = 3_600_000_000
_FORM = "trace 1"
_MICROSECONDS = re.compile(r"[0-9]{1,10}")
_ENDED = re.compile(r"[ -~]{0,500}")
_STARTED = re.compile(r"([0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?Z)?")


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Round trips from the controller to one host, by the controller's monotonic clock.

    Attributes:
        via: ``icmp`` (echo requests) or ``ssh`` (one byte to a ``cat`` on the host and back).
        interval: seconds from one sending to the next, as planned. Sending does not wait for
            answers, so a stall of the host shows in every round trip that it caught.
        sent: when each round trip began, in seconds since the first, rising.
        rtt: how long each took, in seconds; None = no answer within ``limit``.
        limit: seconds that an answer was waited for.
        stalls: when the controller itself did not run, by its own clock: start (on the clock of
            ``sent``, at least 0) and length in seconds. What was under way then says nothing of
            the host.
        ended: why the measurement ended before its time, or never began; else empty.
        started: UTC of the first sending, ISO 8601 with milliseconds; empty where it never began.
    """

    via: Via
    interval: float
    sent: tuple[float, ...]
    rtt: tuple[float | None, ...]
    limit: float
    stalls: tuple[tuple[float, float], ...] = ()
    ended: str = ""
    started: str = ""


def encode(trace: RoundTrips, *, command: str, at: float = 0.0, name: str = SECTION) -> Section:
    """A trace as a section.

    Args:
        trace: at most ``ROUND_TRIPS_MOST`` round trips; ``sent`` must not fall.
        command: what was done, as a person would type it.
        at: the host's uptime, as in every section; a snapshot that it is added to sets its own.
        name: :data:`SECTION` or :data:`BEFORE`.
    """
    sent = [_microseconds(one) for one in trace.sent]
    apart = [later - earlier for earlier, later in pairwise([0, *sent])]
    rtt = ["-" if one is None else str(_microseconds(one)) for one in trace.rtt]
    stalls = [f"{_microseconds(at)}+{_microseconds(length)}" for at, length in trace.stalls]
    lines = (
        f"form={_FORM}",
        f"via={trace.via}",
        f"started={trace.started}",
        f"ended={re.sub('[^ -~]', '?', trace.ended)[:500]}",
        f"interval={_microseconds(trace.interval)}",
        f"limit={_microseconds(trace.limit)}",
        f"stalls={' '.join(stalls)}",
        f"sent={' '.join(map(str, apart))}",
        f"rtt={' '.join(rtt)}",
        "end",
    )
    return Section(name, command, "\n".join(lines) + "\n", None, at)


def decode(section: Section) -> RoundTrips:
    """The trace that a section holds.

    Raises:
        GarbledEvidenceError: it is not what :func:`encode` writes.
    """
    section.whole_lines()
    fields = section.fields()
    words = {key: values[0] for key, values in fields.items() if len(values) == 1}
    if words.get("form") != _FORM:
        raise section.garbled(f"its form is {words.get('form', '')[:40]!r}, not {_FORM!r}")
    via = words.get("via", "")
    if via not in get_args(Via):
        raise section.garbled(f"the method is {via[:40]!r}")
    texts = {"ended": _ENDED, "started": _STARTED}
    for key, form in texts.items():
        if key not in words or not form.fullmatch(words[key]):
            raise section.garbled(f"{key!r} is {words.get(key, '')[:40]!r}")

    apart = _numbers(section, words, "sent")
    sent = tuple(accumulate(apart))
    rtt = tuple(
        None if word == "-" else _number(section, "rtt", word) for word in _list(words, "rtt")
    )
    if len(sent) != len(rtt) or len(sent) > ROUND_TRIPS_MOST:
        raise section.garbled(f"{len(sent)} sent and {len(rtt)} answers do not fit")
    if sent and (sent[0] or sent[-1] > _LONGEST):
        raise section.garbled("it does not begin at 0, or is longer than an hour")
    interval = _number(section, "interval", words.get("interval", ""))
    if not interval:
        raise section.garbled("the interval is 0")
    return RoundTrips(
        via=cast("Via", via),
        interval=interval / 1e6,
        sent=_seconds(sent),
        rtt=tuple(None if one is None else one / 1e6 for one in rtt),
        limit=_number(section, "limit", words.get("limit", "")) / 1e6,
        stalls=tuple(_stall(section, word) for word in _list(words, "stalls")[:ROUND_TRIPS_MOST]),
        ended=words["ended"],
        started=words["started"],
    )


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _seconds(values: Iterable[int]) -> tuple[float, ...]:
    return tuple(value / 1e6 for value in values)


def _list(words: dict[str, str], key: str) -> list[str]:
    return words.get(key, "").split(" ") if words.get(key) else []


def _numbers(section: Section, words: dict[str, str], key: str) -> list[int]:
    return [_number(section, key, word) for word in _list(words, key)]


def _number(section: Section, what: str, text: str) -> int:
    """Microseconds, at most an hour of them."""
    if not _MICROSECONDS.fullmatch(text) or int(text) > _LONGEST:
        raise section.garbled(f"{what} holds {text[:40]!r}, not microseconds")
    return int(text)


def _stall(section: Section, word: str) -> tuple[float, float]:
    start, plus, length = word.partition("+")
    if not plus:
        raise section.garbled(f"stalls holds {word[:40]!r}")
    return _number(section, "stalls", start) / 1e6, _number(section, "stalls", length) / 1e6
