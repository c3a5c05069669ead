"""Undoing a whole run, later, from its journal and what the hosts have kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from ipvs_audit.remedy.campaign import Treated
from ipvs_audit.remedy.steps import Plan
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipvs_audit.remedy.apply import Report
    from ipvs_audit.remedy.journal import Journal
    from ipvs_audit.snapshot import Failure, Snapshot

_FORKS = 16


class UndoDoor(Protocol):
    """The way to the hosts."""

    def look(self, host: str) -> Snapshot | Failure:
        """A new snapshot."""

    def undo(self, host: str, run: str) -> Report:
        """Take back what a run did.

        Raises:
            TransportError: what was undone is not known.
        """


def roll_back(
    hosts: Sequence[str],
    run: str,
    door: UndoDoor,
    journal: Journal,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Treated]:
    """Undo a run on each of the hosts: ``rolled back``, ``partly rolled back`` or ``failed``."""

    def one(host: str) -> Treated:
        journal.note("rolling back", host, of=run)
        try:
            found = _one(host, run, door)
        except TransportError as lost:
            found = Treated(Plan(host), "failed", lost.message, after=door.look(host))
        journal.note("rolled back", host, status=found.status, message=found.message)
        tell(f"  {host}: {found.status}" + (f": {found.message}" if found.message else ""))
        return found

    with ThreadPoolExecutor(max_workers=min(_FORKS, max(1, len(hosts)))) as pool:
        return dict(zip(hosts, pool.map(one, hosts), strict=True))


def _one(host: str, run: str, door: UndoDoor) -> Treated:
    report = door.undo(host, run)
    after = door.look(host)
    texts = "; ".join(one.text for one in report.notes)
    outcomes = {one.number: one.word for one in report.answers if one.number}
    if report.wrong or not report.whole or any(one.word == "locked" for one in report.notes):
        return Treated(Plan(host), "failed", report.why or texts, outcomes, after)
    return Treated(Plan(host), "rolled back", texts, outcomes, after)
