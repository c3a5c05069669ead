"""What the estimator does to real kernels: `make latency-study`; its words go into docs/latency.md.

Three questions. How long does a run of the estimator take, by services and possible CPUs, and how
much of that does a byte over SSH see? Does `--remediate` end it, three times in a row? How often
does the period test cry wolf on a guest whose estimation is off?
Under emulation a guest's seconds are not a machine's: see what the document says of that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ipvs_audit.latency import estimator_script
from ipvs_audit.latency.analysis import analyse
from ipvs_audit.latency.echo import Schedule, measure
from ipvs_audit.latency.method import ssh_echo
from ipvs_audit.model.target import Target
from ipvs_audit.probe import framing
from ipvs_audit.probe.script import new_nonce
from ipvs_audit.snapshot import estimator_runs
from ipvs_audit.transport import Limits
from ipvs_audit.transport.settings import Settings
from lab import fleet, latency_growth_plot, paths, priority, qemu
from lab.latency_growth_plot import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.snapshot.round_trips import RoundTrips
    from ipvs_audit.transport import Connection
    from lab.guest import Guest

VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
SERVICES = (1000, 2000, 4000, 8000, 16000)
POSSIBLE = (8, 32, 64)
ROUNDS = 3
ROOT = paths.HERE.parent
POLICY = "latency_spike_ms: 40\n"
"""A guest beside whom others are busy has delays of 20 to 30 ms that are not its own."""


@dataclass
class Study:
    """All that was seen."""

    points: list[Point] = field(default_factory=list)
    rounds: list[dict[str, object]] = field(default_factory=list)
    steady: list[tuple[int, bool]] = field(default_factory=list)
    """Of each steady trace: its spikes, and whether the period test took them for the estimator."""
    load: list[float] = field(default_factory=list)

    @property
    def cost(self) -> float | None:
        """Seconds per service and CPU: the median over all points."""
        each = [one.run / (one.services * one.cpus) for one in self.points if one.run]
        return median(each) if each else None


def growth(study: Study, until: float) -> None:
    """How long a run takes, by services and possible CPUs."""
    for cpus in POSSIBLE:
        with guest("6.1", f"possible-{cpus}", cpus) as host:
            host.ssh("modprobe ip_vs; mkdir -p /sys/kernel/tracing")
            host.ssh("mountpoint -q /sys/kernel/tracing || mount -t tracefs t /sys/kernel/tracing")
            for services in SERVICES:
                if time.monotonic() > until:
                    return
                host.ssh(f"perl /usr/local/lib/lab/crowd {services}", timeout=120)
                study.points.append(point(host, services, cpus))
                study.load.append(os.getloadavg()[0])
                print(f"lab: {study.points[-1]}", flush=True)


def point(host: Guest, services: int, cpus: int) -> Point:
    """The timer's own runs, and what a byte over SSH sees of them."""
    nonce = new_nonce()
    printed = host.ssh("sh -s", stdin=estimator_script.render(nonce, seconds=9), timeout=60).stdout
    runs = estimator_runs.parse(framing.parse(printed.encode(), nonce)[estimator_runs.SECTION]).runs
    trace = timed(host)
    found = analyse(trace)
    ticks = int(trace.sent[-1] / (2 + min(runs, default=0))) if trace.sent else 0
    heights = sorted((one.height for one in analyse(trace, spike=0.002).spikes), reverse=True)
    return Point(
        services,
        cpus,
        min(runs, default=None),
        median(runs) if runs else None,
        median(heights[:ticks]) if heights else None,
        found.period_test.period if found.period_test.estimator else None,
        found.p999,
    )


def steady(study: Study, until: float, most: int) -> None:
    """Real traces of a guest whose estimation is off: spikes that there are are the machine's."""
    with guest("6.1", "steady", 64) as host:
        host.ssh("modprobe ip_vs; perl /usr/local/lib/lab/crowd 8000", timeout=120)
        host.ssh(f"echo 0 >{VALUE}")
        for _ in range(most):
            if time.monotonic() > until:
                return
            found = analyse(timed(host))
            study.steady.append((len(found.spikes), found.period_test.estimator))


