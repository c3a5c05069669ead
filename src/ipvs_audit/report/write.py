"""A run's directory: every report written beside its place, and moved there when all is whole."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ipvs_audit.report import html, junit, manifest, results_json
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.sanitise import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.results import Run

SNAPSHOTS = "snapshots.jsonl.gz"


def write_reports(run: Run, snapshots: Path | None, into: Path) -> list[Path]:
    """Write all reports of a run, and move them to ``into`` as the last act.

    Args:
        run: what was found.
        snapshots: the saved evidence, which is copied in as ``snapshots.jsonl.gz``; None where
            there is none.
        into: the run's directory, which must not exist yet, e.g.
            ``reports/2026-11-23T02-00-00Z``.

    Returns:
        The files, under their final names, in the order of their names.

    Raises:
        ReportError: nothing stands under the final name, and nothing half-written beside it.
    """
    run = bounded(run.completed())
    if into.exists():
        raise ReportError(f"{into}: is there already; name another directory, or remove it")
    with _staged(into) as staging:
        junit.write(run, staging / "junit.xml")
        results_json.write(run, staging / "results.json")
        if snapshots is not None:
            shutil.copyfile(snapshots, staging / SNAPSHOTS)
        files = tuple(sorted(file.name for file in staging.iterdir()))
        html.write(run, staging, files=(*files, manifest.NAME))
        manifest.write(staging)
        for file in staging.iterdir():
            _sync(file)
        _sync(staging)
        staging.rename(into)
        _sync(into.parent)
    return sorted(into.iterdir())


def point_latest(reports: Path, run: Path) -> Path:
    """Make ``reports/latest`` point at a run's directory, from one moment to the next.

    Raises:
        ReportError: the link cannot be made, or something that is no link has its name.
    """
    link = reports / "latest"
    new = reports / f".latest.{os.getpid()}"
    if link.exists() and not link.is_symlink():
        raise ReportError(f"{link}: is not a symbolic link; move it away, and it will be made one")
    try:
        new.unlink(missing_ok=True)
        new.symlink_to(os.path.relpath(run, reports), target_is_directory=True)
        new.replace(link)
    except OSError as failed:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise _unwritten(failed, link) from failed
    return link


@contextmanager
def _staged(into: Path) -> Iterator[Path]:
    """A directory beside the final one, gone again where the body does not reach its end."""
    staging = into.with_name(f"{into.name}.{os.getpid()}.partial")
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        yield staging
    except OSError as failed:
        raise _unwritten(failed, into) from failed
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_WAYS_OUT = {
    errno.ENOSPC: "free some space there, or choose another place for the reports",
    errno.EDQUOT: "free some of the quota there, or choose another place for the reports",
    errno.EACCES: "make it writable for this user, or choose another place for the reports",
    errno.EPERM: "make it writable for this user, or choose another place for the reports",
    errno.EROFS: "choose a place for the reports that is mounted writable",
    errno.ENOTDIR: "a file stands where a directory is needed; choose another place",
    errno.ENOTEMPTY: "is there already; name another directory, or remove it",
}


def _unwritten(failed: OSError, path: Path) -> ReportError:
    way_out = _WAYS_OUT.get(failed.errno or 0, "choose another place for the reports")
    about = f" ({failed.filename})" if failed.filename and str(failed.filename) != str(path) else ""
    return ReportError(
        f"{path}: the reports could not be written: {failed.strerror or failed}{about}; {way_out}"
    )
