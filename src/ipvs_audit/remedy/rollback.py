"""Undoing a whole run, later, from its journal and what the hosts have kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.remedy.remediate_host import Treated
from ipvs_audit.remedy.rollout import INTERRUPTED, line
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipvs_audit.remedy.apply import Report
    from ipvs_audit.remedy.journal import Changes, Journal
    from ipvs_audit.snapshot import Failure, Snapshot

_FORKS = 16


class UndoDoor(Protocol):
    """The way to the hosts."""

    def look(self, host: str) -> Snapshot | Failure:
        """A new snapshot."""

    def undo(self, host: str, run: str, by: str) -> Report:
        """Take back what a run did.

        Raises:
            TransportError: what was undone is not known.
        """


def roll_back(
    hosts: Sequence[str],
    changes: Changes,
    door: UndoDoor,
    journal: Journal,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Treated]:
    """Undo a run on each of the hosts: ``rolled back``, ``not attempted`` or ``failed``.

    Interrupted (Ctrl-C), it ends the hosts under way and begins no other.
    """
    done: dict[str, Treated] = {}
    stopped = False

    def one(host: str) -> None:
        if stopped:
            return
        try:
            journal.note("rolling back", host, of=changes.run)
            found = _one(host, changes, door)
        except TransportError as lost:
            found = Treated(Plan(host), "failed", lost.message, after=door.look(host))
        except Exception as fault:  # noqa: BLE001  # one host's surprise must not end the run
            why = f"unforeseen {type(fault).__name__}: {fault}; roll back again"
            found = Treated(Plan(host), "failed", why)
        done[host] = found
        tell(line(host, found))

    pool = ThreadPoolExecutor(max_workers=min(_FORKS, max(1, len(hosts))))
    try:
        list(pool.map(one, hosts))
    except KeyboardInterrupt:
        stopped = True
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    for host, found in done.items():
        journal.note("rolled back", host, status=found.status, message=found.message)
    return {
        host: done.get(host) or Treated(Plan(host), "not attempted", INTERRUPTED) for host in hosts
    }


def _one(host: str, changes: Changes, door: UndoDoor) -> Treated:
    report = door.undo(host, changes.run, changes.who)
    after = door.look(host)
    outcomes = {one.number: one.word for one in report.answers if one.number}
    texts = "; ".join(one.text for one in report.notes)
    if not report.undone:
        return Treated(Plan(host), "failed", report.why or texts, outcomes, after)
    if not outcomes and host in changes.touched:
        why = f"the journal says that it was changed, and the host has kept nothing of it: {texts}"
        return Treated(Plan(host), "failed", why, outcomes, after)
    return Treated(Plan(host), "rolled back", texts, outcomes, after)
