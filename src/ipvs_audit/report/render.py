"""Makes all reports of a run again, from results.json and the evidence.

Neither is changed, and both must be what the manifest says: a report is made of what was found,
never of what somebody wrote into it later.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.report import manifest, results_json
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.options import Outputs, found_in
from ipvs_audit.report.write import fill, put, staged

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.model.results import Run

#: What a run found; everything else follows from it.
BEFORE = "snapshots-before.jsonl.gz"
FOUND = ("results.json", "snapshots.jsonl.gz", BEFORE, "journal.jsonl")


def render(directory: Path, asked: Outputs, into: Path | None = None) -> None:
    """Make the reports of a run again.

    Formats that the run has stay; those asked for are added. A signature stays where the manifest
    comes out as it was.

    Raises:
        ReportError: results.json is missing, was changed, or cannot be read.
        OSError: a file cannot be read or written.
    """
    directory = directory.resolve()
    place = directory if into is None else into
    if into is not None and into.exists():
        raise ReportError(f"{into}: already exists; name another directory")
    kept = [directory / name for name in _kept(directory, in_place=into is None)]
    run = results_json.load(directory / "results.json")
    had = found_in(directory)
    outputs = replace(
        asked,
        formats=tuple(dict.fromkeys((*had.formats, *asked.formats))),
        junit_split=asked.junit_split or had.junit_split,
        mode=asked.mode or (had.mode if into is None else None),
    )
    with staged(place, outputs.mode) as staging:
        for path in kept:
            shutil.copyfile(path, staging / path.name)
        signature_there = (directory / manifest.SIGNATURE).exists()
        fill(run, staging, outputs, signed=signature_there)
        if signature_there and outputs.sign is None:
            _keep_signature(run, directory, staging, outputs)
        put(staging, place, outputs.mode)


def _kept(directory: Path, *, in_place: bool) -> list[str]:
    """What a run found, as its manifest names it. In place, no other file may be there."""
    said = manifest.entries(directory)
    if not said:
        raise ReportError(
            f"{directory / manifest.NAME}: no such file; only a run as it was written is rendered"
        )
    names = [name for name in FOUND if (directory / name).exists()]
    for name in names:
        if said.get(name) != manifest.sha256(directory / name):
            raise ReportError(f"{directory / name}: differs from the digest in the manifest")
    known = {*said, manifest.NAME, manifest.SIGNATURE}
    others = sorted(path.name for path in directory.iterdir() if path.name not in known)
    if in_place and others:
        raise ReportError(
            f"{directory / others[0]}: is not of the run and would be lost; move it away, or"
            " render into another directory with --into"
        )
    return names


def _keep_signature(run: Run, before: Path, now: Path, outputs: Outputs) -> None:
    """The old signature where it still holds; else none, and no link to it."""
    if (now / manifest.NAME).read_bytes() == (before / manifest.NAME).read_bytes():
        shutil.copyfile(before / manifest.SIGNATURE, now / manifest.SIGNATURE)
    else:
        (now / manifest.NAME).unlink()
        fill(run, now, outputs)
