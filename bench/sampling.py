"""Whether the waits of sampled hosts overlap: 2,000 hosts that each take 5 s between their samples.

    make bench-sampling [HOSTS=2000]

A stub stands for the hosts (bench/stub_sshd.py): real handshakes, then a recording, once at once
and once after the wait. The first run's time is what the handshakes cost.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from loopback_fleet import HERE, Fleet, quiet_environment, stub
from timing import Goal, Measured, given, goals, note, run, table

WAIT, MOST_TIMES, ENOUGH = 5.0, 1.5, 30.0


def collect(there: Fleet, hosts: int) -> Measured:
    """Collect every host once, by one process."""
    took = run(
        [
            *(
                sys.executable,
                HERE / "peer_ipvs_audit.py",
                there.inventory(hosts),
                there.known_hosts,
                "out.gz",
            ),
        ],
        cwd=there.folder,
        env=quiet_environment(),
    )
    note(f"{hosts} hosts: {took.seconds:.1f} s")
    return took


def main(hosts: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        with stub(room, 0) as there:
            handshakes = collect(there, hosts)
        with stub(room, WAIT) as there:
            sampled = collect(there, hosts)
    table(
        f"{hosts:,} sampled hosts, {WAIT:g} s between samples, default --forks",
        ["", "s", "hosts/s", "CPU, ms/host", "peak, MiB"],
        [
            [what, f"{took.working:.1f}", f"{hosts / took.working:.1f}",
             f"{1000 * took.working_cpu / hosts:.1f}", f"{took.peak:.0f}"]
            for what, took in (("answered at once", handshakes), ("sampled", sampled))
        ],
    )  # fmt: skip
    times = sampled.working / handshakes.working
    goals(
        "sampling",
        "Sampled hosts: goals",
        [
            Goal("s", sampled.working, "<=", ENOUGH),
            Goal("times hosts that answer at once", times, "<=", MOST_TIMES),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 2_000)))
