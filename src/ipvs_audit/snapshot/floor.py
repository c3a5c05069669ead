"""Documented minimum kernel releases, and whether a release reaches one.

The floors are the vendor's ("Supported kernel versions"); they corroborate what the kernel itself
shows, they never replace it. A floor speaks only of the distribution's own kernels of one series:
5.10.84 on Alibaba Cloud Linux 2, or a kernel of ELRepo, is newer than 4.19.91-22 and proves
nothing.

>>> floor_for("alinux", "2.1903")
'alinux2'
>>> reaches("5.10.134-14.1.al8.x86_64", "5.10.134-14", "alinux3")
True
>>> reaches("5.10.112-11.2.al8.x86_64", "5.10.134-14", "alinux3")
False
>>> reaches("4.19.91-c8dfc93.al7.x86_64", "4.19.91-22", "alinux2") is None
True
>>> reaches("6.1.0-1.el8.elrepo.x86_64", "5.10.134-14", "alinux3") is None
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

#: What the releases of a distribution's own kernels carry, by os-release's ID and major version.
TAGS = {"alinux2": ".al7", "alinux3": ".al8", "alinux4": ".alnx4"}


def floor_for(os_id: str, os_version: str) -> str:
    """The key under which a policy lists the floor of an operating system.

    >>> floor_for("alinux", "3 (Soaring Falcon)")
    'alinux3'
    """
    return os_id + re.split(r"[.\s]", os_version, maxsplit=1)[0]


def reaches(release: str, floor: str, system: str) -> bool | None:
    """Whether a kernel release is the floor or newer, within the floor's own series.

    The series is the distribution's tag (:data:`TAGS`, where the system has one) and the first two
    numbers. Within it the numeric base decides, then the numeric build up to ``.al7``/``.al8``.

    Args:
        release: as ``uname -r`` gives it.
        floor: the documented minimum.
        system: the operating system, as :func:`floor_for` names it.

    Returns:
        None for a release of another series, and where the release's build is not numeric (a
        hand-built kernel) and the base alone does not decide.

    Raises:
        ValueError: the floor itself is no release.
    """
    least = _RELEASE.match(floor)
    if least is None:
        raise ValueError(f"floor {floor!r} is not a kernel release such as 5.10.134-14")
    have = _RELEASE.match(release)
    tag = TAGS.get(system, "")
    if have is None or not re.search(rf"{re.escape(tag)}(\.|$)", release):
        return None
    base, least_base = _numbers(have["base"]), _numbers(least["base"])
    if base[:2] != least_base[:2]:
        return None
    if base != least_base:
        return base > least_base
    if have["build"] is None:
        return None
    return _numbers(have["build"]) >= _numbers(least["build"] or "0")


def _numbers(dotted: str) -> tuple[int, ...]:
    return tuple(int(part) for part in dotted.split("."))
