"""Sending round trips by the clock, and noticing when the controller itself was stalled."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.model.limits import ROUND_TRIPS_MOST
from ipvs_audit.model.text import duration
from ipvs_audit.snapshot.round_trips import RoundTrips, Via

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds by which this program may wake late before that counts as a stall.
LATE = 0.005
#: The longest single wait, so that a stall is noticed within it.
_LOOK = 0.005


class EchoError(Exception):
    """There are no round trips to be had, or no more; the message says why and what to do."""


class Echo(Protocol):
    """Something that answers."""

    @property
    def via(self) -> Via:
        """Which way it goes."""

    def send(self, number: int) -> None:
        """Begin a round trip, by its number from 0.

        Raises:
            EchoError: the way is closed.
        """

    def answers(self, until: float) -> list[tuple[int, float]]:
        """The numbers that were answered since the last call, and when; waits for the first.

        Args:
            until: when to give up waiting, by ``time.perf_counter``; it may return sooner.

        Raises:
            EchoError: no more can come.
        """

    def close(self) -> None:
        """Free what it holds."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to measure, all in seconds.

    Attributes:
        interval: from one sending to the next.
        duration: of the sending.
        limit: that an answer is waited for.
    """

    interval: float
    duration: float
    limit: float = 2.0


def measure(
    echo: Echo, schedule: Schedule, clock: Callable[[], float] = time.perf_counter
) -> RoundTrips:
    """Send round trips at a steady pace, whether or not the earlier ones were answered.

    It raises nothing: what ended it early is in the trace. It takes at most duration and limit, as
    long as the echo heeds ``until``.
    """
    sent: list[float] = []
    rtt: list[float | None] = []
    stalls: list[tuple[float, float]] = []
    ended, open_ = "", 0
    started = utc_timestamp()
    start = due = last = clock()
    try:
        while True:
            now = clock()
            sending = now - start < schedule.duration and len(sent) < ROUND_TRIPS_MOST
            if not sending and (not open_ or now - last > schedule.limit):
                break
            if sending and now >= due:
                sent.append(now - start)
                rtt.append(None)
                open_ += 1
                last = now
                echo.send(len(sent) - 1)
                _note(stalls, now, clock(), start)
                # After a stall the missed sendings are left out, not made up for.
                due = max(due, now - schedule.interval) + schedule.interval
            until = min(due if sending else now + _LOOK, now + _LOOK)
            for number, at in echo.answers(until):
                if 0 <= number < len(sent) and rtt[number] is None:
                    took = at - start - sent[number]
                    rtt[number] = took if 0 <= took <= schedule.limit else None
                    open_ -= 1
            _note(stalls, until, clock(), start)
    except EchoError as over:
        ended = f"after {duration(clock() - start)}: {over}"
    return RoundTrips(
        via=echo.via,
        interval=schedule.interval,
        sent=tuple(one - sent[0] for one in sent),
        rtt=tuple(rtt),
        limit=schedule.limit,
        stalls=tuple((max(0.0, at - sent[0]), length) for at, length in stalls) if sent else (),
        ended=ended,
        started=started,
    )


def _note(stalls: list[tuple[float, float]], due: float, now: float, start: float) -> None:
    """Keep it where this program should have run again by ``due`` and did so much later."""
    if now - due > LATE:
        stalls.append((due - start, now - due))
