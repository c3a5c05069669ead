"""Runs that were interrupted or killed, and resumed: only what is missing is collected."""

from __future__ import annotations

import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from program import RECORDINGS, ROOT, Audit
from ran import Ran

from ipvs_audit.audit.resume import evidence_in_progress, identity_file
from ipvs_audit.model.clock import run_id
from ipvs_audit.snapshot import Failure, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def inventory(tmp_path: Path, mute: int) -> Path:
    path = tmp_path / "resumed.yml"
    path.write_text(
        "all:\n  hosts:\n    here: {ansible_connection: local}\n"
        f"    mute: {{ansible_host: 127.0.0.1, ansible_port: {mute}}}\n"
    )
    return path


def begin(audit: Audit, inventory: Path, ready: Any) -> subprocess.Popen[str]:
    """Start an audit, and wait until what is asked for holds."""
    process = subprocess.Popen(
        audit.argv("--inventory", inventory, "--connect-timeout", "50"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for _ in range(600):
        if ready() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert process.poll() is None
    return process


def parts(audit: Audit) -> list[Path]:
    return list(audit.reports.glob(".*.part"))


def collected(audit: Audit) -> bool:
    found = [list(store.read_unfinished(part)) for part in parts(audit)]
    return any(evidence.target == "here" for hosts in found for evidence in hosts)


def started(ran: Ran) -> dict[str, str]:
    return {host["name"]: host["started"] for host in ran.results["hosts"]}


def test_a_run_that_was_killed_while_it_collected(audit: Audit, inventory: Path) -> None:
    process = begin(audit, inventory, lambda: collected(audit))
    (begun,) = audit.reports.glob(".*.collecting.json")
    name = begun.name.removeprefix(".").removesuffix(".collecting.json")
    running = audit("--inventory", inventory, "--resume", audit.reports / name)
    assert running.status == 4, running.output
    assert "is still being written" in running.output
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert not (audit.reports / name).exists()
    (before,) = [list(store.read_unfinished(part)) for part in parts(audit)]

    ran = audit(
        *("--inventory", inventory, "--resume", audit.reports / name),
        *("--connect-timeout", "2"),
    )
    assert ran.status == 1, ran.output
    assert "collected 1 of 1 host " in ran.output
    said = (
        f"Resumed from {name}: the evidence of 1 hosts was taken over,"
        " 1 were still to be collected."
    )
    assert said in " ".join(ran.output.split())
    assert said in ran.results["run"]["notes"]
    assert started(ran)["here"] == before[0].collection.started  # type: ignore[union-attr]
    assert set(ran.verdicts()["mute"].values()) == {"error"}
    # What was left of the run that was killed is now in this one.
    assert {path.name for path in audit.reports.iterdir()} == {
        *("latest", ran.latest.resolve().name)
    }


def test_a_run_that_was_interrupted_and_of_which_a_host_failed(
    audit: Audit, inventory: Path
) -> None:
    process = begin(audit, inventory, lambda: collected(audit))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    first = Ran(process.returncode, output, audit.reports)
    assert first.status == 2, output
    earlier = first.latest.resolve()
    kinds = {one.target: one.kind for one in store.read(earlier) if isinstance(one, Failure)}
    assert kinds == {"mute": "interrupted"}

    ran = audit("--inventory", inventory, "--resume", earlier, "--connect-timeout", "2")
    assert "collected 1 of 1 host " in ran.output
    assert ran.latest.resolve() != earlier
    assert ran.results["run"]["interrupted"] is False
    assert "sent no SSH banner within the connect timeout" in ran.output


def test_a_run_leaves_the_name_and_the_evidence_of_another_of_its_second_alone(
    audit: Audit,
) -> None:
    """Another controller has begun one in each second of the next ten minutes."""
    audit.reports.mkdir()
    begun = datetime.now(UTC)
    names = [run_id(begun + timedelta(seconds=number)) for number in range(600)]
    files = [identity_file(evidence_in_progress(audit.reports / name)) for name in names]
    for file in files:
        file.write_bytes(b"another's")
    ran = audit("--from-snapshots", RECORDINGS / "compliant.jsonl")
    assert ran.status == 0, ran.output
    assert ran.latest.resolve().name in [f"{name}-2" for name in names]
    assert {file.read_bytes() for file in files} == {b"another's"}
