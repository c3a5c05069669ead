"""The run to compare with, and the comparison."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ipvs_audit.model.comparison import Change, Comparison, kind_of
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.reported_run import load_reported

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ipvs_audit.model.results import Run
    from ipvs_audit.model.shard import Shard


class BaselineError(UsageError):
    """A run that cannot be compared with; the message names the path and what to do."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is kept of an earlier run: its verdicts, by host and control."""

    id: str
    finished: str
    sha256: str
    estimation: str
    policy_sha256: str
    controls: frozenset[str]
    verdicts: Mapping[str, Mapping[str, str]] = field(repr=False)

    def within(self, shard: Shard) -> Baseline:
        """The same, of the hosts of one shard: the others are not gone, but elsewhere."""
        held = {name: found for name, found in self.verdicts.items() if shard.holds(name)}
        return replace(self, verdicts=held)


def find_baseline(asked: Path, reports: Path) -> Baseline | None:
    """The run that ``--baseline`` names; None where it says ``latest`` and there is none yet.

    Raises:
        BaselineError: see :func:`load_baseline`.
    """
    if asked.parts != ("latest",) or asked.exists():
        return load_baseline(asked)
    return load_baseline(reports / "latest") if (reports / "latest").exists() else None


def load_baseline(directory: Path) -> Baseline:
    """Read an earlier run.

    Raises:
        BaselineError: there is none, it cannot be read, or it is not what its manifest says.
    """
    try:
        run, digest = load_reported(directory)
    except ReportError as wrong:
        raise BaselineError(f"--baseline: {wrong}") from None
    return Baseline(
        id=run.id,
        finished=run.finished,
        sha256=digest,
        estimation=run.estimation,
        policy_sha256=run.policy_sha256,
        controls=frozenset(control.id for control in run.controls),
        verdicts=_verdicts(run),
    )


def compare(before: Baseline, run: Run) -> Comparison:
    """Compare a run with an earlier one, in the controls that this run evaluated."""
    now = _verdicts(run)
    changes: dict[str, list[Change]] = {}
    for host, verdicts in now.items():
        earlier = before.verdicts.get(host, {})
        for control in run.controls:
            was, found = earlier.get(control.id, ""), verdicts.get(control.id, "")
            if kind := kind_of(was, found):
                changes.setdefault(kind, []).append(Change(host, control.id, was, found))
    return Comparison(
        id=before.id,
        finished=before.finished,
        sha256=before.sha256,
        **{kind: tuple(found) for kind, found in changes.items()},
        appeared=tuple(host for host in now if host not in before.verdicts),
        gone=tuple(host for host in before.verdicts if host not in now),
        notes=tuple(_notes(before, run)),
    )


def _notes(before: Baseline, run: Run) -> list[str]:
    notes = []
    if before.estimation != run.estimation:
        notes.append(f"The earlier run required estimation to be {before.estimation}.")
    elif before.policy_sha256 != run.policy_sha256:
        notes.append(f"The policy differs from the earlier run's (sha256 {before.policy_sha256}).")
    asked = {control.id for control in run.controls}
    if left_out := sorted(before.controls - asked):
        notes.append(f"Not evaluated in this run, so not compared: {', '.join(left_out)}.")
    return notes


def _verdicts(run: Run) -> dict[str, dict[str, str]]:
    # completed(): an unreachable host has an error for every control, whoever wrote the run.
    return {
        host.name: {result.control: result.verdict.value for result in host.controls}
        for host in run.completed().hosts
    }
