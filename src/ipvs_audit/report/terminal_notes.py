"""What the terminal says besides the findings: waivers that need attention, what changed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ipvs_audit.model.comparison import KINDS
from ipvs_audit.model.waiver import WaiverState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.model.results import Run

MAX_WAIVERS = 10


def waiver_lines(run: Run) -> Iterator[str]:
    """How many waivers there are, and each that somebody has to do something about."""
    if not run.waivers:
        return
    states = Counter(account.state for account in run.waivers)
    yield "waivers: " + ", ".join(
        f"{states[one]:,} {one.word}" for one in WaiverState if states[one]
    )
    needs_attention = [account for account in run.waivers if account.needs_attention]
    for account in needs_attention[:MAX_WAIVERS]:
        waiver = account.waiver
        yield (
            f"    {waiver.ticket} ({waiver.control} on {waiver.hosts}, {waiver.place}):"
            f" {account.summary}"
        )
    if (more := len(needs_attention) - MAX_WAIVERS) > 0:
        yield f"    and {more:,} more in the report"


def change_lines(run: Run) -> Iterator[str]:
    """What changed since the earlier run, in one line."""
    if (found := run.baseline) is None:
        return
    parts = [
        *(
            f"{len(getattr(found, kind)):,} {KINDS[kind]}"
            for kind in ("newly_failing", "fixed", "still_failing", "unproven")
        ),
        f"hosts: {len(found.appeared):,} appeared, {len(found.gone):,} gone",
    ]
    yield f"since {found.id}: {'; '.join(parts)}"
    yield from (f"    {note}" for note in found.notes)
