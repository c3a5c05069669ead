"""The runs below a directory, read for their history: strict, host by host, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ipvs_audit.model.text import counted
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.history import History, SeenHost, SeenRun
from ipvs_audit.report.manifest import entries, sha256
from ipvs_audit.report.results_stream import Results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.model.results import Run

_RESULTS = "results.json"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run that does not count.

    Attributes:
        place: the name of its directory.
        reason: why, and where.
    """

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A run of which only the head is read."""

    started: datetime
    path: Path
    digest: str
    estimation: str


def read_history(directory: Path) -> tuple[History, list[LeftOut]]:
    """The history of all runs that are directly below a directory, and the runs that do not count.

    A run that cannot be read, that is a duplicate, or whose policy asks for the other direction
    than the newest one's, is left out.

    Raises:
        ReportError: there is no run, or none that can be read.
    """
    found, left_out = _found(directory)
    history, direction = History(), _direction(found)
    for one in found:
        if one.estimation != direction:
            reason = f"its policy requires estimation to be {one.estimation}"
            left_out.append(LeftOut(one.path.name, reason))
            continue
        try:
            run = _read(one.path)
        except (ReportError, OSError, ValueError) as wrong:
            left_out.append(LeftOut(one.path.name, str(wrong)))
        else:
            history.add(run)
    if not history.points:
        raise ReportError(_none(directory, left_out))
    return history, left_out


def _none(directory: Path, left_out: list[LeftOut]) -> str:
    if left_out:
        first = left_out[0]
        return (
            f"{directory}: none of {counted(len(left_out), 'run')} can be read;"
            f" {first.place}: {first.reason}"
        )
    if (directory / _RESULTS).exists():
        return f"name the directory that holds the runs: {directory} is a run"
    return f"name the directory that holds the runs: {directory} holds none"


def _found(directory: Path) -> tuple[list[_Found], list[LeftOut]]:
    """The heads of the runs, oldest first; two of one second by the names of their directories."""
    found, left_out, digests = [], [], dict[str, str]()
    for path in _directories(directory):
        try:
            one = _head(path)
        except (ReportError, OSError, ValueError) as wrong:
            left_out.append(LeftOut(path.name, str(wrong)))
            continue
        if (same := digests.setdefault(one.digest, path.name)) != path.name:
            left_out.append(LeftOut(path.name, f"is the same run as {same}"))
        else:
            found.append(one)
    return sorted(found, key=lambda one: (one.started, one.path.name)), left_out


def _directories(directory: Path) -> Iterator[Path]:
    """Those that hold a run; ``latest`` only points to one of them."""
    try:
        paths = sorted(directory.iterdir())
    except OSError as unread:
        raise ReportError(
            f"name the directory that holds the runs: {directory}: {unread.strerror}"
        ) from None
    for path in paths:
        link = path.name == "latest" and path.is_symlink()
        if not link and not path.name.startswith(".") and (path / _RESULTS).exists():
            yield path


def _head(path: Path) -> _Found:
    digest = sha256(path / _RESULTS)
    if entries(path).get(_RESULTS, digest) != digest:
        raise ReportError(f"{path / _RESULTS} differs from the digest in the manifest")
    run = Results(path / _RESULTS).run
    if not run.started:
        raise ReportError(f"{path / _RESULTS}: does not say when it was started")
    return _Found(datetime.fromisoformat(run.started), path, digest, run.estimation)


def _direction(found: list[_Found]) -> str:
    """What the newest run that can be read requires."""
    newest_first = found[::-1]
    if len({one.estimation for one in found}) > 1:
        for one in newest_first:
            try:
                _read(one.path)
            except (ReportError, OSError, ValueError):
                continue
            return one.estimation
    return newest_first[0].estimation if found else ""


def _read(path: Path) -> SeenRun:
    results = Results(path / _RESULTS)
    run = results.run
    hosts: dict[str, SeenHost] = {}
    for host in results.hosts():
        hosts[host.name] = SeenHost.of(host, run)
    started = datetime.fromisoformat(run.started)
    finished = datetime.fromisoformat(run.finished) if run.finished else started
    return SeenRun(
        path.name,
        started,
        max(started, finished),
        tuple(_remarks(run)),
        run.policy_sha256,
        run.version,
        run.left_out,
        tuple(hosts.values()),
    )


def _remarks(run: Run) -> Iterator[str]:
    if run.interrupted:
        yield "interrupted"
    if run.shard is not None and not run.merged:
        yield "one shard of the fleet"
    if run.left_out:
        yield f"{counted(run.left_out, 'host')} left out"
    evaluated = {control.id for control in run.controls}
    if missing := [one for one in run.required if one not in evaluated]:
        yield f"not evaluated: {', '.join(missing)}"
