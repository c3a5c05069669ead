"""Is a saved run whole, signed, and true to its evidence?

Four questions: does every file have the digest that the manifest says; did somebody who may sign
the manifest; do the results follow when the evidence is judged again; and do the reports when they
are made again from the results.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ipvs_audit import __version__
from ipvs_audit.audit.rejudge import rejudge
from ipvs_audit.controls.discovery import find_checks
from ipvs_audit.model.text import counted
from ipvs_audit.report import manifest, results_json, signature
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.options import Outputs
from ipvs_audit.report.render import BEFORE, render
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.model.results import Run

_MOST = 20
#: How the name of a run's directory begins, where nobody chose another.
_RUN_ID = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
_UNMADE = (manifest.NAME, manifest.SIGNATURE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer; ``note`` is neither good nor bad."""

    level: Literal["ok", "note", "WRONG"]
    text: str


def verify(
    run: Path, checks: Path, allowed_signers: Path | None = None, signer: str | None = None
) -> Iterator[Finding]:
    """Look at a run's directory.

    Args:
        run: the directory.
        checks: the folder of the checks to judge by.
        allowed_signers: who may sign, as ssh-keygen(1) reads it; None asks for no signature.
        signer: who must have signed; None accepts anybody in that file.

    Raises:
        ReportError, StoreError: the run cannot be read.
        ChecksError: the checks cannot be loaded.
        PolicyError: the run does not say by which policy it was judged.
        OSError: a file cannot be read.
    """
    if allowed_signers is not None and not allowed_signers.is_file():
        raise ReportError(f"--allowed-signers {allowed_signers}: no such file")
    others = list(_not_files(run))
    yield from others
    if others:
        return
    wrong = False
    for findings in (
        _digests(run),
        _signature(run, allowed_signers, signer),
        _results(run, checks),
    ):
        for finding in findings:
            wrong = wrong or finding.level == "WRONG"
            yield finding
    if not wrong:
        yield from _reports(run)


def _not_files(run: Path) -> Iterator[Finding]:
    """What is no regular file. Then nothing is opened: a pipe would never end."""
    if not run.is_dir():
        raise ReportError(f"{run}: no such directory; name a run's, e.g. reports/latest")
    if not any((run / name).exists() for name in (manifest.NAME, "results.json")):
        raise ReportError(f"{run}: holds no run; name a run's directory, e.g. {run / 'latest'}")
    others = sorted(path.name for path in run.iterdir() if not path.is_file())
    for name in others[:_MOST]:
        text = f"{name}: is not in the manifest, or is not a regular file; nothing else was read"
        yield Finding("WRONG", text)


def _digests(run: Path) -> Iterator[Finding]:
    try:
        said = manifest.entries(run)
    except ReportError as broken:
        yield Finding("WRONG", f"digests: {broken}")
        return
    if not said:
        path = run / manifest.NAME
        yield Finding("WRONG", f"{path}: no such file, so nothing shows that the run is whole")
        return
    there = {path.name for path in run.iterdir()} - {manifest.NAME, manifest.SIGNATURE}
    problems = [f"{name}: is not in the manifest" for name in sorted(there - said.keys())]
    problems += [f"{name}: is missing" for name in sorted(said.keys() - there)]
    problems += [
        f"{name}: was changed after it was written"
        for name in sorted(said.keys() & there)
        if manifest.sha256(run / name) != said[name]
    ]
    for problem in problems[:_MOST]:
        yield Finding("WRONG", problem)
    if not problems:
        yield Finding("ok", f"digests: {len(said)} files are those of the manifest")


def _signature(run: Path, allowed_signers: Path | None, signer: str | None) -> Iterator[Finding]:
    signed = (run / manifest.SIGNATURE).exists()
    if allowed_signers is None:
        text = "not checked; give --allowed-signers FILE" if signed else "the run is not signed"
        yield Finding("note", f"signature: {text}")
    elif not signed:
        yield Finding("WRONG", "signature: the run is not signed")
    else:
        try:
            who = signature.verify(run, allowed_signers, signer)
            yield Finding("ok", f"signature: made by {who}")
        except signature.SignatureError as wrong:
            yield Finding("WRONG", f"signature: {wrong}")


def _results(directory: Path, checks: Path) -> Iterator[Finding]:
    path = directory / "results.json"
    try:
        run = results_json.load(path)
    except ReportError as broken:
        if not path.exists():
            raise
        yield Finding("WRONG", f"results: {broken}")
        return
    there = (directory / store.NAME).exists()
    if not there and any(host.contacted for host in run.hosts):
        text = f"{store.NAME} is missing, so nothing shows that they are true"
        yield Finding("WRONG", f"results: {text}")
        return
    yield from _name(directory, run)
    if run.version != __version__:
        text = f"written by ipvs-audit {run.version}, evaluated again by {__version__}"
        yield Finding("note", f"results: {text}")
    earlier = directory / BEFORE
    before = store.read(earlier) if earlier.exists() else ()
    evidence = store.read(directory) if there else ()
    found = rejudge(run, evidence, find_checks(checks), before)
    for problem in found.wrong[:_MOST]:
        yield Finding("WRONG", f"results: {problem}")
    if (more := len(found.wrong) - _MOST) > 0:
        yield Finding("WRONG", f"results: and {more:,} more")
    if not found.wrong:
        yield Finding("ok", f"results: {found.results:,} follow from the evidence, evaluated again")
    for why, count in found.skipped.items():
        yield Finding("note", f"results: {count:,} {why}")


def _name(directory: Path, run: Run) -> Iterator[Finding]:
    """A true run of another day in the place of this one has a true signature, too."""
    name = directory.resolve().name
    if re.fullmatch(rf"{re.escape(run.id)}(-\d+)?", name):
        return
    if _RUN_ID.match(name):
        yield Finding("WRONG", f"run: this is {run.id}, and lies where {name} should")
    else:
        yield Finding("note", f"run: this is {run.id}, of {counted(len(run.hosts), 'host')}")


def _reports(run: Path) -> Iterator[Finding]:
    """The reports written again, and compared byte for byte; only of a run that is whole so far."""
    if (version := results_json.load(run / "results.json").version) != __version__:
        text = f"written by ipvs-audit {version}, so not made again by {__version__}"
        yield Finding("note", f"reports: {text}")
        return
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-") as place:
        again = Path(place, "again")
        render(run, Outputs(), again)
        names = sorted(path.name for path in again.iterdir() if path.name not in _UNMADE)
        wrong = [name for name in names if not _same(run / name, again / name)]
    for name in wrong[:_MOST]:
        yield Finding("WRONG", f"{name}: is not what results.json gives")
    if not wrong:
        yield Finding("ok", f"reports: {len(names)} files are what results.json gives")


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and manifest.sha256(one) == manifest.sha256(other)
