"""Made-up traces: what the controller would see of a host that stands still at given times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.snapshot.round_trips import RoundTrips

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

#: A stall: when it begins and how long it lasts, in seconds.
Stall = tuple[float, float]


def seen(
    stalls: Iterable[Stall],
    rng: Random,
    *,
    span: float = 12.0,
    interval: float = 0.005,
    lost: float = 0.0,
    noise: float = 0.0003,
) -> RoundTrips:
    """Round trips of about 0.3 ms and exponential noise; what meets a stall waits for its end."""
    count = int(span / interval)
    sent = [round(number * interval, 6) for number in range(count)]
    rtt: list[float | None] = [0.0003 + rng.expovariate(1 / noise) for _ in sent]
    for start, length in stalls:
        for number in range(max(0, int(start / interval)), count):
            if sent[number] > start + length:
                break
            took = rtt[number]
            if took is not None and sent[number] + took >= start:
                rtt[number] = max(took, start + length - sent[number] + took)
    rtt = [None if rng.random() < lost else round(one, 6) for one in rtt if one is not None]
    return RoundTrips("ssh", interval, tuple(sent), tuple(rtt), 5.0)


def estimator(
    height: float, rng: Random, *, span: float = 12.0, spread: float = 0.3, hz: int = 250
) -> list[Stall]:
    """The timer: 2 s after the end of each run, rounded up by the kernel's timer wheel."""
    step = {100: 0.08, 250: 0.032, 300: 0.213, 1000: 0.064}[hz]
    at, stalls = rng.uniform(0, 2 + height), []
    while at < span:
        length = height * rng.uniform(1 - spread, 1 + spread)
        stalls.append((at, length))
        at += length + 2 + rng.uniform(0, step)
    return stalls


def periodic(
    period: float, height: float, rng: Random, *, span: float = 12.0, jitter: float = 0.002
) -> list[Stall]:
    """Something that wakes by the clock, however long its work takes."""
    first, count = rng.uniform(0, period), int(span / period) + 1
    made = (first + number * period + rng.gauss(0, jitter) for number in range(count))
    return [(max(0.0, at), height) for at in made if at < span]


def resting(period: float, height: float, rng: Random, *, span: float = 12.0) -> list[Stall]:
    """Something that works and then sleeps: its period holds its own work, like the estimator's."""
    at, stalls = rng.uniform(0, period), []
    while at < span:
        stalls.append((at, height))
        at += height + period + rng.uniform(0, 0.004)
    return stalls


def at_random(
    count: int, rng: Random, *, span: float = 12.0, heights: Stall = (0.03, 0.2)
) -> list[Stall]:
    """So many stalls at any time."""
    return sorted((rng.uniform(0, span), rng.uniform(*heights)) for _ in range(count))
