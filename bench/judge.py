"""Judging and reporting a big fleet, beside pytest itself with as many empty tests.

    make bench-judge [HOSTS=10000]

Saved evidence of made-up fleets (fleet_evidence.py) is judged by all controls, with all reports;
pytest runs as many empty parametrised tests, with the same plugins installed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import fleet_evidence
from loopback_fleet import ROOT, quiet_environment
from timing import Measured, goal, note, run, table

CONTROLS = 6
#: Times the CPU of pytest, at the most hosts and at the fewest; and peak memory at the most.
MOST_TIMES, MOST_TIMES_FEW, MOST_MEGABYTES = 0.7, 1.1, 450.0
_PYTEST = Path(sys.executable).with_name("pytest")
_EMPTY = """\
import pytest


@pytest.mark.parametrize("number", range({count}))
def test_nothing(number):
    pass
"""


def judge(room: Path, hosts: int) -> Measured:
    """Judge that many saved hosts, with all reports; some of them fail, so it exits 1."""
    saved = fleet_evidence.write(room / f"evidence-{hosts}.jsonl", hosts)
    took = run(
        [
            *(_PYTEST, "-q", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT),
            *("-o", f"cache_dir={room / f'cache-{hosts}'}"),
            *(ROOT / "checks", "--from-snapshots", saved, "--reports", room / f"reports-{hosts}"),
        ],
        cwd=room,
        env=quiet_environment(),
        expect=(1,),
    )
    if f"{hosts:,} hosts in the inventory = " not in took.output.replace(" host in", " hosts in"):
        raise RuntimeError(f"not every host is in the report: {took.output[-1000:]}")
    note(f"{hosts} hosts: {took.seconds:.1f} s")
    return took


def empty(room: Path, count: int) -> Measured:
    """As many tests that do nothing."""
    folder = room / f"empty-{count}"
    folder.mkdir()
    (folder / "test_empty.py").write_text(_EMPTY.format(count=count))
    command = [_PYTEST, "-q", "--tb=no", "-c", "/dev/null", "--rootdir", folder, folder]
    took = run(command, cwd=room, env=quiet_environment())
    note(f"{count} empty tests: {took.seconds:.1f} s")
    return took


def main(hosts: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        sizes = [size for size in (100, 1_000) if size < hosts] + [hosts]
        for size in sizes:
            ours, theirs = judge(room, size), empty(room, size * CONTROLS)
            rows.append((size, ours, theirs))
    table(
        f"Judging and reporting {CONTROLS} controls a host",
        ["hosts", "tests", "s", "ms a test", "CPU s", "peak, MiB", "pytest, empty tests, s",
         "CPU s", "peak, MiB", "times pytest", "times its CPU"],
        [
            [f"{size:,}", f"{size * CONTROLS:,}",
             f"{ours.seconds:.1f}", f"{1000 * ours.seconds / size / CONTROLS:.2f}",
             f"{ours.cpu:.1f}", f"{ours.peak:.0f}",
             f"{theirs.seconds:.1f}", f"{theirs.cpu:.1f}", f"{theirs.peak:.0f}",
             f"{ours.seconds / theirs.seconds:.2f}", f"{ours.cpu / theirs.cpu:.2f}"]
            for size, ours, theirs in rows
        ],
    )  # fmt: skip
    goals = []
    for at, most in ((0, MOST_TIMES_FEW), (-1, MOST_TIMES)):
        size, ours, theirs = rows[at]
        times = ours.cpu / theirs.cpu
        shown = f"times pytest's CPU, {size:,} hosts"
        goals.append([shown, f"{times:.2f}", f"<= {most}", goal(times <= most)])
    size, ours, _ = rows[-1]
    peak = ours.peak * 1.048576
    goals.append(
        ["peak memory, MB", f"{peak:.0f}", f"< {MOST_MEGABYTES:.0f}", goal(peak < MOST_MEGABYTES)]
    )
    if len(rows) > 1:
        before, less, _ = rows[-2]
        growth = (ours.cpu / size) / (less.cpu / before)
        shown = f"CPU per host at {size:,}, times that at {before:,}"
        goals.append([shown, f"{growth:.2f}", "<= 1.2 (linear)", goal(growth <= 1.2)])
    table("Judging: goals", ["", "found", "goal", ""], goals)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
