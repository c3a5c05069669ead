"""Judging and reporting a big fleet, beside pytest itself with as many empty tests.

    make bench-judge [HOSTS=10000] [PAIRS=5]

Saved evidence of made-up fleets (fleet_evidence.py) is judged by all controls, with all reports;
pytest runs as many empty parametrised tests, with the same plugins installed and hypothesis' left
out, as the audit does. A tenth of the hosts are unreachable: there is nothing to judge.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import fleet_evidence
from ipvs_audit.model.text import counted
from loopback_fleet import ROOT, WITHOUT_HYPOTHESIS, quiet_environment
from timing import Goal, Measured, Pairs, cpu, given, goals, in_turn, run, table

CONTROLS = 6
FEWEST = 100
#: Times the CPU of pytest, at the most hosts and at the fewest.
MOST_TIMES, MOST_TIMES_FEW = 0.7, 1.1
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
    return took


def empty(room: Path, count: int) -> Measured:
    """As many tests that do nothing."""
    folder = room / f"empty-{count}"
    folder.mkdir(exist_ok=True)
    (folder / "test_empty.py").write_text(_EMPTY.format(count=count))
    options = ["-q", "--tb=no", "-c", "/dev/null", *WITHOUT_HYPOTHESIS]
    return run([_PYTEST, *options, "--rootdir", folder, folder], cwd=room, env=quiet_environment())


def main(hosts: int, pairs: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    took = {}
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        for size in sizes(hosts):
            took[size] = in_turn(
                pairs,
                partial(judge, room, size),
                partial(empty, room, size * CONTROLS),
                f"{size:,} hosts",
            )
    table(
        f"Judging {CONTROLS} controls a host, all reports; medians of {counted(pairs, 'pair')}",
        ["hosts", "CPU s", "pytest, empty tests, CPU s", "times", "pairs", "peak, MiB"],
        [[f"{size:,}", *one.cells(cpu), f"{_peak(one):.0f}"] for size, one in took.items()],
    )
    before, most = list(took)[-2:]
    growth = (took[most].median(cpu) / most) / (took[before].median(cpu) / before)
    goals(
        "judge",
        "Judging: goals",
        [
            Goal(f"times pytest's CPU, {size:,} hosts", took[size].times(cpu), "<=", want)
            for size, want in ((FEWEST, MOST_TIMES_FEW), (most, MOST_TIMES))
        ]
        + [
            Goal(f"peak memory of {most:,} hosts, MB", _peak(took[most]) * 1.048576, "<=", 450),
            Goal(f"CPU a host of {most:,}, times that of {before:,}", growth, "<=", 1.2),
        ],
    )
    return 0


def sizes(hosts: int) -> list[int]:
    """How many hosts are judged, the fewest first: two sizes or more, none of them twice."""
    if hosts <= FEWEST:
        sys.exit(f"HOSTS={hosts}: must be more than {FEWEST}, which are judged anyway")
    return sorted({FEWEST, min(1_000, hosts), hosts})


def _peak(took: Pairs) -> float:
    return max(one.peak for one in took.ours)


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 10_000), given("PAIRS", 5)))
