"""Saved evidence of a made-up fleet: the lab's recordings over and over, each with a name."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path

RECORDINGS = Path(__file__).parents[1] / "tests" / "recordings"
#: One of ten hosts cannot be reached.
_UNREACHABLE_EVERY = 10


def write(path: Path, hosts: int) -> Path:
    """Write that many hosts as plain JSON lines: about 7 KB each, most with a finding."""
    records = [
        json.loads(line)
        for file in sorted(RECORDINGS.glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    with path.open("w", encoding="ascii") as file:
        for number, record in zip(range(hosts), cycle(records), strict=False):
            name = f"host{number:06d}.example.com"
            record["snapshot"]["target"] = name
            shown = record if number % _UNREACHABLE_EVERY else _failure(record, name)
            file.write(json.dumps(shown) + "\n")
    return path


def _failure(record: dict[str, object], name: str) -> dict[str, object]:
    return {
        "schema": record["schema"],
        "failure": {
            "target": name,
            "kind": "unreachable",
            "message": f"audit@{name}:22: no answer within the connect timeout (down, or a"
            " firewall)",
            "started": "2026-11-23T02:00:00.000Z",
            "finished": "2026-11-23T02:00:10.000Z",
        },
    }
