"""What stands where in sections of the evidence that do not say it themselves.

>>> how_to_read("cmdline")
''
"""

from __future__ import annotations

_FILES = (
    "stat: octal mode, ids of user and group, bytes. line: its number and text."
    " same: two names of one directory."
)
_SECTIONS = {
    **dict.fromkeys(("sysctl", "sysctl-named", "modprobe", "udev", "modules-load"), _FILES),
    "running-values": (
        "By file: how the value in the line of that number compares with the running one. equal,"
        " differs; absent: no such key; readonly: nobody can write it; acts: writing it does"
        " something and leaves no value; unread: not compared."
    ),
    "programs": (
        "path: what stands there (absent, nowhere: not even its directory); w where the probe's"
        " account can write it; which program it is, or -; the path. name: a word that may be a"
        " program's name. helper: what the kernel runs to load a module. loads: a process that"
        " loads modules, and whether its root directory is the host's own."
    ),
    "late-writers": (
        "line: its number and text. other: the number of a line from which on lines are left out"
        " that concern neither sysctl nor ip_vs. exec: the file may be executed. writes: the first"
        " line that may write the key where another names it. unit: the file that counts of those"
        " of that name. wanted: what starts the unit. called, named, starts, settings:"
        " what others name, read or start. alias: another name of a unit."
    ),
    "counters": (
        "Columns: look (0, 1, 2); inode of the network namespace; uptime in seconds; number of"
        " CPUs; sums over the CPUs of connections, packets in, packets out, bytes in, bytes out"
        " (decimal; a:b is a * 2^32 + b); the estimator's totals of these five, in the same order"
        " (hexadecimal); = where the ~ row of ip_vs_stats_percpu holds the same totals, else that"
        " row. Estimation is off where the sums grow and the totals stand still. module: whether"
        " ip_vs stayed the same one. switch: inode, uptime and setting after the last look."
    ),
}


def how_to_read(section: str) -> str:
    """A sentence or two about a section; empty where it speaks for itself."""
    return _SECTIONS.get(section, "")
