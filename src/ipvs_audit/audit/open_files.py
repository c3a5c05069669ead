"""How many hosts at a time the limit on open files has room for; raised where it may be.

>>> within(64, 512, 0, limit=4096)
(64, 512)
>>> within(64, 512, 0, limit=1024)
(64, 416)
>>> within(64, 512, 0, limit=128)
(16, 16)
"""

from __future__ import annotations

import resource

#: Open files of a host that is connected to: its socket, or the three pipes of a program and one.
A_HOST = 4
#: Open files of a host that is connected: its socket, and one to spare.
A_WAITING_HOST = 2
#: Open files of a connection that is kept for the checks.
A_KEPT_HOST = 2
#: Those of the audit itself: libraries, evidence, reports, pipes of xdist.
OWN = 64


def within(forks: int, under_way: int, kept: int, *, limit: int) -> tuple[int, int]:
    """The forks, and hosts under way, that a limit on open files has room for; at least one."""
    left = limit - OWN - A_KEPT_HOST * kept
    room = max(1, min(forks, left // A_HOST))
    return room, max(room, min(under_way, room + (left - A_HOST * room) // A_WAITING_HOST))


def raise_open_file_limit(forks: int, under_way: int, kept: int) -> tuple[int, int, str]:
    """Raise this process's soft limit on open files as far as is needed and may be.

    Args:
        forks: hosts that shall be connected to at a time.
        under_way: hosts that shall be under way at a time, connected or not.
        kept: connections that are kept open for the checks.

    Returns:
        How many of both there is room for, and what to tell the user where that is fewer; or
        nothing.
    """
    needed = OWN + A_HOST * forks + A_WAITING_HOST * (under_way - forks) + A_KEPT_HOST * kept
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    if soft == endless or soft >= needed:
        return forks, under_way, ""
    limit = needed if hard == endless else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):
        limit = soft
    if limit >= needed:
        return forks, under_way, ""
    room, waiting = within(forks, under_way, kept, limit=limit)
    wanted = f"the {forks} of --forks" if room < forks else f"{under_way}"
    told = (
        f"{waiting} hosts at a time, not {wanted}: this process may open {limit:,} files"
        f" and would need {needed:,}; raise the limit (ulimit -n) before it starts"
    )
    return room, waiting, told
