"""By the clock and by CPU, beside Ansible and stock testinfra, where targets cost nothing.

    make bench-wall-clock [HOSTS=400]

A stub answers for all hosts (stub_sshd.py) and has a core to itself, the programs another one: the
probe, which only ours runs, takes neither time nor cache from it. What counts is each host after
the first, so start-up is told apart.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ipvs_audit.model.text import counted
from loopback_fleet import (
    DELAY_MS,
    HERE,
    WITHOUT_HYPOTHESIS,
    Fleet,
    delayed,
    quiet_environment,
    stub,
)
from timing import Goal, Measured, given, goals, note, run, table

BIN = Path(sys.executable).parent
#: What fewer hosts take is less than one start-up differs from the next.
FEWEST = 50
#: Stock testinfra is slow: no more hosts than these.
STOCK_HOSTS = 100
#: Times less than stock testinfra and than Ansible: by the clock, and CPU.
CLOCK, CPU = (25, 4), (12, 8)
OURS, ANSIBLE = "ipvs-audit, collecting and saving", "`ansible -m raw -a true`"
STOCK = "testinfra and paramiko, 12 commands"


@dataclass(frozen=True, slots=True)
class Took:
    """What a program took for one host, and for more of them.

    Attributes:
        one: for one host, which is mostly start-up.
        all: for all of them.
        hosts: how many these are, two or more.
    """

    one: Measured
    all: Measured
    hosts: int

    @property
    def clock(self) -> float:
        """Milliseconds for each host after the first."""
        return 1000 * (self.all.seconds - self.one.seconds) / (self.hosts - 1)

    @property
    def cpu(self) -> float:
        """CPU milliseconds, likewise."""
        return 1000 * (self.all.cpu - self.one.cpu) / (self.hosts - 1)


def measure(there: Fleet, hosts: int, core: int) -> dict[str, Took]:
    """What each program takes, all on one core."""
    settings = there.folder / "none.cfg"
    settings.touch()
    shutil.copyfile(HERE / "peer_testinfra.py", there.folder / "test_stock.py")
    environment = {
        **quiet_environment(),
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_SSH_ARGS": f"-F {there.ssh_config()}",
        "ANSIBLE_TIMEOUT": "120",
        "ANSIBLE_HOME": str(there.folder / "ansible"),
    }

    def took(what: str, most: int) -> Took:
        one, every = (
            run(
                ["taskset", "-c", str(core), *_command(what, there, count)],
                cwd=there.folder,
                env=environment,
            )
            for count in (1, most)
        )
        note(f"{what}: {one.seconds:.1f} s, {counted(most, 'host')} {every.seconds:.1f} s")
        return Took(one, every, most)

    sizes = {OURS: hosts, ANSIBLE: hosts, STOCK: min(hosts, STOCK_HOSTS)}
    return {what: took(what, most) for what, most in sizes.items()}


def _command(what: str, there: Fleet, hosts: int) -> list[str | Path]:
    inventory = there.inventory(hosts)
    if what == OURS:
        return [sys.executable, HERE / "peer_ipvs_audit.py", inventory, there.known_hosts, "s.gz"]
    if what == ANSIBLE:
        asked = ["-i", inventory, "-m", "raw", "-a", "true", "-f", "64", "-o"]
        return [BIN / "ansible", "all", *asked]
    to = ",".join(f"paramiko://host{number}" for number in range(hosts))
    return [
        *(BIN / "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", *WITHOUT_HYPOTHESIS),
        *("--rootdir", there.folder, there.folder / "test_stock.py", "--hosts", to),
        *("--ssh-config", there.ssh_config(), "--tb=no"),
    ]


def show(found: dict[str, dict[str, Took]]) -> None:
    """The figures, near and far, and which goals they meet."""
    rows, clock, cpu = [], [], []
    for where, programs in found.items():
        ours = programs[OURS]
        for what, took in programs.items():
            rows.append(
                [
                    *(where, what, f"{took.one.seconds:.1f}", f"{took.one.cpu:.1f}"),
                    *(str(took.hosts), f"{took.clock:.1f}", f"{took.cpu:.1f}"),
                    *(f"{took.clock / ours.clock:.1f}", f"{took.cpu / ours.cpu:.1f}"),
                ]
            )
        for what, faster, less in zip((STOCK, ANSIBLE), CLOCK, CPU, strict=True):
            took = programs[what]
            clock.append(
                Goal(f"{where}: times faster than {what}", took.clock / ours.clock, ">=", faster)
            )
            cpu.append(
                Goal(f"{where}: times less CPU than {what}", took.cpu / ours.cpu, ">=", less)
            )
    table(
        "A core for the program and one for the stub",
        [
            *("", "", "one host: s", "CPU s", "hosts", "each more: ms", "CPU ms"),
            *("times ours by the clock", "times our CPU"),
        ],
        rows,
    )
    goals("wall_clock", "Beside Ansible and stock testinfra, each host more", clock + cpu)


def main(hosts: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        note("one core: the stub would have to share it, so nothing is measured")
        return 0
    if hosts < FEWEST:
        sys.exit(f"HOSTS={hosts}: must be {FEWEST} or more, or start-up hides what a host takes")
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
