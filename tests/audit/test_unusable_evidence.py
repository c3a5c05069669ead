"""Saved evidence of a host whose variables cannot be used is an error: its policy is not known."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ipvs_audit.audit.collecting import collect_evidence
from ipvs_audit.model.target import Target
from ipvs_audit.snapshot import Failure, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Progress:
    @contextlib.contextmanager
    def track(self, _number: int) -> Iterator[Any]:
        yield lambda _evidence: None


def test_it_is_an_error_of_that_host(tmp_path: Path) -> None:
    when = "2026-11-23T02:00:00Z"
    with store.Writer(tmp_path / "saved.jsonl.gz") as saved:
        for name in ("good", "bad"):
            saved.write(Failure(name, "timeout", f"{name}: no answer", when, when))
    targets = {
        "good": Target("good"),
        "bad": Target("bad", unusable="host bad: ipvs_audit_ack ..."),
    }
    found: list[Failure] = []
    audit: Any = SimpleNamespace(
        audited=list(targets.values()), targets=targets, add_evidence=found.extend,
        options=SimpleNamespace(snapshots=tmp_path / "saved.jsonl.gz"),
    )  # fmt: skip
    progress: Any = Progress()
    collect_evidence(audit, set(targets), tmp_path / "new.jsonl.gz", progress)
    assert [(one.target, one.kind) for one in found] == [
        ("good", "timeout"), ("bad", "configuration"),
    ]  # fmt: skip
    assert found[1].message == "host bad: ipvs_audit_ack ..."
    assert list(store.read(tmp_path / "new.jsonl.gz")) == found
