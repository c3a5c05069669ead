"""results.prom: metrics for node_exporter's textfile collector.

Counts only: neither a host's name nor what it said becomes a label, so that no host can make
series. Copy the file into the collector's directory under another name, then rename it, as the
collector asks.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.model.waiver import WaiverState
from ipvs_audit.report.summary import Status, host_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.model.results import Run


def write(run: Run, path: Path) -> None:
    """Write the metrics.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for name, text, samples in _metrics(run):
            file.write(f"# HELP ipvs_audit_{name} {text}\n# TYPE ipvs_audit_{name} gauge\n")
            for labels, value in samples:
                shown = ",".join(f'{key}="{_label(each)}"' for key, each in labels.items())
                labelled = f"{{{shown}}}" if shown else ""
                file.write(f"ipvs_audit_{name}{labelled} {value:.15g}\n")


def _metrics(run: Run) -> Iterator[tuple[str, str, list[tuple[dict[str, str], float]]]]:
    yield (
        "info",
        "What was run; always 1.",
        [({"version": run.version, "estimation": run.estimation}, 1)],
    )
    yield (
        "hosts",
        "Hosts of the inventory by state.",
        _by("state", run.states() | {"left_out": run.left_out}),
    )
    statuses = Counter(host_status(host) for host in run.hosts)
    yield (
        "hosts_by_verdict",
        "Hosts by the worst of their verdicts, waivers counted.",
        _by("verdict", {one.value: statuses[one] for one in Status}),
    )
    found = Counter((one.control, one.verdict) for host in run.hosts for one in host.controls)
    yield (
        "results",
        "Results of a control by raw verdict.",
        [
            ({"control": control.id, "verdict": verdict.value}, found[control.id, verdict])
            for control in run.controls
            for verdict in Verdict
        ],
    )
    waived = Counter(one.control for host in run.hosts for one in host.controls if one.waived)
    yield (
        "waived",
        "Failures of a control that a waiver covers.",
        [({"control": control.id}, waived[control.id]) for control in run.controls],
    )
    states = Counter(account.state for account in run.waivers)
    yield (
        "waivers",
        "Waivers by state.",
        _by("state", {one.value: states[one] for one in WaiverState}),
    )
    yield "interrupted", "1 if the run was interrupted.", [({}, run.interrupted)]
    for name, text, value in (
        ("start_time_seconds", "When the run began, UNIX time.", _time(run.started)),
        ("end_time_seconds", "When the run ended, UNIX time.", _time(run.finished)),
        ("duration_seconds", "How long it took.", _time(run.finished) - _time(run.started)),
    ):
        yield name, text, [({}, value)]


def _by(label: str, counts: dict[str, int]) -> list[tuple[dict[str, str], float]]:
    return [({label: name}, count) for name, count in counts.items()]


def _label(text: str) -> str:
    return one_line(text).replace("\\", "\\\\").replace('"', '\\"')


def _time(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
