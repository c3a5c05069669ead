"""The options of measuring. Every pytest in this environment loads this: it imports little."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

#: What ``--latency-via`` takes.
Want = Literal["auto", "icmp", "ssh"]

#: The control that is judged only where it was asked for, and the name of its check.
CONTROL = "EST-7"
CHECK = "test_latency"
_MOST = 64


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """What was asked for.

    Attributes:
        asked: whether hosts are to be measured.
        via: which way.
        at_once: hosts measured at a time.
    """

    asked: bool = False
    via: Want = "auto"
    at_once: int = 4

    @classmethod
    def read(cls, get: Callable[[str], Any]) -> LatencyOptions:
        """From the command line."""
        return cls(get("latency"), get("latency_via"), get("latency_hosts"))


def add_latency_options(add: Callable[..., None]) -> None:
    """Declare them."""
    add(
        "--latency",
        action="store_true",
        help="measure round trips to each host, and judge EST-7; with --remediate before and after",
    )
    add(
        "--latency-via",
        choices=get_args(Want),
        default="auto",
        help="by ICMP echo requests, or one byte and back over SSH (default: ICMP where answered)",
    )
    add(
        "--latency-hosts",
        type=_at_once,
        default=4,
        metavar="N",
        help=f"hosts measured at a time, 1 to {_MOST} (default 4)",
    )


def _at_once(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MOST:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST}")
