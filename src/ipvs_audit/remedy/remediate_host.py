"""Remediating one host: apply the plan, collect and judge again, revert if no control improved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.model.limits import STOP_VERIFY_SHARE
from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.remedy.journal import Event, Journal, result_entry, step_entry
from ipvs_audit.remedy.operator import Operator, Phase
from ipvs_audit.remedy.plan_steps import Plan, WriteFile
from ipvs_audit.remedy.plan_text import format_plans
from ipvs_audit.remedy.script_answers import NoteKind, ScriptResult
from ipvs_audit.remedy.verification import (
    ControlResults,
    any_recovered,
    failing,
    inconclusive,
    newly_failing,
)
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.remedy.host_access import HostAccess

#: Why a host is not attempted, or not done.
INTERRUPTED = "the run was interrupted"


class Judge(Protocol):
    """The checks of the run, and the plan that would follow."""

    def judge(self, host: str, evidence: Snapshot | Failure) -> ControlResults:
        """The result of each control."""

    def plan(self, host: str, evidence: Snapshot | Failure) -> Plan:
        """What would be left to do."""

    def remediable(self, host: str) -> frozenset[str]:
        """Ids of the checks' controls that a remediation can mend."""


@dataclass(frozen=True, slots=True)
class HostRemediation:
    """What became of one host.

    Attributes:
        plan: what was to be done.
        status: how it ended.
        message: why, for people; empty for nothing to add.
        outcomes: of each step, for people, by its number from 1.
        after: the evidence collected last; None where it was not collected again, as it was not
            touched.
    """

    plan: Plan
    status: RemediationStatus
    message: str = ""
    outcomes: Mapping[int, str] = field(default_factory=dict)
    after: Snapshot | Failure | None = None


@dataclass(slots=True)
class LenientJournal:
    """A journal that ends no host's remediation when it cannot be written, but says so.

    Attributes:
        journal: the journal.
        problem: why it could not be written, the first time; empty for never.
    """

    journal: Journal
    problem: str = ""

    def record(self, event: Event, host: str, **more: Any) -> bool:  # noqa: ANN401  # any JSON
        """Add a record; false where it could not be written."""
        try:
            self.journal.record(event, host, **more)
        except OSError as wrong:
            self.problem = self.problem or f"the journal cannot be written: {wrong.strerror}"
            return False
        return True


