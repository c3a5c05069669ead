"""How many processes collect the hosts of a run, and why no more.

>>> how_many(None, 200, cores=4), how_many(None, 201, cores=4), how_many(3, 20, cores=1)
((1, ''), (4, ''), (3, ''))
>>> how_many(None, 5_000, cores=4, obstacle="a check uses `host`")
(1, '')
>>> how_many(4, 5_000, cores=4, obstacle="a check uses `host`")
(1, '--processes 4: one process collects, since a check uses `host`.')
"""

from __future__ import annotations

import os
from pathlib import Path

from ipvs_audit.model import limits


def how_many(asked: int | None, hosts: int, *, cores: int, obstacle: str = "") -> tuple[int, str]:
    """How many processes collect.

    Args:
        asked: ``--processes``; None where it is not given.
        hosts: how many are to be collected.
        cores: that this process may use.
        obstacle: why only this process can collect; empty where others can, too.

    Returns:
        The number, and what to tell the user where it is another than was asked for; or nothing.
    """
    if obstacle:
        told = f"--processes {asked}: one process collects, since {obstacle}."
        return 1, told if (asked or 1) > 1 else ""
    if asked is not None:
        return asked, ""
    several = hosts >= limits.SEVERAL_PROCESSES_FROM
    return min(cores, limits.USUAL_PROCESSES) if several else 1, ""


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def threads_here() -> int:
    """How many threads this process has; Python does not know of them all, as of pytest-xdist's."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def obstacle(kept: int, threads: int) -> str:
    """Why only this process can collect; empty where others can, too.

    Args:
        kept: connections that are kept open for the checks.
        threads: of this process: a fork has only one of them, and maybe a lock that another held.
    """
    if kept:
        return "checks that use `host` go on with the connections that collected"
    if threads > 1:
        return "other threads run in this one (pytest -n, or a plugin)"
    return ""
