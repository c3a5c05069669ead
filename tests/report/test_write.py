from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest
import sample_run

from ipvs_audit.report import junit
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.html import index_page
from ipvs_audit.report.options import Outputs
from ipvs_audit.report.render import render
from ipvs_audit.report.write import point_latest, write_reports


def test_a_run_directory_holds_every_report(tmp_path: Path) -> None:
    saved = tmp_path / "saved.jsonl.gz"
    saved.write_bytes(b"\x1f\x8b saved")
    into = tmp_path / "reports" / "2026-11-23T02-00-00Z"
    files = write_reports(sample_run.run(), saved, into)
    assert [file.name for file in files] == [
        *("index.html", "junit.xml", "manifest.sha256", "report.html", "report.js"),
        *("results.json", "snapshots.jsonl.gz", "style.css"),
    ]
    assert (into / "snapshots.jsonl.gz").read_bytes() == saved.read_bytes()
    assert sorted(into.parent.iterdir()) == [into], "nothing is left beside it"
    assert 'href="snapshots.jsonl.gz"' in (into / "index.html").read_text()


def test_sha256sum_accepts_the_manifest_and_it_covers_every_other_file(tmp_path: Path) -> None:
    into = tmp_path / "run"
    files = write_reports(sample_run.run(), None, into)
    ran = subprocess.run(
        ["sha256sum", "--check", "--strict", "manifest.sha256"],
        cwd=into,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    named = {line.split("  ", 1)[1] for line in (into / "manifest.sha256").read_text().splitlines()}
    assert named == {file.name for file in files} - {"manifest.sha256"}


def test_an_existing_run_is_never_written_over(tmp_path: Path) -> None:
    into = tmp_path / "run"
    into.mkdir()
    with pytest.raises(ReportError, match="already exists"):
        write_reports(sample_run.run(), None, into)
    assert list(into.iterdir()) == []


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("module", [junit, index_page], ids=["first", "last"])
def test_a_full_disk_leaves_nothing_half_written(
    module: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "write", full_disk)
    with pytest.raises(ReportError) as refused:
        write_reports(sample_run.run(), None, tmp_path / "reports" / "run")
    assert str(tmp_path / "reports" / "run") in str(refused.value)
    assert "No space left on device" in str(refused.value)
    assert "free some space" in str(refused.value)
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_really_full_disk_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        junit.write(sample_run.run(), tmp_path / "full")


def test_an_interruption_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(index_page, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_reports(sample_run.run(), None, tmp_path / "reports" / "run")
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_place_that_cannot_hold_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(ReportError, match=r"reports/run: the reports could not be written"):
        write_reports(sample_run.run(), None, tmp_path / "reports" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_not_writable_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir(mode=0o555)
    with pytest.raises(ReportError, match="make it writable"):
        write_reports(sample_run.run(), None, tmp_path / "reports" / "run")


def test_a_read_only_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(ReportError, match="mounted writable"):
        write_reports(sample_run.run(), None, tmp_path / "reports" / "run")


def test_saved_evidence_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"none\.gz"):
        write_reports(sample_run.run(), tmp_path / "none.gz", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_latest_points_at_the_newest_run_by_a_relative_link(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run = tmp_path / name
        run.mkdir()
        link = point_latest(tmp_path, run)
        assert link.readlink() == Path(name)
        assert link.resolve() == run
    assert sorted(one.name for one in tmp_path.iterdir()) == ["latest", "one", "two"]


def test_a_dangling_latest_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("gone")
    (tmp_path / "run").mkdir()
    assert point_latest(tmp_path, tmp_path / "run").resolve() == tmp_path / "run"


def test_a_directory_named_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "run").mkdir()
    with pytest.raises(ReportError, match="is not a symbolic link"):
        point_latest(tmp_path, tmp_path / "run")
    assert (tmp_path / "latest").is_dir()


def test_render_deletes_no_file_that_is_not_of_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_reports(sample_run.run(), None, run)
    (run / "ticket.txt").write_text("keep me")
    with pytest.raises(ReportError, match=r"ticket\.txt: is not of the run"):
        render(run, Outputs())
    assert (run / "ticket.txt").read_text() == "keep me"
    render(run, Outputs(), tmp_path / "elsewhere")
    (run / "ticket.txt").unlink()
    render(run, Outputs())
    (run / "manifest.sha256").unlink()
    with pytest.raises(ReportError, match="no such file; only a run as it was written"):
        render(run, Outputs())
