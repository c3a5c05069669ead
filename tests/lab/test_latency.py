"""EST-7 on a real kernel: the jitter is there, it is the estimator's, and a remedy ends it.

Guests are emulated on a machine that does other things too: they run first in line, and an attempt
that the machine spoilt is made again. What must never be said is not asked twice.
`make latency-study` does the long form.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab import fleet as lab_fleet
from lab import priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.guest import Guest

ROOT = Path(__file__).parents[2]
VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
ATTRIBUTED = "consistent with the IPVS estimator"
ATTEMPTS = 3
#: An emulated guest on a busy machine takes longer than a host does.
PATIENT = ("--connect-timeout", "120", "--deadline", "600")
POLICY = "latency_spike_ms: 40\n"
"""The guest's own stalls are a tenth of a second and more; the machine's, 20 to 30 ms."""

LOOP = """\
sub now { open my $file, '<', '/proc/uptime'; (split ' ', <$file>)[0] }
while (1) { my $end = now() + 0.09; 1 while now() < $end; select undef, undef, undef, 0.61 }
"""
"""Perl that works at a third of the estimator's pace; in real time, so that sshd waits for it."""


@dataclass(frozen=True)
class Jittery:
    """The guest, and how to audit it."""

    guest: Guest
    folder: Path

    def estimation(self, value: int) -> None:
        self.guest.ssh(f"echo {value} >{VALUE}")

    def audit(self, *arguments: str) -> dict[str, Any]:
        """The host's entry in the results of a run with ``--latency``."""
        reports = self.folder / f"reports-{time.monotonic_ns()}"
        argv = [str(Path(sys.executable).with_name("pytest")), "--reports", str(reports)]
        argv += ["--inventory", str(self.folder / "inventory.yml"), "--latency"]
        argv += [
            "--policy",
            str(self.folder / "policy.yml"),
            "--latency-via",
            "ssh",
            *PATIENT,
            *arguments,
        ]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                argv,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            priority.raise_priority(process.pid)
            try:
                process.wait(1200)
            finally:
                process.kill()
        said = (self.folder / "log").read_text(errors="replace")
        assert process.returncode in (0, 1), said
        (host,) = json.loads((reports / "latest/results.json").read_text())["hosts"]
        found: dict[str, Any] = host | {"page": (reports / "latest/index.html").read_text()}
        return found

    def measured(self) -> dict[str, Any]:
        """EST-7 alone."""
        return est_7(self.audit("-k", "latency"))


def est_7(host: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in host["controls"] if one["id"] == "EST-7"]
    return dict(found)


def until(right: Callable[[dict[str, Any]], bool], look: Callable[[], dict[str, Any]]) -> str:
    """What was seen when it came out right; else what all attempts saw."""
    seen = []
    for _ in range(ATTEMPTS):
        found = look()
        seen.append(f"{found['verdict']}: {found['message']}\n{found['observed']}")
        if right(found):
            return seen[-1]
    pytest.fail("\n\n".join(seen))


def attributed(found: dict[str, Any]) -> bool:
    return found["verdict"] == "fail" and ATTRIBUTED in found["message"]


def passes(found: dict[str, Any]) -> bool:
    return bool(found["verdict"] == "pass")


@pytest.fixture(scope="module")
def jittery(_qemu_works: None) -> Iterator[Jittery]:
    folder = lab_fleet.own_folder() / "jittery"
    lab_fleet.up(folder, ["jittery"])
    (folder / "policy.yml").write_text(POLICY)
    guest = lab_fleet.guest(folder, "jittery")
    priority.raise_priority(guest.pid)
    guest.ssh("mount -t tracefs tracefs /sys/kernel/tracing")
    yield Jittery(guest, folder)
    lab_fleet.down(folder)


def test_stalls_are_attributed_and_end_with_the_remedy(jittery: Jittery) -> None:
    until(attributed, jittery.measured)
    remedied = jittery.audit("--remediate", "--yes", "--latency-trace")
    assert remedied["remedy"]["status"] == "remediated"
    assert jittery.guest.ssh(f"cat {VALUE}").stdout.strip() == "0"
    before, after = remedied["latency_before"], remedied["latency"]
    # Within one run, on one machine: a stall of eighty times the CPUs' work is gone. Not by the
    # longest delay, which may be the machine's own.
    assert before["p99"] > 2 * after["p99"]
    for traced in (before["trace"], after["trace"]):
        assert (traced["kind"], traced["unseen"], traced["left"]) == ("timer", "", [])
    # Still fires, and returns at once.
    assert before["trace"]["total"] > 10 * after["trace"]["total"]
    assert '<svg class="trace"' in remedied["page"]
    if not passes(est_7(remedied)):
        until(passes, jittery.measured)
    jittery.estimation(1)
    until(attributed, jittery.measured)


@contextmanager
def frozen_at_random(guest: Guest, seed: int) -> Iterator[list[float]]:
    """Stops the whole guest for a tenth of a second or two, every now and then."""
    chance = random.Random(seed)  # noqa: S311
    over, stops = threading.Event(), []

    def freeze() -> None:
        while not over.wait(chance.uniform(0.3, 2.5)):
            if not guest.runs():
                return
            os.kill(guest.pid, signal.SIGSTOP)
            stops.append(time.monotonic())
            over.wait(chance.uniform(0.1, 0.2))
            os.kill(guest.pid, signal.SIGCONT)

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        yield stops
    finally:
        over.set()
        thread.join()
        if guest.runs():
            os.kill(guest.pid, signal.SIGCONT)


def few_services(jittery: Jittery) -> None:
    """So few that the estimator, although it is on, stalls nobody."""
    jittery.guest.ssh("ipvsadm -C; /usr/local/lib/lab/rules")
    jittery.estimation(1)


def test_random_stalls_of_the_whole_guest_are_not_laid_to_the_estimator(jittery: Jittery) -> None:
    few_services(jittery)
    with frozen_at_random(jittery.guest, seed=7) as stops:
        found = jittery.measured()
    assert len(stops) >= 4
    assert found["verdict"] == "fail", found["message"]
    assert ATTRIBUTED not in found["message"]


def test_a_loop_with_a_period_of_its_own_is_not_laid_to_the_estimator(jittery: Jittery) -> None:
    few_services(jittery)
    jittery.guest.put("/run/lab/loop", LOOP)
    jittery.guest.ssh("systemd-run --quiet --unit=lab-loop chrt -f 50 perl /run/lab/loop")
    try:
        found = jittery.measured()
    finally:
        jittery.guest.ssh("systemctl stop lab-loop", check=False)
    assert found["verdict"] == "fail", found["message"]
    assert ATTRIBUTED not in found["message"]
