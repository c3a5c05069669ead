"""The options of measuring. Every pytest in this environment loads this: it imports little."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ipvs_audit.model.limits import LATENCY_HOSTS, LATENCY_HOSTS_MOST
from ipvs_audit.model.usage_error import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

#: What ``--latency-via`` takes.
MethodChoice = Literal["auto", "icmp", "ssh"]


class LatencyOptionError(UsageError):
    """Options that contradict each other; the message says what to give."""


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """What was asked for.

    Attributes:
        asked: whether hosts are to be measured.
        via: which way.
        at_once: hosts measured at a time.
        trace: whether the estimator's own runs are timed on each host, after its round trips.
    """

    asked: bool = False
    via: MethodChoice = "auto"
    at_once: int = LATENCY_HOSTS
    trace: bool = False

    @classmethod
    def read(cls, get: Callable[[str], Any]) -> LatencyOptions:
        """From the command line.

        Raises:
            LatencyOptionError: the trace is asked for, and the round trips are not.
        """
        if get("latency_trace") and not get("latency"):
            raise LatencyOptionError(
                "--latency-trace tells whose the delays are that --latency measures: give both"
            )
        return cls(
            get("latency"), get("latency_via"), get("latency_hosts"), bool(get("latency_trace"))
        )


def add_latency_options(add: Callable[..., None]) -> None:
    """Declare them."""
    add(
        "--latency",
        action="store_true",
        help="measure round trips to each host for EST-7; with --remediate before and after",
    )
    add(
        "--latency-via",
        choices=get_args(MethodChoice),
        default="auto",
        help="by ICMP echo requests, or one byte and back over SSH (default: ICMP where answered)",
    )
    add(
        "--latency-trace",
        action="store_true",
        help="with --latency: also time the estimator's own runs for 7 s, as root, by two probe"
        " events in a tracing instance of its own, both removed afterwards (docs/latency.md)",
    )
    add(
        "--latency-hosts",
        type=_at_once,
        default=LATENCY_HOSTS,
        metavar="N",
        help=f"hosts measured at a time, 1 to {LATENCY_HOSTS_MOST} (default {LATENCY_HOSTS})",
    )


def _at_once(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= LATENCY_HOSTS_MOST:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {LATENCY_HOSTS_MOST}")
