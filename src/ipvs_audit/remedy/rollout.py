"""Remediating many hosts: in batches, each verified before the next."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted
from ipvs_audit.remedy.batches import split_into_batches
from ipvs_audit.remedy.host_threads import for_each_host
from ipvs_audit.remedy.journal import Event
from ipvs_audit.remedy.plan_text import status_line
from ipvs_audit.remedy.remediate_host import (
    INTERRUPTED,
    HostRemediation,
    HostRemediator,
    LenientJournal,
    not_waited_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipvs_audit.remedy.batches import BatchSize
    from ipvs_audit.remedy.host_access import HostAccess
    from ipvs_audit.remedy.journal import Journal
    from ipvs_audit.remedy.operator import Operator
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.remediate_host import Judge
    from ipvs_audit.remedy.verification import ControlResults


@dataclass(slots=True)
class _Rollout:
    """The hosts of a rollout, under way or done; several threads remediate one host each.

    Attributes:
        plans: of each host.
        before: the results of each host before anything was changed.
        remediator: does the work.
        max_failures: how many hosts may fail before no other is started.
        failures: how many have failed.
        problem: why no other host is started; empty while they are.
        started: hosts that were started.
        done: what became of those that are done.
    """

    plans: Mapping[str, Plan]
    before: Mapping[str, ControlResults]
    remediator: HostRemediator
    max_failures: int
    failures: int
    problem: str = ""
    started: set[str] = field(default_factory=set)
    done: dict[str, HostRemediation] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def stop_reason(self) -> str:
        """Why no other host is started; empty while they are."""
        return self.problem or (INTERRUPTED if self.remediator.operator.stop.requested else "")

    def remediate(self, host: str) -> None:
        """Remediate one host, unless the rollout was stopped; raises nothing."""
        with self._lock:
            if self.stop_reason:
                return
            self.started.add(host)
        found = self.remediator.remediate(host, self.plans[host], self.before[host])
        with self._lock:
            self.done[host] = found
            self.failures += found.status.failed
            self.problem = self.problem or self._why_stop()
        line = status_line(host, found.status, found.message)
        self.remediator.operator.done(host, line)

    def _why_stop(self) -> str:
        if problem := self.remediator.journal.problem:
            return problem
        if self.failures <= self.max_failures:
            return ""
        hosts = "1 host has" if self.failures == 1 else f"{self.failures} hosts have"
        return f"{hosts} failed and --max-failures is {self.max_failures}"

    def result(self, host: str) -> HostRemediation:
        """What became of a host, be it that it was not started, or is not waited for."""
        if host in self.done:
            return self.done[host]
        journal = self.remediator.journal
        if host in self.started:
            message = (
                f"{INTERRUPTED} while this host was being changed: its state is unknown; "
                f"run --rollback {journal.journal.run}"
            )
            found = not_waited_for(replace(self.plans[host], target=host), message)
            self.remediator.operator.done(host, status_line(host, found.status, message))
        else:
            status = RemediationStatus.NOT_ATTEMPTED
            found = HostRemediation(self.plans[host], status, self.stop_reason)
        journal.record(Event.HOST_FINISHED, host, status=found.status, message=found.message)
        return found


def roll_out(
    plans: Mapping[str, Plan],
    before: Mapping[str, ControlResults],
    access: HostAccess,
    judge: Judge,
    journal: Journal,
    *,
    sizes: Sequence[BatchSize],
    max_failures: int,
    forks: int,
    operator: Operator,
    unreachable: int = 0,
) -> dict[str, HostRemediation]:
    """Carry out the plans that are ready; from the main thread.

    A batch starts only when the one before it is done and verified. No host is started once more
    than ``max_failures`` hosts have failed, within a batch neither; those under way are completed.
    A host whose connection is lost counts as failed, and so do those that were ``unreachable``
    from the start. Once a stop is requested, no other host is started, and those under way are
    completed or reverted within the grace period.

    Returns:
        what became of each host of ``plans``.
    """
    ready = [host for host, plan in plans.items() if plan.ready]
    rollout = _Rollout(
        plans=plans,
        before=before,
        remediator=HostRemediator(access, judge, LenientJournal(journal), operator),
        max_failures=max_failures,
        failures=unreachable,
        problem=too_many_unreachable(unreachable, max_failures),
    )
    for number, batch in enumerate(split_into_batches(ready, sizes), 1):
        if rollout.stop_reason:
            break
        operator.tell(f"batch {number}: {counted(len(batch), 'host')} of {len(ready):,}")
        for_each_host(rollout.remediate, batch, forks=forks, access=access, operator=operator)
    if skipped := [host for host in ready if host not in rollout.started]:
        names = ", ".join(map(one_line, skipped))
        operator.tell(f"not attempted because {rollout.stop_reason}: {names}")
    found = {
        host: rollout.result(host) if plan.ready else HostRemediation(plan, plan.status)
        for host, plan in plans.items()
    }
    operator.serve(0)
    return found


def too_many_unreachable(count: int, max_failures: int) -> str:
    """Why no host may be changed where so many cannot be reached; empty where some may."""
    if count <= max_failures:
        return ""
    hosts = "1 host is" if count == 1 else f"{count} hosts are"
    return (
        f"{hosts} unreachable and --max-failures is {max_failures} (raise it, or exclude "
        f"{'it' if count == 1 else 'them'} with --limit)"
    )
