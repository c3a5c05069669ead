"""How many hosts to connect to at a time: the measurement behind the default of ``--forks``.

    make bench-forks [HOSTS=400]

Loopback hosts of one real sshd, near and with 20 ms more for each round trip. The server shares the
cores, so that more forks gain nothing as soon as the cores are busy; the delayed fleet shows how
many are needed to keep them busy.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from loopback_fleet import DELAY_MS, HERE, delayed, fleet, quiet_environment
from timing import given, note, run, table

if TYPE_CHECKING:
    from loopback_fleet import Fleet

FORKS = (16, 32, 64, 128)


def rows(where: str, there: Fleet, hosts: int) -> list[list[str]]:
    """A row for each number of forks."""
    found = []
    for forks in FORKS:
        inventory = there.inventory(hosts)
        command = [
            sys.executable,
            HERE / "peer_ipvs_audit.py",
            inventory,
            there.known_hosts,
            "s.gz",
        ]
        took = run([*command, str(forks)], cwd=there.folder, env=quiet_environment())
        note(f"{where}, {forks} forks: {took.seconds:.1f} s")
        found.append(
            [where, str(forks), f"{took.working:.1f}", f"{hosts / took.working:.1f}",
             f"{1000 * took.working_cpu / hosts:.1f}", f"{took.peak:.0f}"]
        )  # fmt: skip
    return found


def main(hosts: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    with fleet() as near:
        found = rows("loopback", near, hosts)
        with delayed(near, DELAY_MS) as far:
            found += rows(f"with {DELAY_MS} ms", far, hosts)
    table(
        f"{hosts} hosts by --forks",
        ["fleet", "forks", "s", "hosts/s", "client CPU, ms/host", "peak, MiB"],
        found,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 400)))