def rounds(study: Study, reports: Path) -> None:
    """Before, after remediation, and switched on again: three times in a row on one host."""
    folder = fleet.own_folder() / "rounds"
    inventory = fleet.up(folder, ["jittery"])
    host = fleet.guest(folder, "jittery")
    priority.raise_priority(host.pid)
    policy = folder / "policy.yml"
    policy.write_text(POLICY)
    try:
        for number in range(ROUNDS):
            study.rounds.append(
                one_round(host, inventory, policy, reports / f"round-{number}"),
            )
            print(f"lab: {study.rounds[-1]}", flush=True)
    finally:
        fleet.down(folder)


def one_round(host: Guest, inventory: Path, policy: Path, reports: Path) -> dict[str, object]:
    """EST-7 before, after `--remediate`, and with the live value back at 1."""
    asked = ["--inventory", str(inventory), "--policy", str(policy), "--latency"]
    asked += ["--latency-via", "ssh"]
    remedied = audit([*asked, "--remediate", "--yes"], reports / "remedied")
    seen = {
        "before": remedied["before"],
        "after": remedied["verdict"],
        "numbers": remedied["numbers"],
    }
    host.ssh(f"echo 1 >{VALUE}")
    again = audit([*asked, "-k", "latency"], reports / "again")
    host.ssh("rm -f /etc/modprobe.d/ipvs.conf /etc/sysctl.conf")
    return seen | {"again": again["verdict"], "message": again["message"]}


def audit(arguments: list[str], reports: Path) -> dict[str, object]:
    """EST-7 of a run of the suite."""
    argv = [str(Path(sys.executable).with_name("pytest")), "--reports", str(reports), *arguments]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    priority.raise_priority(process.pid)
    process.wait(1800)
    document = json.loads((reports / "latest/results.json").read_text())
    (host,) = document["hosts"]
    (control,) = [one for one in host["controls"] if one["id"] == "EST-7"]
    numbers = {name: host[name] for name in ("latency_before", "latency")}
    return {name: control[name] for name in ("verdict", "before", "message")} | {
        "numbers": numbers,
    }


def timed(host: Guest, seconds: float = 12.0) -> RoundTrips:
    """One byte over SSH every 5 ms."""
    target = Target(
        host.name,
        address="127.0.0.1",
        port=host.port,
        user="root",
        key_file=str(host.client_key),
    )
    settings = Settings(Limits(connect=30, deadline=120), known_hosts=(host.known_hosts,))
    opened: list[Connection] = []
    try:
        echo, _ = ssh_echo(target, settings, None, opened.append)
        return measure(echo, Schedule(0.005, seconds, 5.0))
    finally:
        for connection in opened:
            connection.close()


@contextmanager
def guest(series: str, name: str, cpus: int) -> Iterator[Guest]:
    """A guest with one CPU and so many possible ones, high_priority."""
    machine = qemu.Machine(series, smp=f"1,maxcpus={cpus}", append=f"possible_cpus={cpus}")
    folder = fleet.own_folder() / name
    host = fleet.boot(
        series, folder, name=name, states=["unset"], machine=machine, high_priority=True
    )
    host.put(
        "/usr/local/lib/lab/crowd",
        (paths.HERE / "states/crowded/root/usr/local/lib/lab/crowd").read_text(),
    )
    try:
        yield host
    finally:
        host.stop()


def main() -> int:
    """Studies, prints what was seen as JSON, and draws the growth."""
    parser = argparse.ArgumentParser(prog="python -m lab.latency_study", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="begin nothing new after these")
    parser.add_argument("--steady", type=int, default=40, help="steady traces, at most")
    parser.add_argument("--only", choices=("growth", "rounds", "steady"), help="one part")
    parser.add_argument("--into", type=Path, default=paths.CACHE / "latency-study")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/latency-growth.svg")
    options = parser.parse_args()
    priority.raise_priority(os.getpid())
    until = time.monotonic() + options.minutes * 60
    options.into.mkdir(parents=True, exist_ok=True)
    study, reports = Study(), options.into / f"reports-{int(time.time())}"
    try:
        if options.only in (None, "growth"):
            growth(study, until)
        if options.only in (None, "rounds"):
            rounds(study, reports)
        if options.only in (None, "steady"):
            steady(study, until, options.steady)
    finally:
        seen = asdict(study) | {"cost": study.cost}
        (options.into / f"{options.only or 'study'}.json").write_text(json.dumps(seen, indent=1))
        if study.points:
            options.picture.write_text(latency_growth_plot.draw(study.points, study.cost or 0))
        print(json.dumps(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
