"""How many hosts at a time the limit on open files has room for; raised where it may be.

>>> forks_within(64, 0, limit=1024)
64
>>> forks_within(64, 0, limit=128)
16
"""

from __future__ import annotations

import resource

#: Open files of one host under way: its socket, or the three pipes of a program and a socket.
A_HOST = 4
#: Open files of a connection that is kept for the checks.
A_KEPT_HOST = 2
#: Those of the audit itself: libraries, evidence, reports, pipes of xdist.
OWN = 64


def forks_within(forks: int, kept: int, *, limit: int) -> int:
    """The forks that a limit on open files has room for; at least one, at most those asked."""
    return max(1, min(forks, (limit - OWN - A_KEPT_HOST * kept) // A_HOST))


def make_room(forks: int, kept: int) -> tuple[int, str]:
    """Raise this process's soft limit on open files as far as is needed and may be.

    Args:
        forks: hosts that shall be under way at a time.
        kept: connections that are kept open for the checks.

    Returns:
        How many forks there is room for, and what to tell the user where that is fewer; or nothing.
    """
    needed = OWN + A_HOST * forks + A_KEPT_HOST * kept
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    if soft == endless or soft >= needed:
        return forks, ""
    limit = needed if hard == endless else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):
        limit = soft
    room = forks_within(forks, kept, limit=limit)
    if limit >= needed:
        return forks, ""
    return room, (
        f"{room} hosts at a time, not the {forks} of --forks: this process may open {limit:,} files"
        f" and would need {needed:,}; raise the limit (ulimit -n) before it starts"
    )
