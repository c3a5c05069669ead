"""Changing one host: the steps, a new look, the same checks; put back where that did not help."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ipvs_audit.model.verdict import Verdict
from ipvs_audit.remedy.improvement import Judged, failing, improved, undecided, worse
from ipvs_audit.remedy.journal import told
from ipvs_audit.remedy.plan_steps import Plan, WriteFile
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipvs_audit.remedy.apply import Report
    from ipvs_audit.remedy.journal import Journal

#: What can become of a host, beside the words of :attr:`Plan.status`.
FAILED = frozenset({"failed", "put back", "partly fixed"})
#: The controls that a remedy serves, where the kernel has the key.
SERVED = frozenset({"EST-2", "EST-3", "EST-4", "EST-5", "EST-6"})


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

    def verdicts(self, host: str, evidence: Snapshot | Failure) -> Judged:
        """The verdict of each check."""

    def plan(self, host: str, evidence: Snapshot | Failure) -> Plan:
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


@dataclass(slots=True)
class Work:
    """The hosts of a run, under way or done; several threads treat one host each.

    Attributes:
        plans: of each host.
        before: the verdicts of each host before anything was changed.
        door, judge, journal: see there.
        most: how many hosts may fail before no other is begun.
        failures: how many have failed.
        tell: told of each host that is done.
        stopped: why no other host is begun; empty while they are.
        begun: hosts that were begun.
        done: what became of those that are done.
    """

    plans: Mapping[str, Plan]
    before: Mapping[str, Judged]
    door: Door
    judge: Judge
    journal: Journal
    most: int
    failures: int
    tell: Callable[[str, Treated], None]
    stopped: str = ""
    begun: set[str] = field(default_factory=set)
    done: dict[str, Treated] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def treat(self, host: str) -> None:
        """Change one host, unless the run was stopped; raises nothing."""
        with self._lock:
            if self.stopped:
                return
            self.begun.add(host)
        try:
            found = self._treat(host, self.plans[host])
        except Exception as fault:  # noqa: BLE001  # one host's surprise must not end the run
            found = self._surprised(host, f"unforeseen {type(fault).__name__}: {fault}")
        self.note("treated", host, status=found.status, message=found.message)
        with self._lock:
            self.done[host] = found
            self.failures += found.status in FAILED
            if self.failures > self.most and not self.stopped:
                self.stopped = f"{self.failures} failed by then, and --max-failures is {self.most}"
            self.tell(host, found)

    def note(self, event: str, host: str = "", **more: Any) -> None:  # noqa: ANN401  # any JSON
        """Add to the journal. One that cannot be written stops the run; it undoes nothing."""
        try:
            self.journal.note(event, host, **more)
        except OSError as wrong:
            with self._lock:
                self.stopped = self.stopped or f"the journal cannot be written: {wrong.strerror}"

    def leave(self, host: str, why: str) -> Treated:
        """A host that is not attempted."""
        self.note("not attempted", host, why=why)
        return Treated(self.plans[host], "not attempted", why)

    def unfinished(self, host: str) -> Treated:
        """A host that was under way when nobody waited for it any more."""
        why = (
            "the run was interrupted while it was being changed: what it is like now is not "
            f"known; run --rollback {self.journal.run}"
        )
        return Treated(self.plans[host], "failed", why)

    def _surprised(self, host: str, why: str) -> Treated:
        """After a surprise nobody knows what was done: take it back, as far as that can be."""
        found = Treated(self.plans[host], "", why)
        try:
            return self._put_back(host, found)
        except Exception as fault:  # noqa: BLE001  # the same
            again = f"{why}; and in putting it back: {type(fault).__name__}: {fault}"
            return replace(found, status="failed", message=again)

    def _treat(self, host: str, plan: Plan) -> Treated:
        # On disk before anything is touched: what cannot be noted is not done.
        try:
            self._begin(host, plan)
        except OSError as wrong:
            why = f"the journal cannot be written: {wrong.strerror}"
            with self._lock:
                self.stopped = self.stopped or why
            return Treated(plan, "not attempted", why)
        try:
            report = self._apply(host, plan)
            if report.outdated:
                evidence = self.door.look(host)
                plan = self.judge.plan(host, evidence)
                if not plan.ready:
                    return _changed_meanwhile(plan, evidence)
                self.note("planned again", host, steps=[told(step) for step in plan.steps])
                report = self._apply(host, plan)
        except TransportError as lost:
            return self._put_back(host, Treated(plan, "", f"lost while changing: {lost.message}"))
        outcomes = {one.number: _outcome(one.word, one.text) for one in report.answers}
        found = Treated(plan, "", report.why, outcomes)
        if any(one.word == "untouched" for one in report.notes) or not (
            any(one.number for one in report.answers) or not report.whole
        ):
            return replace(found, status="failed", message=_nothing_done(report.why))
        files = {number for number, step in enumerate(plan.steps, 1) if isinstance(step, WriteFile)}
        if not report.whole or any(one.number in files for one in report.wrong):
            return self._put_back(host, found)
        return self._verify(host, found)

    def _begin(self, host: str, plan: Plan) -> None:
        self.journal.note("applying", host, steps=[told(step) for step in plan.steps])

    def _apply(self, host: str, plan: Plan) -> Report:
        report = self.door.apply(host, plan)
        self.note("applied", host, answers=_answers(report), whole=report.whole)
        return report

    def _verify(self, host: str, found: Treated) -> Treated:
        after = self.door.look(host)
        if isinstance(after, Failure):
            lost = f"could not be verified: {after.message}"
            return self._put_back(host, replace(found, message=lost))
        before, now = self.before[host], self.judge.verdicts(host, after)
        self.note("verified", host, verdicts={one: now[one].verdict for one in now})
        left = self.judge.plan(host, after).steps
        spoilt = worse(before, now)
        if spoilt or not (improved(before, now) or not left):
            why = spoilt[0].message if spoilt else found.message or "no check came out better"
            return self._put_back(host, replace(found, message=why))
        served = {step.control for step in found.plan.steps}
        if "EST-1" not in now or now["EST-1"].verdict is Verdict.PASS:
            served |= SERVED
        open_ = [control for control in failing(now) if control in served]
        if open_ or left:
            still = f"still failing: {', '.join(open_)}" if open_ else f"left: {left[0].title}"
            why = "; ".join(filter(None, (still, found.message)))
            return replace(found, status="partly fixed", message=why, after=after)
        unknown = [control for control in undecided(now) if control in served]
        still = f"{', '.join(unknown)} {'stay' if unknown[1:] else 'stays'} inconclusive"
        why = "; ".join(filter(None, (still if unknown else "", found.message)))
        return replace(found, status="fixed", message=why, after=after)

    def _put_back(self, host: str, found: Treated) -> Treated:
        """Undo what was done, and look at what is there now."""
        self.note("putting back", host, why=found.message)
        try:
            report = self.door.undo(host)
        except TransportError as lost:
            why = (
                f"{found.message}; and it could not be put back: {lost.message}; what it is like "
                f"now is not known: run --rollback {self.journal.run} when it can be reached"
            )
            return replace(found, status="failed", message=why, after=self.door.look(host))
        self.note("put back", host, answers=_answers(report), whole=report.whole)
        after = self.door.look(host)
        if not report.undone:
            why = f"{found.message}; and it could not be put back whole: {report.why}"
            return replace(found, status="failed", message=why, after=after)
        if not any(one.number for one in report.answers):
            why = _nothing_done(found.message)
            return replace(found, status="failed", message=why, after=after)
        why = found.message or "it did not help"
        return replace(found, status="put back", message=why, after=after)


def _changed_meanwhile(plan: Plan, evidence: Snapshot | Failure) -> Treated:
    """A host that is not to be changed any more, now that it was looked at again."""
    if not plan.steps and not plan.impossible:
        return Treated(plan, plan.status, "somebody else put it right meanwhile", after=evidence)
    why = f"it changed since it was looked at; now {plan.status}: "
    return Treated(plan, "failed", why + (plan.impossible or plan.held_back), after=evidence)


def _nothing_done(why: str) -> str:
    return f"{why}; nothing was changed" if why else "nothing was changed"


def _answers(report: Report) -> list[str]:
    return [f"{one.number} {one.word} {one.text}".strip() for one in report.answers]


def _outcome(word: str, text: str) -> str:
    return f"{word}: {text}" if text else word
