"""The traces of a run as pictures, drawn from the saved evidence next to the pages."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from markupsafe import Markup

from ipvs_audit.latency.analysis import SPIKE
from ipvs_audit.snapshot import GarbledEvidenceError, Snapshot, store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ipvs_audit.model.results import LatencyResult, Run


def pictures(run: Run, directory: Path) -> Mapping[str, Markup]:
    """A picture for each host with a trace, by its name; nothing for any other.

    Args:
        run: what was found.
        directory: holds the saved evidence, where there is some.
    """
    found: dict[str, Markup] = defaultdict(Markup)
    timed = {host.name: _spike(host.latency) for host in run.hosts if host.latency is not None}
    if not timed or not (directory / store.NAME).exists():
        return found
    # A picture only adds to the numbers: without it a report is still complete.
    with suppress(store.StoreError):
        for evidence in store.read(directory):
            if isinstance(evidence, Snapshot) and evidence.target in timed:
                found[evidence.target] = _picture(evidence, timed[evidence.target])
    return found


def _spike(told: LatencyResult) -> float:
    """The policy's threshold above the median, as the numbers have it."""
    return SPIKE if told.threshold is None or told.p50 is None else told.threshold - told.p50


def _picture(evidence: Snapshot, spike: float) -> Markup:
    from ipvs_audit.report.html.latency_plot import picture  # noqa: PLC0415  # few runs have traces

    try:
        now, before = evidence.latency, evidence.latency_before
    except GarbledEvidenceError:
        return Markup()
    return picture(before, now, spike=spike) if now is not None and now.sent else Markup()
