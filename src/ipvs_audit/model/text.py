"""Words around numbers and lists."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

_MINUTE = 60
_HOURS_AT_MOST = 72
_UNITS = ((86400, "d"), (3600, "h"), (_MINUTE, "min"), (1, "s"))


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "host"), counted(0, "delay"), counted(12000, "host")
    ('1 host', '0 delays', '12,000 hosts')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are.

    >>> some_of(["web1", "web2"], 5), some_of(["web1", "web2", "web3"], 2)
    ('web1, web2', 'web1, web2 and 1 more')
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest of the words that there are, as a question; empty where none is near.

    >>> did_you_mean("--inventry", ["--inventory", "--limit"]), did_you_mean("x", ["--limit"])
    ('did you mean --inventory?', '')
    """
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else ""


def shortened(text: str, most: int) -> str:
    """A text where there is little room: in ASCII, its cut shown by three dots.

    >>> shortened("web1", 8), shortened("web1.example.com", 8)
    ('web1', 'web1....')
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def days_or_hours(length: timedelta) -> str:
    """A long time in one unit: whole days, or hours where they say more.

    >>> from datetime import timedelta
    >>> [days_or_hours(timedelta(hours=one)) for one in (1, 24, 36, 168, 17600)]
    ['1 hour', '1 day', '36 hours', '7 days', '733 days']
    """
    hours = int(length.total_seconds() // 3600)
    if hours % 24 == 0 or hours >= _HOURS_AT_MOST:
        return counted(hours // 24, "day")
    return counted(hours, "hour")


def hours(text: str) -> int:
    """Hours, from days or hours on a command line.

    Raises:
        ArgumentTypeError: it is neither.

    >>> hours("7"), hours("36h")
    (168, 36)
    """
    found = re.fullmatch(r"([1-9][0-9]{0,5})(h?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: say days, e.g. 7, or hours, e.g. 36h")
    return int(found[1]) * (1 if found[2] else 24)


def duration(seconds: float) -> str:
    """A length of time: three figures up to a minute, then its two largest units, whole.

    Args:
        seconds: at least 0; microseconds are the finest that anything here is measured in.

    >>> [duration(one) for one in (0.0004, 0.00999, 0.2736, 1.5, 10, 12.34)]
    ['0.4 ms', '9.99 ms', '274 ms', '1.5 s', '10 s', '12.3 s']
    >>> [duration(one) for one in (180, 200, 3900, 266400)]
    ['3 min', '3 min 20 s', '1 h 5 min', '3 d 2 h']
    """
    # Rounded before the unit is chosen: 0.9996 s is 1 s, not 1e+03 ms.
    rounded = float(f"{round(seconds, 6):.3g}")
    if rounded < 1:
        return f"{1000 * rounded:g} ms"
    if rounded < _MINUTE:
        return f"{rounded:g} s"
    whole = round(seconds)
    for (size, unit), (smaller, rest_unit) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {rest_unit}" if rest else "")
    raise AssertionError(whole)
