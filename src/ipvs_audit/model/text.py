"""Words around numbers."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "host"), counted(0, "delay"), counted(12000, "host")
    ('1 host', '0 delays', '12,000 hosts')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
