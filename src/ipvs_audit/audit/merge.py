"""Puts the runs of all shards of a fleet together, as one run.

Results and evidence are taken over as they are, once it is certain that the shards fit together and
that no host is missing; nothing is judged again. Memory does not grow with the evidence.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from ipvs_audit.audit.merged_run import MergeError, ShardRun, order, together
from ipvs_audit.model.ci_job import job_link
from ipvs_audit.model.results import Counts, counts_of
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.report import manifest, results_json, signature
from ipvs_audit.report.options import Outputs, found_in
from ipvs_audit.report.results_stream import Results, parsed, without_evidence
from ipvs_audit.report.summary import headline, reconciliation
from ipvs_audit.report.write import SNAPSHOTS, fill, put, staged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ipvs_audit.model.results import HostResult, Run

_RESULTS = "results.json"


def run_in(path: Path) -> Path:
    """The run's directory: the path itself, or what ``latest`` in it names.

    Raises:
        MergeError: neither holds a run.
    """
    for directory in (path, path / "latest"):
        if (directory / _RESULTS).exists():
            return directory
    raise MergeError(f"{path}: holds no run; name the directory that a shard's run has written")


def merge(
    runs: Sequence[Path],
    outputs: Outputs,
    into: Path | None,
    argv: tuple[str, ...],
    allowed_signers: Path | None = None,
) -> tuple[Path, list[str]]:
    """Put runs together.

    Args:
        runs: the directories of the runs of all shards.
        outputs: what to write besides what the first of them has.
        into: a directory that does not exist yet; None names one next to the first run.
        argv: the command line, for the report.
        allowed_signers: who may have signed the runs; None asks for no signature.

    Returns:
        The merged run's directory, and what it says in a few lines.

    Raises:
        MergeError: the runs do not fit together.
        ReportError, SignatureError: one of them is not what it was when it was written.
        OSError: a file cannot be read or written.
    """
    if len(unique := {path.resolve() for path in runs}) < len(runs):
        raise MergeError(
            f"a directory is named twice: {len(runs)} arguments, {len(unique)} directories"
        )
    for path in runs:
        _refuse_changed(path)
        if allowed_signers is not None:
            signature.verify(path, allowed_signers, None)
    results = [Results(path / _RESULTS) for path in runs]
    given = [_given(path, one) for path, one in zip(runs, results, strict=True)]
    ordered = list(order(given))
    places = {name: place for place, (_, name) in enumerate(ordered)}
    run = together(given, places, argv, job_link(os.environ) or _common_job(given))
    place = into or _parent(runs[0]) / run.id
    if place.exists():
        raise MergeError(f"{place}: already exists; name another directory with --into")
    had = found_in(runs[0])
    outputs = replace(
        outputs,
        formats=tuple(dict.fromkeys((*had.formats, *outputs.formats))),
        junit_split=outputs.junit_split or had.junit_split,
    )
    with staged(place, outputs.mode) as staging:
        _write_results(run, results, (number for number, _ in ordered), staging / _RESULTS)
        _write_evidence(runs, staging / SNAPSHOTS)
        run = replace(run, hosts=tuple(_on_disk(staging / _RESULTS)))
        fill(run, staging, outputs)
        lines = [headline(run).sentence, reconciliation(run)]
        put(staging, place, outputs.mode)
    return place, lines


def _parent(run: Path) -> Path:
    """The directory that holds the runs: ``latest`` counts as the run that it points to."""
    return run.parent.parent if run.name == "latest" else run.parent


def _refuse_changed(path: Path) -> None:
    said = manifest.entries(path)
    if not said:
        raise MergeError(f"{path / manifest.NAME}: no such file; give the run's whole directory")
    for name in (_RESULTS, SNAPSHOTS):
        there = manifest.sha256(path / name) if (path / name).exists() else None
        if there != said.get(name):
            what = "differs from the digest in the manifest" if there else "is missing"
            raise MergeError(f"{path / name}: {what}")


def _given(path: Path, results: Results) -> ShardRun:
    run = results.run
    if run.shard is None:
        raise MergeError(f"{path}: is not the run of a shard; audit each with --shard K/N")
    names = []
    for host in results.hosts():
        if host.remedy is not None:
            raise MergeError(f"{path}: planned or made changes; only audits can be merged")
        names.append(host.name)
    sha256 = manifest.sha256(path / _RESULTS)
    return ShardRun(one_line(str(path)), run, run.shard, tuple(names), sha256)


def _common_job(given: Sequence[ShardRun]) -> str:
    jobs = {one.run.job for one in given}
    return jobs.pop() if len(jobs) == 1 else ""


def _write_results(
    run: Run, results: Sequence[Results], numbers: Iterator[int], path: Path
) -> None:
    """results.json of the merged run; each host's line as it is in its shard's file."""
    lines = [one.lines() for one in results]
    hosts = (next(lines[number]).decode("ascii") for number in numbers)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(results_json.lines(run, _counts(run, results), hosts))


def _counts(run: Run, results: Sequence[Results]) -> Counts:
    """What the hosts of all shards add up to. What one shard leaves out, another holds."""
    states, verdicts = Counter[str](), Counter[str]()
    for one in results:
        states.update(asdict(one.counts.hosts))
        verdicts.update(asdict(one.counts.verdicts))
    verdicts["pass"] = verdicts.pop("passed")
    return counts_of(states, verdicts, left_out=run.left_out)


def _write_evidence(runs: Iterable[Path], path: Path) -> None:
    """The evidence of all runs: gzip files one behind the other are one gzip file."""
    with path.open("wb") as file:
        for run in runs:
            if (run / SNAPSHOTS).exists():
                with (run / SNAPSHOTS).open("rb") as evidence:
                    shutil.copyfileobj(evidence, file, 1 << 20)


def _on_disk(path: Path) -> Iterator[HostResult]:
    for offset, line in Results(path).placed():
        yield without_evidence(parsed(line), path, offset)
