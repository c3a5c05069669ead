"""Which runs can be resumed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.audit.resume import (
    ResumeError,
    RunIdentity,
    evidence_in_progress,
    find_earlier,
    write_identity,
)
from ipvs_audit.report.write import write_reports
from ipvs_audit.snapshot import CollectionInfo, Failure, Snapshot, store

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = RunIdentity("2026-11-23T02-00-00Z", "0.1.0", "disabled", "a" * 64, "b" * 64)
GOOD = Snapshot("web1", CollectionInfo("", "", "", "", ""), {})
BAD = Failure("web2", "interrupted", "no", "", "")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A run that was written whole."""
    store.write(tmp_path / "evidence.gz", [GOOD, BAD])
    write_reports(sample_run.run(), tmp_path / "evidence.gz", tmp_path / "run")
    return tmp_path / "run"


def test_a_written_run_gives_the_snapshots_and_not_the_failures(written: Path) -> None:
    earlier = find_earlier(written)
    run = sample_run.run()
    assert list(earlier.snapshots()) == [GOOD]
    assert earlier.identity == RunIdentity(
        run.id, run.version, run.estimation, run.policy_sha256, run.inventory_sha256
    )
    assert earlier.leftovers == ()


@pytest.mark.parametrize("name", ["results.json", store.NAME])
def test_a_written_run_that_was_changed_is_refused(written: Path, name: str) -> None:
    with (written / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ResumeError, match=f"{name}: differs from the digest in the manifest"):
        find_earlier(written)


def test_of_a_killed_run_the_hosts_before_the_cut_are_taken(tmp_path: Path) -> None:
    evidence = evidence_in_progress(tmp_path / "run")
    write_identity(evidence, IDENTITY)
    store.write(evidence, [GOOD, replace(GOOD, target="web3")])
    whole = evidence.read_bytes()
    for length in range(0, len(whole), 7):
        evidence.write_bytes(whole[:length])
        earlier = find_earlier(tmp_path / "run")
        assert earlier.identity == IDENTITY
        assert [one.target for one in earlier.snapshots()] in ([], ["web1"], ["web1", "web3"])
    assert evidence in earlier.leftovers


def test_a_name_that_another_run_has_is_not_taken(tmp_path: Path) -> None:
    evidence = evidence_in_progress(tmp_path / "run")
    write_identity(evidence, IDENTITY)
    with pytest.raises(FileExistsError):
        write_identity(evidence, replace(IDENTITY, policy_sha256="other"))
    assert find_earlier(tmp_path / "run").identity == IDENTITY


def test_a_killed_run_without_any_evidence_begins_anew(tmp_path: Path) -> None:
    write_identity(evidence_in_progress(tmp_path / "run"), IDENTITY)
    assert list(find_earlier(tmp_path / "run").snapshots()) == []


def test_a_run_that_never_was_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="no such run"):
        find_earlier(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"inventory_sha256": "c" * 64}, "was started with another inventory"),
        ({"policy_sha256": "c" * 64}, "another policy"),
        ({"estimation": "enabled"}, "another direction"),
        ({"version": "9", "policy_sha256": ""}, "another version of ipvs-audit and another policy"),
    ],
)
def test_a_run_about_something_else_is_refused(
    change: dict[str, str], says: str, tmp_path: Path
) -> None:
    write_identity(evidence_in_progress(tmp_path / "run"), IDENTITY)
    earlier = find_earlier(tmp_path / "run")
    earlier.refuse_other(replace(IDENTITY, id="2026-11-24T02-00-00Z"))
    with pytest.raises(ResumeError, match=says):
        earlier.refuse_other(replace(IDENTITY, id="2026-11-24T02-00-00Z", **change))
