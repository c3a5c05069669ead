"""What several processes save: one, and two that share the same hosts, in alternating pairs.

    make bench-processes [HOSTS=400] [PAIRS=5]

The hosts are a stub (bench/stub_sshd.py), which shares the cores with what is measured: so
what counts is the CPU of each process. Where cores are free, a run takes as long
as the busiest process; on two cores at least half of what all use together.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from ipvs_audit.model.text import counted
from loopback_fleet import HERE, quiet_environment, stub
from timing import Goal, given, goals, note, run, table

COUNTS = (1, 2)
GOAL = 1.8
TICK = os.sysconf("SC_CLK_TCK")


def cpu_of_children() -> float:
    """CPU seconds of the stub, which is the only child of this process that runs."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            total += int(fields[11]) + int(fields[12])
    return total / TICK


def measured(there: Any, hosts: int, count: int) -> dict[str, Any]:  # noqa: ANN401
    """What collecting with so many processes took."""
    before = cpu_of_children()
    took = run(
        [sys.executable, HERE / "peer_processes.py", there.inventory(hosts), there.known_hosts,
         "out.gz", str(count)],
        cwd=there.folder,
        env=quiet_environment(),
    )  # fmt: skip
    told: dict[str, Any] = json.loads(took.output.splitlines()[-1])
    told["hosts"] = cpu_of_children() - before
    told["busiest"] = max(told["parent"], *told["workers"], 0)
    told["together"] = told["parent"] + sum(told["workers"])
    note(
        f"{'2 processes' if count > 1 else '1 process'}: {told['together']:.2f} CPU s"
        f" together, {told['busiest']:.2f} of the busiest"
    )
    return told


def main(hosts: int, pairs: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    found: dict[int, list[dict[str, Any]]] = {count: [] for count in COUNTS}
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name, stub(Path(name), 0) as it:
        for _ in range(pairs):
            for count in COUNTS:
                found[count].append(measured(it, hosts, count))

    def per_host(count: int, what: str) -> float:
        return 1000 * median(one[what] for one in found[count]) / hosts

    table(
        f"{counted(hosts, 'host')}, medians of {counted(pairs, 'pair')}, ms of CPU a host",
        ["processes", "parent", "each other one, last pair", "together", "busiest", "the stub",
         "s by the clock", "peak of each, last pair, MiB"],
        [
            [
                str(count), f"{per_host(count, 'parent'):.1f}",
                ", ".join(f"{1000 * cpu / hosts:.1f}" for cpu in found[count][-1]["workers"]),
                f"{per_host(count, 'together'):.1f}", f"{per_host(count, 'busiest'):.1f}",
                f"{per_host(count, 'hosts'):.1f}",
                f"{median(one['seconds'] for one in found[count]):.1f}",
                ", ".join(f"{peak:.0f}" for peak in found[count][-1]["peaks"]),
            ]
            for count in COUNTS
        ],
    )  # fmt: skip
    one = per_host(1, "together")
    free, two_cores = one / per_host(2, "busiest"), one / (per_host(2, "together") / 2)
    note(f"on two cores alone, by all together: {min(free, two_cores):.2f} times as fast")
    title = "Two processes beside one: how much faster where cores are free"
    goals(
        "processes", title, [Goal("CPU of one, times that of the busiest of two", free, ">=", GOAL)]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 400), given("PAIRS", 5)))
