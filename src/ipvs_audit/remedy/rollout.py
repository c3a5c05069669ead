"""Remediating many hosts: in batches, each verified before the next."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted
from ipvs_audit.remedy.batches import split_into_batches
from ipvs_audit.remedy.host_threads import for_each_host
from ipvs_audit.remedy.journal import Event
from ipvs_audit.remedy.plan_text import status_line
from ipvs_audit.remedy.remediate_host import HostRemediation, HostRemediator, LenientJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipvs_audit.remedy.batches import BatchSize
    from ipvs_audit.remedy.host_access import HostAccess
    from ipvs_audit.remedy.journal import Journal
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.remediate_host import Judge
    from ipvs_audit.remedy.verification import ControlResults

INTERRUPTED = "the run was interrupted"


@dataclass(slots=True)
class _Rollout:
    """The hosts of a rollout, under way or done; several threads remediate one host each.

    Attributes:
        plans: of each host.
        before: the results of each host before anything was changed.
        remediator: does the work.
        max_failures: how many hosts may fail before no other is started.
        failures: how many have failed.
        tell: given a line for each host that is done.
        stop_reason: why no other host is started; empty while they are.
        interrupted: whether Ctrl-C stopped it.
        started: hosts that were started.
        done: what became of those that are done.
    """

    plans: Mapping[str, Plan]
    before: Mapping[str, ControlResults]
    remediator: HostRemediator
    max_failures: int
    failures: int
    tell: Callable[[str], None]
    stop_reason: str = ""
    interrupted: bool = False
    started: set[str] = field(default_factory=set)
    done: dict[str, HostRemediation] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

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
            self.stop_reason = self.stop_reason or self._why_stop()
            self.tell(status_line(host, found.status, found.message))

    def _why_stop(self) -> str:
        if problem := self.remediator.journal.problem:
            return problem
        if self.failures <= self.max_failures:
            return ""
        hosts = "1 host has" if self.failures == 1 else f"{self.failures} hosts have"
        return f"{hosts} failed and --max-failures is {self.max_failures}"

    def interrupt(self) -> None:
        """Start no other host."""
        self.stop_reason, self.interrupted = INTERRUPTED, True

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
            found = HostRemediation(
                self.plans[host], RemediationStatus.FAILED, message, interrupted=True
            )
            self.tell(status_line(host, found.status, found.message))
            return found
        status = RemediationStatus.NOT_ATTEMPTED
        journal.record(Event.HOST_FINISHED, host, status=status, message=self.stop_reason)
        return HostRemediation(
            self.plans[host], status, self.stop_reason, interrupted=self.interrupted
        )


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
    unreachable: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, HostRemediation]:
    """Carry out the plans that are ready.

    A batch starts only when the one before it is done and verified. No host is started once more
    than ``max_failures`` hosts have failed, within a batch neither; those under way are completed.
    A host whose connection is lost counts as failed, and so do those that were ``unreachable``
    from the start. Interrupted (Ctrl-C), it completes the hosts under way and starts no other; a
    second time, it does not wait for them and says so.

    Returns:
        what became of each host of ``plans``.
    """
    ready = [host for host, plan in plans.items() if plan.ready]
    rollout = _Rollout(
        plans=plans,
        before=before,
        remediator=HostRemediator(access, judge, LenientJournal(journal)),
        max_failures=max_failures,
        failures=unreachable,
        tell=tell,
        stop_reason=too_many_unreachable(unreachable, max_failures),
    )
    for number, batch in enumerate(split_into_batches(ready, sizes), 1):
        if rollout.stop_reason:
            break
        tell(f"batch {number}: {counted(len(batch), 'host')} of {len(ready):,}")
        for_each_host(rollout.remediate, batch, forks=forks, stop=rollout.interrupt)
    if skipped := [host for host in ready if host not in rollout.started]:
        names = ", ".join(map(one_line, skipped))
        tell(f"not attempted because {rollout.stop_reason}: {names}")
    return {
        host: rollout.result(host) if plan.ready else HostRemediation(plan, plan.status)
        for host, plan in plans.items()
    }


def too_many_unreachable(count: int, max_failures: int) -> str:
    """Why no host may be changed where so many cannot be reached; empty where some may."""
    if count <= max_failures:
        return ""
    hosts = "1 host is" if count == 1 else f"{count} hosts are"
    return (
        f"{hosts} unreachable and --max-failures is {max_failures} (raise it, or exclude "
        f"{'it' if count == 1 else 'them'} with --limit)"
    )
