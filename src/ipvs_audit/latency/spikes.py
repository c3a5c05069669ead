"""Spikes: runs of delayed round trips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds: delays that begin sooner than this after the last one ended belong to it.
APART = 0.1


@dataclass(frozen=True, slots=True)
class Spike:
    """One stall, as the round trips saw it.

    Attributes:
        at: when the first delayed round trip began, in seconds since the first of the trace.
        height: seconds of its slowest round trip above the median: how long the host was stalled.
        width: seconds from there until the last delayed one was answered.
    """

    at: float
    height: float
    width: float


def find_spikes(
    counted: Iterable[tuple[float, float | None]], median: float, threshold: float
) -> tuple[Spike, ...]:
    """The spikes among round trips given as (began, took), in order; lost ones say nothing."""
    found: list[Spike] = []
    for sent, rtt in counted:
        if rtt is None or rtt <= threshold:
            continue
        height, end = rtt - median, sent + rtt
        last = found[-1] if found else None
        if last is not None and sent < last.at + last.width + APART:
            found[-1] = Spike(last.at, max(last.height, height), max(last.width, end - last.at))
        else:
            found.append(Spike(sent, height, rtt))
    return tuple(found)
