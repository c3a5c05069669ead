"""A run's directory: written under a temporary name, and renamed when it is complete."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.private_files import OWNER_ONLY, make_directories, set_modes
from ipvs_audit.report import junit, manifest, results_json, signature
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.formats import FORMATS
from ipvs_audit.report.html import index_page
from ipvs_audit.report.options import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ipvs_audit.model.results import Run

SNAPSHOTS = "snapshots.jsonl.gz"
PLAIN = Outputs()


def write_reports(
    run: Run,
    snapshots: Path | None,
    into: Path,
    outputs: Outputs = PLAIN,
    *,
    beside: Mapping[str, Path] | None = None,
) -> list[Path]:
    """Write all reports of a run, and move them to ``into`` as the last act.

    Args:
        run: what was found.
        snapshots: the saved evidence, which is copied in as ``snapshots.jsonl.gz``; None where
            there is none.
        into: the run's directory, e.g. ``reports/2026-11-23T02-00-00Z``. It must not exist yet,
            or hold nothing but files that are copied in from there.
        outputs: what to write besides the reports that are always written, and how.
        beside: other files to copy in, by the name that they get.

    Returns:
        The files, under their final names, in the order of their names.

    Raises:
        ReportError: there is nothing under the final name, and nothing half-written next to it.
    """
    run = bounded(run.completed())
    beside = beside or {}
    ours = {one.resolve() for one in beside.values()}
    if into.exists() and (not ours or {one.resolve() for one in into.iterdir()} - ours):
        raise ReportError(f"{into}: already exists; name another directory, or remove it")
    with staged(into, outputs.mode) as staging:
        if snapshots is not None:
            shutil.copyfile(snapshots, staging / SNAPSHOTS)
        for name, source in beside.items():
            shutil.copyfile(source, staging / name)
        results_json.write(run, staging / "results.json")
        fill(run, staging, outputs)
        for file in staging.iterdir():
            _sync(file)
        _sync(staging)
        put(staging, into, outputs.mode)
        _sync(into.parent)
    return sorted(into.iterdir())


def put(staging: Path, into: Path, mode: int | None) -> None:
    """Give the directory its modes and its name; what stood there before is whole in it."""
    set_modes(staging, mode or OWNER_ONLY)
    aside = into.with_name(f".{into.name}.{os.getpid()}.journal")
    if into.exists():
        into.rename(aside)
    staging.rename(into)
    shutil.rmtree(aside, ignore_errors=True)


def fill(run: Run, directory: Path, outputs: Outputs, *, signed: bool = False) -> None:
    """Write what follows from results.json next to it, and the manifest last.

    Args:
        run: completed and bounded, as results.json holds it.
        directory: holds results.json, and the saved evidence where there is some.
        outputs: what to write besides, and how.
        signed: a signature will be added, though not here.

    Raises:
        OSError: a file cannot be written.
        ReportError: the manifest cannot be signed.
    """
    if outputs.junit_split:
        junit.write_split(run, directory, outputs.junit_split)
    else:
        junit.write(run, directory / "junit.xml")
    for name in outputs.formats:
        FORMATS[name].write(run, directory / FORMATS[name].file)
    pages = (".html", ".css", ".js")
    files = [
        file.name
        for file in directory.iterdir()
        if file.suffix not in pages and file.name not in (manifest.NAME, manifest.SIGNATURE)
    ]
    signed = signed or outputs.sign is not None
    last = [manifest.NAME, manifest.SIGNATURE] if signed else [manifest.NAME]
    index_page.write(run, directory, files=(*sorted(files), *last))
    manifest.write(directory)
    if outputs.sign is not None:
        try:
            signature.sign(directory, outputs.sign)
        except signature.SignatureError as wrong:
            raise ReportError(f"{directory.name}: {wrong}") from None


def point_latest(reports: Path, run: Path) -> Path:
    """Make ``reports/latest`` point at a run's directory, from one moment to the next.

    Raises:
        ReportError: the link cannot be made, or something that is no link has its name.
    """
    link = reports / "latest"
    new = reports / f".latest.{os.getpid()}"
    if link.exists() and not link.is_symlink():
        raise ReportError(
            f"{link}: is not a symbolic link; move it away; the next run creates the link"
        )
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
def staged(into: Path, mode: int | None) -> Iterator[Path]:
    """A directory next to the final one, removed where the body does not reach its end.

    It is the owner's alone until :func:`put`; parents that are made get the mode at once.
    """
    staging = into.with_name(f"{into.name}.{os.getpid()}.partial")
    try:
        make_directories(into.parent, mode or OWNER_ONLY)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
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
    errno.ENOTDIR: "a file is where a directory is needed; choose another place",
    errno.ENOTEMPTY: "already exists; name another directory, or remove it",
}


def _unwritten(failed: OSError, path: Path) -> ReportError:
    way_out = _WAYS_OUT.get(failed.errno or 0, "choose another place for the reports")
    control = (
        f" ({failed.filename})" if failed.filename and str(failed.filename) != str(path) else ""
    )
    return ReportError(
        f"{path}: the reports could not be written: {failed.strerror or failed}{control}; {way_out}"
    )
