"""Client CPU of a host that is collected, beside bare paramiko with the same script.

    make bench-client [HOSTS=100] [PAIRS=5]

Loopback hosts of one real sshd, near and with 20 ms more for each round trip. The two take turns;
the CPU of both is counted from where their start-up ends.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from ipvs_audit.model.text import counted
from ipvs_audit.probe import script
from loopback_fleet import DELAY_MS, HERE, ME, delayed, fleet, quiet_environment
from timing import Goal, given, goals, in_turn, run, table

if TYPE_CHECKING:
    from loopback_fleet import Fleet
    from timing import Measured, Pairs

MOST_TIMES = 1.1


def measure(there: Fleet, hosts: int, pairs: int, where: str) -> Pairs:
    """Collect the hosts by both, in turn."""
    probe = there.folder / "probe.sh"
    probe.write_bytes(script.render(script.new_nonce()))
    python = (sys.executable, "-W", "ignore")
    ours = [HERE / "peer_ipvs_audit.py", there.inventory(hosts), there.known_hosts, "s.gz"]
    bare = [HERE / "peer_paramiko.py", str(there.port), ME, there.key, there.known_hosts, probe]
    ask = partial(run, cwd=there.folder, env=quiet_environment())
    return in_turn(
        pairs,
        partial(ask, [*python, *ours]),
        partial(ask, [*python, *bare, str(hosts)]),
        f"{hosts} hosts {where}",
        _working,
    )


def _working(took: Measured) -> float:
    return took.working_cpu


def main(hosts: int, pairs: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    with fleet() as near:
        took = {"near": measure(near, hosts, pairs, "near")}
        with delayed(near, DELAY_MS) as far:
            took[f"with {DELAY_MS} ms"] = measure(far, hosts, pairs, f"with {DELAY_MS} ms")
    table(
        f"Client CPU of {hosts} hosts, medians of {counted(pairs, 'pair')}",
        ["", "CPU s", "bare paramiko, CPU s", "times", "pairs"],
        [[where, *one.cells(_working)] for where, one in took.items()],
    )
    goals(
        "client",
        "Client CPU, times bare paramiko",
        [Goal(where, one.times(_working), "<=", MOST_TIMES) for where, one in took.items()],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 100), given("PAIRS", 5)))
