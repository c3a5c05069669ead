"""By the clock and by CPU, beside Ansible and stock testinfra, where targets cost nothing.

    make bench-wall-clock [HOSTS=400]

A stub answers for all hosts (stub_sshd.py) and has a core to itself, the programs another one: the
probe, which only ours runs, takes neither time nor cache from it. The stub's handshakes cost about
what ours cost, so ours may wait for it; the other two never do.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from loopback_fleet import HERE, Fleet, delayed, quiet_environment, stub
from timing import Goal, Measured, given, goals, note, run, table

BIN = Path(sys.executable).parent
#: Stock testinfra is slow: no more hosts than these. Its start-up is a fraction of their CPU.
STOCK_HOSTS = 100
DELAY_MS = 20
#: Times less than stock testinfra and than Ansible: by the clock, and CPU.
CLOCK, CPU = (25, 4), (12, 8)
OURS, ANSIBLE = "ipvs-audit", "`ansible -m raw -a true`"
STOCK = "testinfra and paramiko, 12 commands"


def measure(there: Fleet, hosts: int, core: int) -> dict[str, tuple[int, Measured]]:
    """Hosts and figures of each program, all on one core."""
    inventory, config = there.inventory(hosts), there.ssh_config()
    settings, questions = there.folder / "none.cfg", there.folder / "test_stock.py"
    settings.touch()
    shutil.copyfile(HERE / "peer_testinfra.py", questions)
    few = min(hosts, STOCK_HOSTS)
    to = ",".join(f"paramiko://host{number}" for number in range(few))
    programs: dict[str, tuple[int, list[str | Path]]] = {
        OURS: (
            hosts,
            [sys.executable, HERE / "peer_ipvs_audit.py", inventory, there.known_hosts, "s.gz"],
        ),
        ANSIBLE: (
            hosts,
            [BIN / "ansible", "all", "-i", inventory, "-m", "raw", "-a", "true", "-f", "64", "-o"],
        ),
        STOCK: (
            few,
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


def show(found: dict[str, dict[str, tuple[int, Measured]]]) -> None:
    """The figures, near and far, and which goals they meet; all with their start-up."""
    clock, cpu = (
        {
            (where, what): 1000 * figure(took) / count
            for where, programs in found.items()
            for what, (count, took) in programs.items()
        }
        for figure in (_seconds, _cpu)
    )
    table(
        "A core for the program and one for the stub, in ms a host",
        ["", "", "hosts", "by the clock", "CPU", "times ours by the clock", "times our CPU"],
        [
            [
                where,
                what,
                str(count),
                f"{clock[where, what]:.1f}",
                f"{cpu[where, what]:.1f}",
                f"{clock[where, what] / clock[where, OURS]:.1f}",
                f"{cpu[where, what] / cpu[where, OURS]:.1f}",
            ]
            for where, programs in found.items()
            for what, (count, _) in programs.items()
        ],
    )
    goals(
        "wall_clock",
        "Beside Ansible and stock testinfra",
        [
            Goal(f"{where}: {unit} than {what}", took[where, what] / took[where, OURS], ">=", want)
            for unit, took, wanted in (("times faster", clock, CLOCK), ("times less CPU", cpu, CPU))
            for where in found
            for what, want in zip((STOCK, ANSIBLE), wanted, strict=True)
        ],
    )


def _seconds(took: Measured) -> float:
    return took.seconds


def _cpu(took: Measured) -> float:
    return took.cpu


def main(hosts: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        note("one core: the stub would have to share it, so nothing is measured")
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name,
        stub(Path(name), 0, core=first) as near,
    ):
        found = {"near": measure(near, hosts, others[0])}
        with delayed(near, DELAY_MS, core=first) as far:
            found[f"with {DELAY_MS} ms"] = measure(far, hosts, others[0])
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 400)))
