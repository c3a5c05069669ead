"""Changing many hosts: in batches, each verified before the next; what did not help is put back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ipvs_audit.remedy.batches import batches
from ipvs_audit.remedy.better import Judged, failing, improved, worse
from ipvs_audit.remedy.journal import told
from ipvs_audit.remedy.steps import Plan, SetLive, WriteFile
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipvs_audit.remedy.apply import Report
    from ipvs_audit.remedy.batches import Size
    from ipvs_audit.remedy.journal import Journal

#: What can become of a host, beside the words of :attr:`Plan.status`.
FAILED = frozenset({"failed", "put back", "partly fixed"})
INTERRUPTED = "the run was interrupted"


class Door(Protocol):
    """The way to the hosts."""

    def look(self, host: str) -> Snapshot | Failure:
        """A new snapshot, with the originals."""

    def apply(self, host: str, plan: Plan) -> Report:
        """Do a plan.

        Raises:
            TransportError: what was done is not known.
        """

    def undo(self, host: str) -> Report:
        """Take back what this run did.

        Raises:
            TransportError: what was undone is not known.
        """


class Judge(Protocol):
    """The checks of the run, and the plan that would follow."""

    def verdicts(self, host: str, taken: Snapshot | Failure) -> Judged:
        """The verdict of each check."""

    def plan(self, host: str, taken: Snapshot | Failure) -> Plan:
        """What would be left to do."""


@dataclass(frozen=True, slots=True)
class Treated:
    """What became of one host.

    Attributes:
        plan: what was to be done.
        status: as :attr:`Plan.status`, or ``fixed``, ``partly fixed``, ``put back``, ``failed``,
            ``not attempted``.
        message: why, in words; empty for nothing to add.
        outcomes: of each step, by its number from 1.
        after: the host as it was seen last; None where it was not looked at again.
    """

    plan: Plan
    status: str
    message: str = ""
    outcomes: Mapping[int, str] = field(default_factory=dict)
    after: Snapshot | Failure | None = None


def campaign(
    plans: Mapping[str, Plan],
    before: Mapping[str, Judged],
    door: Door,
    judge: Judge,
    journal: Journal,
    *,
    sizes: Sequence[Size],
    max_failures: int,
    forks: int,
    unreachable: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Treated]:
    """Do the plans that are ready.

    A batch starts only when the one before it is done and verified, and no more than
    ``max_failures`` hosts have failed so far. A host that is lost on the way counts as failed, and
    so do those that were ``unreachable`` from the start: who cannot see them cannot know.
    Interrupted (Ctrl-C), it ends the hosts under way and attempts no other.

    Returns:
        what became of each host of ``plans``.
    """
    done = {host: Treated(plan, plan.status) for host, plan in plans.items() if not plan.ready}
    ready = [host for host, plan in plans.items() if plan.ready]
    failures, stopped = unreachable, ""
    if failures > max_failures:
        stopped = (
            f"{failures} unreachable from the start, and --max-failures is {max_failures}: raise"
            " it, or leave them out with --limit"
        )
    work = _Work(plans, before, door, judge, journal)
    for number, batch in enumerate(batches(ready, sizes), 1):
        if stopped:
            for host in batch:
                journal.note("not attempted", host, why=stopped)
                done[host] = Treated(plans[host], "not attempted", stopped)
                tell(f"  {host}: not attempted: {stopped}")
            continue
        tell(f"batch {number}: {len(batch)} of {len(ready)} hosts")
        try:
            treated = _together(work, batch, forks)
        except KeyboardInterrupt:
            treated = work.done
            stopped = INTERRUPTED
        for host in batch:
            done[host] = treated.get(host) or Treated(plans[host], "not attempted", stopped)
            tell(f"  {host}: {done[host].status}" + _because(done[host].message))
            failures += done[host].status in FAILED
        if failures > max_failures and not stopped:
            stopped = f"{failures} failed by batch {number}, and --max-failures is {max_failures}"
    return {host: done[host] for host in plans}


def _because(message: str) -> str:
    return f": {message}" if message else ""


def _together(work: _Work, batch: Sequence[str], forks: int) -> dict[str, Treated]:
    pool = ThreadPoolExecutor(max_workers=max(1, min(forks, len(batch))))
    try:
        list(pool.map(work.treat, batch))
    finally:
        # Interrupted: what is under way ends in its own time, within its deadline.
        pool.shutdown(wait=True, cancel_futures=True)
    return work.done


@dataclass(frozen=True, slots=True)
class _Work:
    plans: Mapping[str, Plan]
    before: Mapping[str, Judged]
    door: Door
    judge: Judge
    journal: Journal
    done: dict[str, Treated] = field(default_factory=dict)

    def treat(self, host: str) -> None:
        """Change one host; raises nothing."""
        try:
            self.done[host] = self._treat(host, self.plans[host])
        except Exception as fault:  # noqa: BLE001  # one host's surprise must not end the run
            why = f"unforeseen {type(fault).__name__}: {fault}"
            self.done[host] = Treated(self.plans[host], "failed", why)
        last = self.done[host]
        self.journal.note("treated", host, status=last.status, message=last.message)

    def _treat(self, host: str, plan: Plan) -> Treated:
        try:
            report = self._apply(host, plan)
            if report.outdated:
                plan = self.judge.plan(host, self.door.look(host))
                if not plan.ready:
                    why = f"it changed since it was looked at; now {plan.status}: {plan.impossible}"
                    return Treated(plan, "failed", why)
                report = self._apply(host, plan)
        except TransportError as lost:
            return self._put_back(host, Treated(plan, "", f"lost while changing: {lost.message}"))
        outcomes = {one.number: _outcome(one.word, one.text) for one in report.answers}
        found = Treated(plan, "", report.why, outcomes)
        files = {number for number, step in enumerate(plan.steps, 1) if isinstance(step, WriteFile)}
        if not report.whole or any(one.number in files for one in report.wrong):
            return self._put_back(host, found)
        if not any(one.number for one in report.answers):
            return replace(found, status="failed")
        return self._verify(host, found)

    def _apply(self, host: str, plan: Plan) -> Report:
        self.journal.note("applying", host, steps=[told(step) for step in plan.steps])
        report = self.door.apply(host, plan)
        words = [f"{one.number} {one.word} {one.text}".strip() for one in report.answers]
        self.journal.note("applied", host, answers=words, whole=report.whole)
        return report

    def _verify(self, host: str, found: Treated) -> Treated:
        after = self.door.look(host)
        if isinstance(after, Failure):
            lost = f"could not be verified: {after.message}"
            return self._put_back(host, replace(found, message=lost))
        before, now = self.before[host], self.judge.verdicts(host, after)
        self.journal.note("verified", host, verdicts={one: now[one].verdict for one in now})
        left = self.judge.plan(host, after).steps
        spoilt = worse(before, now)
        if spoilt or not (improved(before, now) or not left):
            why = spoilt[0].message if spoilt else found.message or "no check came out better"
            return self._put_back(host, replace(found, message=why))
        served = {step.control for step in found.plan.steps}
        open_ = [control for control in failing(now) if control in served]
        if open_ and left:
            why = found.message or f"{', '.join(open_)} still fails"
            return replace(found, status="partly fixed", message=why, after=after)
        return replace(found, status="fixed", after=after)

    def _put_back(self, host: str, found: Treated) -> Treated:
        """Undo what was done, and look at what is there now."""
        self.journal.note("putting back", host, why=found.message)
        try:
            report = self.door.undo(host)
        except TransportError as lost:
            why = (
                f"{found.message}; and it could not be put back: {lost.message}; what it is like "
                f"now is not known: run --rollback {self.journal.run} when it can be reached"
            )
            return replace(found, status="failed", message=why, after=self.door.look(host))
        words = [f"{one.number} {one.word} {one.text}".strip() for one in report.answers]
        self.journal.note("put back", host, answers=words, whole=report.whole)
        after = self.door.look(host)
        if report.wrong or not report.whole:
            why = f"{found.message}; and it could not be put back whole: {report.why}"
            return replace(found, status="failed", message=why, after=after)
        undone = any(one.number for one in report.answers)
        why = found.message or "it did not help"
        return replace(found, status="put back" if undone else "failed", message=why, after=after)


def _outcome(word: str, text: str) -> str:
    return f"{word}: {text}" if text else word


def counted(plans: Mapping[str, Plan]) -> dict[str, int]:
    """What a summary says before anything is done: hosts, files, namespaces, held back."""
    ready = [plan for plan in plans.values() if plan.ready]
    steps = [step for plan in ready for step in plan.steps]
    return {
        "hosts": len(ready),
        "files": sum(isinstance(step, WriteFile) for step in steps),
        "namespaces": sum(isinstance(step, SetLive) for step in steps),
        "held back": sum(plan.status == "held back" for plan in plans.values()),
        "not possible": sum(plan.status == "not possible" for plan in plans.values()),
        "nothing to do": sum(plan.status == "nothing to do" for plan in plans.values()),
    }
