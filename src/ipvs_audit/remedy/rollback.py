"""Undoing a whole run, later, from its journal and what the hosts have kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.remedy.host_threads import for_each_host
from ipvs_audit.remedy.journal import Event
from ipvs_audit.remedy.operator import Operator, Phase
from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.remedy.plan_text import status_line
from ipvs_audit.remedy.remediate_host import INTERRUPTED, HostRemediation, not_waited_for
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    operator: Operator,
) -> dict[str, HostRemediation]:
    """Undo a run on each of the hosts: rolled back, rollback failed, or not attempted.

    From the main thread. Once a stop is requested, it starts no other host and completes those
    under way within the grace period.
    """
    stop = operator.stop
    started: set[str] = set()
    done: dict[str, HostRemediation] = {}

    def work(host: str) -> None:
        if stop.requested:
            return
        started.add(host)
        try:
            journal.record(Event.ROLLING_BACK, host, of=changes.run)
            found = _roll_back_host(host, changes, access, operator)
        except TransportError as lost:
            after = access.collect(host, stop.left())
            found = _failed(host, _again(lost.message, changes), after=after)
        except Exception as fault:  # noqa: BLE001  # one host's surprise must not end the run
            why = f"unexpected {type(fault).__name__}: {fault}"
            found = _failed(host, _again(why, changes))
        done[host] = found
        operator.done(host, status_line(host, found.status, found.message))

    for_each_host(work, hosts, forks=forks, access=access, operator=operator)
    for host in hosts:
        if host not in done:
            done[host] = _interrupted(host, changes, started=host in started)
            operator.tell(status_line(host, done[host].status, done[host].message))
        found = done[host]
        journal.record(Event.HOST_FINISHED, host, status=found.status, message=found.message)
    operator.serve(0)
    return {host: done[host] for host in hosts}


def _roll_back_host(
    host: str, changes: RunChanges, access: HostAccess, operator: Operator
) -> HostRemediation:
    stop = operator.stop
    operator.phase(host, Phase.ROLLING_BACK)
    result = access.undo(host, changes.run, changes.who, stop.left())
    operator.phase(host, Phase.COLLECTING)
    after = access.collect(host, stop.left())
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
    if started:
        why = _again(f"{INTERRUPTED} while this host was being rolled back", changes)
        return not_waited_for(Plan(host), why, RemediationStatus.ROLLBACK_FAILED)
    return HostRemediation(Plan(host), RemediationStatus.NOT_ATTEMPTED, INTERRUPTED)
