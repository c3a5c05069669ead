"""How fast hosts are collected, beside other clients that run the same script, in one run.

    make bench-collect [HOSTS=400]

Loopback hosts of one real sshd, then the same hosts with 20 ms more for each round trip. The server
and the probes share the cores with whatever is measured, so all figures are too low for a real
fleet; it is their ratios that count. What runs something else is in wall_clock.py.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ipvs_audit.probe import script
from loopback_fleet import DELAY_MS, HERE, ME, PEERS, Fleet, delayed, fleet, quiet_environment
from timing import Goal, Measured, given, goals, note, run, table

if TYPE_CHECKING:
    from pathlib import Path

FORKS = 64
OURS, BARE = "ipvs-audit, collecting", "bare paramiko, same script, 32 threads"
OPENSSH = "ipvs-audit --transport openssh, collecting"
PARALLEL, XARGS = "parallel-ssh, same script, pool 32", "xargs -P32 ssh, same script"


def measure(there: Fleet, hosts: int) -> dict[str, Measured]:
    """Figures of each program."""
    probe = there.folder / "probe.sh"
    probe.write_bytes(script.render(script.new_nonce()))
    inventory, config = there.inventory(hosts), there.ssh_config()
    names = there.folder / "names"
    names.write_text("".join(f"host{number}\n" for number in range(hosts)))
    environment = quiet_environment()
    login = (str(there.port), ME, there.key)
    python = (sys.executable, "-W", "ignore")

    def ours(*more: Path) -> Measured:
        return run(
            [
                *python,
                HERE / "peer_ipvs_audit.py",
                inventory,
                there.known_hosts,
                "s.gz",
                str(FORKS),
                *more,
            ],
            cwd=there.folder,
            env=environment,
        )

    programs = {
        OURS: ours,
        OPENSSH: lambda: ours(config),
        BARE: lambda: run(
            [*python, HERE / "peer_paramiko.py", *login, there.known_hosts, probe, str(hosts)],
            cwd=there.folder,
            env=environment,
        ),
        PARALLEL: lambda: run(
            [PEERS, HERE / "peer_parallel_ssh.py", *login, probe, str(hosts)],
            cwd=there.folder,
            env=environment,
        ),
        XARGS: lambda: run(
            [
                *("xargs", "-P32", "-I{}", "-a", names),
                *("sh", "-c", f"ssh -F {config} {{}} sh -s <{probe} >/dev/null"),
            ],
            cwd=there.folder,
            env=environment,
        ),
    }
    found = {}
    for name, program in programs.items():
        found[name] = program()
        note(f"{name}: {found[name].seconds:.1f} s")
    return found


def show(part: str, title: str, hosts: int, found: dict[str, Measured]) -> None:
    """The figures, and which goals they meet."""
    rate = {name: hosts / took.working for name, took in found.items()}
    cpu = {name: 1000 * took.working_cpu / hosts for name, took in found.items()}
    rows = [
        [
            name,
            f"{took.seconds:.1f}",
            f"{took.working:.1f}",
            f"{rate[name]:.1f}",
            f"{cpu[name]:.1f}",
            f"{rate[OURS] / rate[name]:.1f}",
        ]
        for name, took in found.items()
    ]
    head = [
        "program",
        "s",
        "s without start-up",
        "hosts/s",
        "client CPU, ms/host",
        "ours is faster, times",
    ]
    table(title, head, rows)
    goals(
        f"collect-{part}",
        f"{title}: goals",
        [
            Goal(f"{part}: {what}", value, sign, want)
            for what, value, sign, want in (
                ("times as fast as parallel-ssh", rate[OURS] / rate[PARALLEL], ">=", 1),
                ("OpenSSH's client: time, times xargs ssh", rate[XARGS] / rate[OPENSSH], "<=", 1.1),
                ("OpenSSH's client: CPU, times xargs ssh", cpu[OPENSSH] / cpu[XARGS], "<=", 1.1),
            )
        ],
    )


def main(hosts: int) -> int:
    """Measure both fleets; 0 whatever the figures are, unless a program fails."""
    with fleet() as near:
        show("near", f"Collecting {hosts} loopback hosts", hosts, measure(near, hosts))
        with delayed(near, DELAY_MS) as far:
            title = f"The same with {DELAY_MS} ms added to each round trip"
            show("far", title, hosts, measure(far, hosts))
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 400)))