@dataclass(frozen=True, slots=True)
class HostRemediator:
    """Remediates one host after the other, or several at once from several threads."""

    access: HostAccess
    judge: Judge
    journal: LenientJournal
    operator: Operator

    def remediate(self, host: str, plan: Plan, before: ControlResults) -> HostRemediation:
        """Remediate a host; raises nothing.

        Args:
            host: its name.
            plan: what to do.
            before: its results before anything was changed.
        """
        try:
            found = self._remediate(host, plan, before)
        except Exception as fault:  # noqa: BLE001  # one host's surprise must not end the run
            found = self._recover(host, plan, f"unexpected {type(fault).__name__}: {fault}")
        self.journal.record(Event.HOST_FINISHED, host, status=found.status, message=found.message)
        return found

    def _recover(self, host: str, plan: Plan, why: str) -> HostRemediation:
        """After a surprise nobody knows what was done: revert what can be reverted."""
        try:
            return self._revert(host, plan, why)
        except Exception as fault:  # noqa: BLE001  # the same
            again = f"{why}; reverting failed: {type(fault).__name__}: {fault}"
            return HostRemediation(plan, RemediationStatus.FAILED, again)

    def _remediate(self, host: str, plan: Plan, before: ControlResults) -> HostRemediation:
        # On disk before anything is changed: what cannot be recorded is not done.
        steps = [step_entry(step) for step in plan.steps]
        if not self.journal.record(Event.APPLYING, host, steps=steps):
            return HostRemediation(plan, RemediationStatus.NOT_ATTEMPTED, self.journal.problem)
        try:
            result = self._apply(host, plan)
            if result.plan_outdated:
                again = self._plan_again(host)
                if isinstance(again, HostRemediation):
                    return again
                plan, result = again, self._apply(host, again)
        except TransportError as lost:
            return self._revert(host, plan, f"connection lost while changing it: {lost.message}")
        outcomes = {one.number: str(one) for one in result.steps}
        if result.has_note(NoteKind.UNCHANGED) or (result.complete and not result.steps):
            message = _nothing_changed(result.problem)
            return HostRemediation(plan, RemediationStatus.FAILED, message, outcomes)
        files = {number for number, step in enumerate(plan.steps, 1) if isinstance(step, WriteFile)}
        if not result.complete or any(one.number in files for one in result.unsettled):
            return self._revert(host, plan, result.problem, outcomes)
        return self._verify(host, plan, before, result.problem, outcomes)

    def _plan_again(self, host: str) -> Plan | HostRemediation:
        """The plan for a host that has changed since its first one; or why there is none."""
        evidence = self._collect(host, Phase.PLANNING_AGAIN)
        plan = self.judge.plan(host, evidence)
        if not plan.ready:
            return _no_longer_ready(plan, evidence)
        steps = [step_entry(step) for step in plan.steps]
        self.journal.record(Event.PLANNED_AGAIN, host, steps=steps)
        if why_not := self._not_confirmed(host, plan):
            status = RemediationStatus.NOT_ATTEMPTED
            return HostRemediation(plan, status, why_not, after=evidence)
        return plan

    def _not_confirmed(self, host: str, plan: Plan) -> str:
        """Why the plan that took the place of the one that was shown is not carried out."""
        changed = "it changed after its plan was made"
        if not self.operator.can_be_asked:
            return f"{changed}, and nobody could be asked about the new plan (--yes): run again"
        self.operator.phase(host, Phase.ASKING)
        shown = (f"{one_line(host)}: {changed}. The new plan:", *format_plans({host: plan}))
        if self.operator.ask(shown, f"Change {one_line(host)} by its new plan?"):
            return ""
        return f"{changed}, and the new plan was not confirmed"

    def _collect(self, host: str, phase: Phase) -> Snapshot | Failure:
        self.operator.phase(host, phase)
        share = STOP_VERIFY_SHARE if phase.reverted_when_late else 1.0
        return self.access.collect(host, self.operator.stop.left(share))

    def _apply(self, host: str, plan: Plan) -> ScriptResult:
        self.operator.phase(host, Phase.CHANGING)
        result = self.access.apply(host, plan, self.operator.stop.left(STOP_VERIFY_SHARE))
        self.journal.record(Event.APPLIED, host, **result_entry(result))
        return result

    def _verify(
        self,
        host: str,
        plan: Plan,
        before: ControlResults,
        problem: str,
        outcomes: Mapping[int, str],
    ) -> HostRemediation:
        evidence = self._collect(host, Phase.VERIFYING)
        if isinstance(evidence, Failure):
            return self._revert(host, plan, f"could not be verified: {evidence.message}", outcomes)
        after = self.judge.judge(host, evidence)
        verdicts = {control: result.verdict for control, result in after.items()}
        self.journal.record(Event.VERIFIED, host, verdicts=verdicts)
        remaining = self.judge.plan(host, evidence).steps
        worse = newly_failing(before, after)
        if worse or (remaining and not any_recovered(before, after)):
            why = worse[0].message if worse else problem or "no control improved"
            return self._revert(host, plan, why, outcomes)
        title = remaining[0].title if remaining else ""
        status, message = _verified(plan, after, title, self.judge.remediable(host))
        message = "; ".join(filter(None, (message, problem)))
        return HostRemediation(plan, status, message, outcomes, evidence)

    def _revert(
        self, host: str, plan: Plan, why: str, outcomes: Mapping[int, str] | None = None
    ) -> HostRemediation:
        """Undo what was done, and collect what is there now."""
        outcomes = outcomes or {}
        self.journal.record(Event.REVERTING, host, why=why)
        self.operator.phase(host, Phase.REVERTING)
        try:
            result = self.access.undo(host, within=self.operator.stop.left())
        except TransportError as lost:
            message = (
                f"{why}; reverting failed: {lost.message}; its state is unknown: "
                f"run --rollback {self.journal.journal.run} when it can be reached"
            )
            after = self._collect(host, Phase.COLLECTING)
            return HostRemediation(plan, RemediationStatus.FAILED, message, outcomes, after)
        self.journal.record(Event.REVERTED, host, **result_entry(result))
        after = self._collect(host, Phase.COLLECTING)
        status, message = RemediationStatus.FAILED, why
        if not result.undo_complete:
            message = f"{why}; could not be fully reverted: {result.problem}"
        elif not result.steps:
            message = _nothing_changed(why)
        else:
            status = RemediationStatus.REVERTED
        return HostRemediation(plan, status, message, outcomes, after)


def not_waited_for(
    plan: Plan, why: str, status: RemediationStatus = RemediationStatus.FAILED
) -> HostRemediation:
    """A host that was under way when the time of an interrupted run was up: nothing is known."""
    now = utc_timestamp()
    unknown = Failure(plan.target, "interrupted", why, now, now)
    return HostRemediation(plan, status, why, after=unknown)


def _verified(
    plan: Plan, after: ControlResults, remaining: str, remediable: frozenset[str]
) -> tuple[RemediationStatus, str]:
    """The status of a host that has improved, and why it is not wholly remediated."""
    served = {step.control for step in plan.steps}
    if "EST-1" not in after or after["EST-1"].verdict is Verdict.PASS:
        served |= remediable
    if still := [control for control in failing(after) if control in served]:
        return RemediationStatus.PARTIALLY_REMEDIATED, f"still failing: {', '.join(still)}"
    if remaining:
        return RemediationStatus.PARTIALLY_REMEDIATED, f"remaining step: {remaining}"
    if unproven := [control for control in inconclusive(after) if control in served]:
        are = "are" if len(unproven) > 1 else "is"
        return RemediationStatus.REMEDIATED, f"{', '.join(unproven)} {are} still inconclusive"
    return RemediationStatus.REMEDIATED, ""


def _no_longer_ready(plan: Plan, evidence: Snapshot | Failure) -> HostRemediation:
    """A host that is not to be changed any more, now that it was collected again."""
    if plan.status is RemediationStatus.ALREADY_COMPLIANT:
        message = "became compliant before this run changed it"
        return HostRemediation(plan, plan.status, message, after=evidence)
    message = f"changed since it was collected; now {plan.status.word}: "
    message += plan.blocked or plan.needs_approval
    asks = plan.status is RemediationStatus.NEEDS_APPROVAL
    status = plan.status if asks else RemediationStatus.FAILED
    return HostRemediation(plan, status, message, after=evidence)


def _nothing_changed(why: str) -> str:
    return f"{why}; nothing was changed" if why else "nothing was changed"
