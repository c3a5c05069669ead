"""Snapshots of real kernels, and what other commands said of the same guests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from ipvs_audit.snapshot import Snapshot, store

FOLDER = Path(__file__).parents[1] / "recordings"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))

#: What ipvsadm, sysctl, stat and the like printed, by recording and question.
FACTS = cast("dict[str, dict[str, str]]", json.loads((FOLDER / "facts.json").read_text("utf-8")))


def snapshot(name: str) -> Snapshot:
    """The recording of that name."""
    (evidence,) = store.read(FOLDER / f"{name}.jsonl")
    assert isinstance(evidence, Snapshot)
    return evidence
