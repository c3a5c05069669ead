"""By the clock, beside Ansible and stock testinfra, where targets cost the client nothing.

    make bench-wall-clock [HOSTS=400]

A stub answers for all hosts (stub_sshd.py) and has a core to itself, the programs another one. Its
handshakes cost about what ours cost, so ours may wait for it; the other two never do.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from loopback_fleet import Fleet, quiet_environment
from sampling import HERE, stub
from timing import Goal, Measured, given, goals, note, run, table

BIN = Path(sys.executable).parent
STOCK_HOSTS = 40


def measure(there: Fleet, hosts: int, core: int) -> dict[str, tuple[int, Measured]]:
    """Hosts and figures of each program, all on one core."""
    inventory, config = there.inventory(hosts), there.ssh_config()
    settings, questions = there.folder / "none.cfg", there.folder / "test_stock.py"
    settings.touch()
    shutil.copyfile(HERE / "peer_testinfra.py", questions)
    to = ",".join(f"paramiko://host{number}" for number in range(STOCK_HOSTS))
    programs: dict[str, tuple[int, list[str | Path]]] = {
        "ipvs-audit": (
            hosts,
            [sys.executable, HERE / "peer_ipvs_audit.py", inventory, there.known_hosts, "s.gz"],
        ),
        "`ansible -m raw -a true`": (
            hosts,
            [BIN / "ansible", "all", "-i", inventory, "-m", "raw", "-a", "true", "-f", "64", "-o"],
        ),
        "testinfra and paramiko, 12 commands": (
            STOCK_HOSTS,
            [
                *(BIN / "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"),
                *("--rootdir", there.folder, questions, "--hosts", to),
                *("--ssh-config", config, "--tb=no"),
            ],
        ),
    }
    environment = {
        **quiet_environment(),
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_SSH_ARGS": f"-o KexAlgorithms=curve25519-sha256 -o ControlMaster=no -F {config}",
        "ANSIBLE_TIMEOUT": "120",
        "ANSIBLE_HOME": str(there.folder / "ansible"),
    }
    found = {}
    for name, (count, command) in programs.items():
        pinned = ["taskset", "-c", str(core), *command]
        found[name] = (count, run(pinned, cwd=there.folder, env=environment))
        note(f"{name}: {found[name][1].seconds:.1f} s")
    return found


def main(hosts: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        note("one core: the stub would have to share it, so nothing is measured")
        return 0
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        with stub(room, 0, core=first) as there:
            found = measure(there, hosts, others[0])
    rate = {what: count / took.seconds for what, (count, took) in found.items()}
    ours, ansible, stock = rate.values()
    table(
        f"{hosts} hosts by the clock, a core for the program and one for the stub",
        ["", "hosts", "s", "hosts/s", "ours is faster, times"],
        [
            [
                what,
                str(count),
                f"{took.seconds:.1f}",
                f"{rate[what]:.1f}",
                f"{ours / rate[what]:.1f}",
            ]
            for what, (count, took) in found.items()
        ],
    )
    goals(
        "wall_clock",
        "By the clock",
        [
            Goal("times stock testinfra, per host", ours / stock, ">=", 25),
            Goal("times ansible", ours / ansible, ">=", 4),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 400)))
