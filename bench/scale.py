"""A fleet too large for one run: its shards judged one behind the other, and put together.

    make bench-scale [HOSTS=10000] [SHARDS=10]

Saved evidence of a made-up fleet (fleet_evidence.py) is cut into shards by the hosts' names, each
is audited with ``--shard``, and ``merge`` makes one run of all. Prints time and peak memory of each
step, and what lies on disk. A shard's evidence is removed once it is judged, the runs at the end.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import fleet_evidence
from ipvs_audit.model.shard import Shard
from loopback_fleet import ROOT, quiet_environment
from timing import Goal, Measured, given, goals, note, run, table

#: A third of what it was: ten shards of 10,000 hosts each took 294 CPU seconds.
MOST_MS = 0.98
_PYTEST = Path(sys.executable).with_name("pytest")


def prepare(room: Path, hosts: int, shards: int) -> Path:
    """Write the inventory, and the evidence of each shard as its controller would have it."""
    whole = fleet_evidence.write(room / "evidence.jsonl", hosts)
    inventory = room / "hosts.ini"
    with ExitStack() as closing, inventory.open("w", encoding="ascii") as names:
        files = [
            closing.enter_context(_evidence(room, number).open("wb"))
            for number in range(1, shards + 1)
        ]
        for line in closing.enter_context(whole.open("rb")):
            record = json.loads(line)
            name = (record.get("snapshot") or record["failure"])["target"]
            names.write(f"{name}\n")
            files[Shard.of(name, shards) - 1].write(line)
    whole.unlink()
    return inventory


def judge(room: Path, inventory: Path, number: int, shards: int) -> Measured:
    """Audit one shard, with all reports; some of its hosts fail, so it exits 1."""
    return run(
        [
            *(_PYTEST, "-q", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT, ROOT / "checks"),
            *("-o", f"cache_dir={room / f'cache-{number:03d}'}"),
            *("--inventory", inventory, "--from-snapshots", _evidence(room, number)),
            *("--shard", f"{number}/{shards}", "--reports", room / f"shard-{number:03d}"),
        ],
        cwd=room,
        env=quiet_environment(),
        expect=(1,),
    )


def merge(room: Path, hosts: int) -> Measured:
    """Put all shards together; every host is in the sum."""
    runs = sorted(path for path in room.glob("shard-*") if path.is_dir())
    command = [sys.executable, "-m", "ipvs_audit", "merge", *runs, "--into", room / "merged"]
    took = run(command, cwd=room, env=quiet_environment())
    if f"{hosts:,} hosts in the inventory = " not in took.output:
        raise RuntimeError(f"not every host is in the report: {took.output[-1000:]}")
    return took


def _evidence(room: Path, number: int) -> Path:
    return room / f"evidence-{number:03d}.jsonl"


def _told(took: Measured) -> str:
    return f"{took.seconds:.1f} s, {took.cpu:.1f} CPU s, {took.peak:.0f} MiB"


def _megabytes(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 1e6:,.0f}"


def main(hosts: int, shards: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    if hosts < 100 * shards:
        sys.exit(f"HOSTS={hosts}: must be 100 or more for each shard, of which there are {shards}")
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        inventory = prepare(room, hosts, shards)
        parts = []
        for number in range(1, shards + 1):
            parts.append(judge(room, inventory, number, shards))
            _evidence(room, number).unlink()
            note(f"shard {number}/{shards}: {_told(parts[-1])}")
        together = merge(room, hosts)
        note(f"merge: {_told(together)}")
        number, largest = max(enumerate(parts, 1), key=lambda part: part[1].peak)
        rows = [
            [label, f"{took.seconds:.1f}", f"{took.cpu:.1f}", f"{took.peak:.0f}", size]
            for label, took, size in (
                ("the largest shard", largest, _megabytes(room / f"shard-{number:03d}")),
                ("merge", together, _megabytes(room / "merged")),
            )
        ]
        everything = sum(part.seconds for part in parts) + together.seconds
        peak = max(took.peak for took in (*parts, together))
        cpu = sum(part.cpu for part in parts) + together.cpu
        rows.append(
            ["all, one behind the other", f"{everything:.1f}", f"{cpu:.1f}", f"{peak:.0f}", ""]
        )
        table(
            f"{hosts:,} saved hosts in {shards} shards, judged and put together",
            ["step", "s", "CPU s", "peak, MiB", "on disk, MB"],
            rows,
        )
    goals(
        "scale",
        f"Merging {shards} shards of {hosts // shards:,} hosts: goals",
        [
            Goal("CPU ms a host", 1000 * together.cpu / hosts, "<=", MOST_MS),
            Goal("peak, times that of the largest shard", together.peak / largest.peak, "<=", 1),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 10_000), given("SHARDS", 10)))
