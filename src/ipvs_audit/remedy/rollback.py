"""Undoing a whole run, later, from its journal and what the hosts have kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.remedy.host_threads import for_each_host
from ipvs_audit.remedy.journal import Event
from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.remedy.plan_text import status_line
from ipvs_audit.remedy.remediate_host import HostRemediation
from ipvs_audit.remedy.rollout import INTERRUPTED
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipvs_audit.remedy.host_access import HostAccess
    from ipvs_audit.remedy.journal import Journal, RunChanges
    from ipvs_audit.snapshot import Failure, Snapshot


def roll_back(
    hosts: Sequence[str],
    changes: RunChanges,
    access: HostAccess,
    journal: Journal,
    *,
    forks: int,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, HostRemediation]:
    """Undo a run on each of the hosts: rolled back, rollback failed, or not attempted.

    Interrupted (Ctrl-C), it completes the hosts under way and starts no other; a second time, it
    does not wait for them and says so.
    """
    started: set[str] = set()
    done: dict[str, HostRemediation] = {}
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True

    def work(host: str) -> None:
        if stopped:
            return
        started.add(host)
        try:
            journal.record(Event.ROLLING_BACK, host, of=changes.run)
            found = _roll_back_host(host, changes, access)
        except TransportError as lost:
            found = _failed(host, _again(lost.message, changes), after=access.collect(host))
        except Exception as fault:  # noqa: BLE001  # one host's surprise must not end the run
            why = f"unexpected {type(fault).__name__}: {fault}"
            found = _failed(host, _again(why, changes))
        done[host] = found
        tell(status_line(host, found.status, found.message))

    for_each_host(work, hosts, forks=forks, stop=stop)
    for host, found in done.items():
        journal.record(Event.HOST_FINISHED, host, status=found.status, message=found.message)
    return {
        host: done.get(host) or _interrupted(host, changes, started=host in started)
        for host in hosts
    }


def _roll_back_host(host: str, changes: RunChanges, access: HostAccess) -> HostRemediation:
    result = access.undo(host, changes.run, changes.who)
    after = access.collect(host)
    outcomes = {one.number: str(one.outcome) for one in result.steps}
    notes = "; ".join(note.text for note in result.notes)
    status, message = RemediationStatus.ROLLBACK_FAILED, _again(result.problem, changes)
    if result.undo_complete and not outcomes and host in changes.changed:
        message = f"the journal says that it was changed, but the host holds no backup: {notes}"
    elif result.undo_complete:
        status, message = RemediationStatus.ROLLED_BACK, notes
    return HostRemediation(Plan(host), status, message, outcomes, after)


def _again(why: str, changes: RunChanges) -> str:
    return f"{why}; then --rollback {changes.run} again"


def _failed(host: str, message: str, after: Snapshot | Failure | None = None) -> HostRemediation:
    return HostRemediation(Plan(host), RemediationStatus.ROLLBACK_FAILED, message, after=after)


def _interrupted(host: str, changes: RunChanges, *, started: bool) -> HostRemediation:
    status, message = RemediationStatus.NOT_ATTEMPTED, INTERRUPTED
    if started:
        status = RemediationStatus.ROLLBACK_FAILED
        message = _again(f"{INTERRUPTED} while this host was being rolled back", changes)
    return HostRemediation(Plan(host), status, message, interrupted=True)
