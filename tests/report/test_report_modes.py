"""Reports and evidence are their owner's alone, whatever the umask says, unless it is asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.audit.resume import RunIdentity, evidence_in_progress, identity_file, write_identity
from ipvs_audit.cli.main import main
from ipvs_audit.model.private_files import set_modes
from ipvs_audit.remedy.journal import Event, Journal
from ipvs_audit.report.options import Outputs
from ipvs_audit.report.render import render
from ipvs_audit.report.write import write_reports
from ipvs_audit.snapshot import Failure
from ipvs_audit.snapshot.store import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(directory: Path) -> tuple[int, set[int]]:
    """The mode of a directory, and those of its files."""
    return directory.stat().st_mode & 0o7777, {
        path.stat().st_mode & 0o7777 for path in directory.iterdir()
    }


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_run_is_its_owners_alone(umask: int, tmp_path: Path) -> None:
    os.umask(umask)
    saved = tmp_path / "saved"
    saved.write_bytes(b"")
    saved.chmod(0o644)
    into = tmp_path / "new" / "reports" / "run"
    write_reports(
        sample_run.run(),
        saved,
        into,
        Outputs(("csv", "prometheus")),
        beside={"journal.jsonl": saved},
    )
    assert modes(into) == (0o700, {0o600})
    assert {path.stat().st_mode & 0o7777 for path in (into.parent, into.parent.parent)} == {0o700}


@pytest.mark.parametrize(("mode", "directory"), [(0o640, 0o750), (0o644, 0o755)])
def test_report_mode_widens(mode: int, directory: int, tmp_path: Path) -> None:
    into = tmp_path / "reports" / "run"
    write_reports(sample_run.run(), None, into, Outputs(mode=mode))
    assert modes(into) == (directory, {mode})
    assert into.parent.stat().st_mode & 0o7777 == directory


def test_a_directory_within_a_run_can_be_entered_by_who_may_read_it(tmp_path: Path) -> None:
    (tmp_path / "run" / "plans").mkdir(parents=True)
    (tmp_path / "run" / "plans" / "web1.sh").write_text("")
    set_modes(tmp_path / "run", 0o640)
    assert modes(tmp_path / "run" / "plans") == (0o750, {0o640})


def test_a_directory_that_exists_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports").chmod(0o2775)
    write_reports(sample_run.run(), None, tmp_path / "reports" / "run")
    assert (tmp_path / "reports").stat().st_mode & 0o7777 == 0o2775
    assert (tmp_path / "reports" / "run").stat().st_mode & 0o777 == 0o700


def test_rendering_in_place_keeps_the_mode_and_elsewhere_does_not(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_reports(sample_run.run(), None, run, Outputs(mode=0o640))
    render(run, Outputs())
    assert modes(run) == (0o750, {0o640})
    render(run, Outputs(), tmp_path / "again")
    assert modes(tmp_path / "again") == (0o700, {0o600})
    assert main(["render", str(run), "--report-mode", "0600"]) == 0
    assert modes(run) == (0o700, {0o600})


def test_what_a_run_leaves_while_it_collects_and_remediates_is_private(tmp_path: Path) -> None:
    run = tmp_path / "reports" / "run"
    with Journal(run / "journal.jsonl", run="r1", who="ops") as journal:
        journal.record(Event.APPLYING, "web1")
    evidence = evidence_in_progress(run)
    write_identity(evidence, RunIdentity("r1", "1", "disabled", "", ""))
    planted = evidence.with_name(f".{evidence.name}.{os.getpid()}.part")
    planted.symlink_to(tmp_path / "elsewhere")
    with Writer(evidence) as saved:
        saved.write(Failure("web1", "unreachable", "refused", "", ""))
        assert planted.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "elsewhere").exists()
    assert modes(run) == (0o700, {0o600})
    assert modes(run.parent)[0] == 0o700
    for path in (evidence, identity_file(evidence)):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", ["777", "666", "400", "0", "rw-r-----", "-640"])
def test_other_modes_are_refused(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["render", str(tmp_path), f"--report-mode={mode}"])
    assert ended.value.code == 4
    assert "600, 640, 644" in capsys.readouterr().err
