"""Documented minimum kernel releases, and whether a release reaches one.

The floors are the vendor's ("Supported kernel versions"); they corroborate what the kernel itself
shows, they never replace it.

>>> floor_for("alinux", "2.1903")
'alinux2'
>>> reaches("5.10.134-14.1.al8.x86_64", "5.10.134-14")
True
>>> reaches("5.10.112-11.2.al8.x86_64", "5.10.134-14")
False
>>> reaches("4.19.91-c8dfc93.al7.x86_64", "4.19.91-22") is None
True
"""

from __future__ import annotations

import re

_RELEASE = re.compile(
    r"""
    (?P<base>\d+(?:\.\d+)+)                # 5.10.134
    (?:-(?P<build>\d+(?:\.\d+)*)           # 16.3
       (?=$|\.al\d|\.alnx\d|\.x86_64|\.aarch64))?
    """,
    re.VERBOSE,
)


def floor_for(os_id: str, os_version: str) -> str:
    """The key under which a policy lists the floor of an operating system.

    >>> floor_for("alinux", "3")
    'alinux3'
    """
    return os_id + os_version.partition(".")[0]


def reaches(release: str, floor: str) -> bool | None:
    """Whether a kernel release is the floor or newer.

    The numeric base decides first, then the numeric build up to ``.al7``/``.al8``.

    Returns:
        None where the release's build is not numeric (a hand-built kernel) and the base alone
        does not decide.

    Raises:
        ValueError: the floor itself is no release.
    """
    least = _RELEASE.match(floor)
    if least is None:
        raise ValueError(f"floor {floor!r} is not a kernel release such as 5.10.134-14")
    have = _RELEASE.match(release)
    if have is None:
        return None
    base, least_base = _numbers(have["base"]), _numbers(least["base"])
    if base != least_base:
        return base > least_base
    if have["build"] is None:
        return None
    return _numbers(have["build"]) >= _numbers(least["build"] or "0")


def _numbers(dotted: str) -> tuple[int, ...]:
    return tuple(int(part) for part in dotted.split("."))
