"""A remediation within a run: judge, plan, ask, change, verify."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipvs_audit.controls.control import Check, control_of, judge, was_requested
from ipvs_audit.controls.discovery import needs_host
from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted
from ipvs_audit.remedy import journal as journals
from ipvs_audit.remedy.journal import Event, Journal
from ipvs_audit.remedy.operator import Operator
from ipvs_audit.remedy.plan import make_plan
from ipvs_audit.remedy.plan_export import export_plans
from ipvs_audit.remedy.plan_text import format_plans, format_summary, name_hosts
from ipvs_audit.remedy.remediate_host import HostRemediation
from ipvs_audit.remedy.rollback import roll_back
from ipvs_audit.remedy.rollout import roll_out, too_many_unreachable
from ipvs_audit.snapshot import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.stop_request import StopRequest
    from ipvs_audit.remedy.approved_plans import ApprovedPlans
    from ipvs_audit.remedy.host_access import HostConnections
    from ipvs_audit.remedy.options import RemediationOptions
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.verification import ControlResults
    from ipvs_audit.snapshot import Snapshot


@dataclass(slots=True)
class Remediation:
    """What a run does beside judging. The checks know nothing of it.

    Attributes:
        options: what was asked for.
        policies: of each host.
        access: to the hosts; None where only plans are made.
        reports: where runs land.
        directory: of this run; the journal goes there.
        forks: hosts changed at a time within a batch, at most.
        tell: prints a line for the operator.
        ask: asks the operator a yes/no question.
        stop: whether the run was asked to end. From the first change of a host on it does not raise
            KeyboardInterrupt any more: what was done has to be reported.
        checks: the selected checks that judge from evidence, by host and control.
        plans: of each host, once made.
        before: the results of each host before anything was changed.
        hosts: what became of each host.
        undoes: the run that is rolled back; empty for none.
        approved: the plans that may be carried out; None where the operator is asked about all.
    """

    options: RemediationOptions
    policies: Mapping[str, Policy]
    access: HostConnections | None
    reports: Path
    directory: Path
    forks: int
    tell: Callable[[str], None]
    ask: Callable[[str], bool]
    stop: StopRequest
    checks: dict[str, dict[str, Check]] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    before: dict[str, ControlResults] = field(default_factory=dict)
    hosts: dict[str, HostRemediation] = field(default_factory=dict)
    undoes: str = ""
    approved: ApprovedPlans | None = None

    @property
    def journal(self) -> Path:
        """Where this run's journal lies."""
        return self.directory / journals.JOURNAL_NAME

    @property
    def has_started(self) -> bool:
        """Whether the journal says that the change, or the undoing, of a host has started."""
        try:
            return any(record.get("host") for record in journals.read_journal(self.journal))
        except journals.JournalError:
            return self.journal.exists()

    @property
    def failed(self) -> bool:
        """Whether a host could not be remediated, or rolled back."""
        statuses = {one.status for one in self.hosts.values()}
        if any(status.failed for status in statuses):
            return True
        return RemediationStatus.PLANNED in statuses and self.has_started

    @property
    def next_command(self) -> str:
        """What undoes this run; for a rollback, what completes it."""
        if self.options.mode == "rollback":
            return f"complete it with: --rollback {self.undoes or self.options.rollback}"
        return f"undo with: --rollback {self.directory.name}"

    def add_check(self, host: str, check: Check) -> None:
        """Let a selected check judge this host before and after; not one that needs the host."""
        control = control_of(check)
        if control is not None and not needs_host(check):
            self.checks.setdefault(host, {})[control.id] = check

    def judge(self, host: str, evidence: Snapshot | Failure) -> ControlResults:
        """The selected checks' results, without pytest."""
        return {
            name: judge(check, evidence, self.policies[host])
            for name, check in self.checks.get(host, {}).items()
            # Latency is measured again when all is done: it does not decide what is reverted.
            if (about := control_of(check)) is not None and was_requested(about, evidence)
        }

    def remediable(self, host: str) -> frozenset[str]:
        """Ids of the selected checks' controls that a remediation can mend."""
        controls = map(control_of, self.checks.get(host, {}).values())
        return frozenset(one.id for one in controls if one is not None and one.remediable)

    def plan(self, host: str, evidence: Snapshot | Failure) -> Plan:
        """What is to be done there; in need of approval where another plan was approved."""
        plan = make_plan(
            evidence,
            self.policies[host],
            accept_statistics_loss=self.options.accept_statistics_loss,
            accept_side_effects=self.options.accept_recipe_side_effects,
        )
        return plan if self.approved is None else self.approved.check(plan)

    def run(self, collected: dict[str, Snapshot | Failure]) -> list[str]:
        """Plan, and do what was asked for; ``collected`` holds the evidence after it, then.

        Returns:
            notes for the reports.

        Raises:
            OSError: the journal cannot be written; nothing was changed unless
                :attr:`has_started`.
            journals.JournalError: the run to undo has no journal.
        """
        self.before = {host: self.judge(host, evidence) for host, evidence in collected.items()}
        if self.options.mode == "rollback":
            return self._roll_back(collected)
        # In the inventory's order, not as the evidence came: its first host is the canary.
        self.plans = {
            host: self.plan(host, collected[host]) for host in self.policies if host in collected
        }
        for line in format_plans(self.plans):
            self.tell(line)
        self.tell(format_summary(self.plans))
        self.hosts = {host: HostRemediation(one, one.status) for host, one in self.plans.items()}
        if not any(one.ready for one in self.plans.values()):
            return []
        why_not = too_many_unreachable(_unreachable(collected), self.options.max_failures)
        if self.options.mode == "plan":
            self._export_plans(collected)
            self.tell(f"to do this and nothing else: --remediate --approved-plan {self.directory}")
            self.tell(f"--remediate would change nothing: {why_not}" if why_not else "")
            return []
        if why_not:
            self.tell(f"nothing is changed: {why_not}")
            for host, one in self.plans.items():
                if one.ready:
                    self.hosts[host] = HostRemediation(
                        one, RemediationStatus.NOT_ATTEMPTED, why_not
                    )
            return [f"Nothing was changed: {why_not}."]
        if not self._confirmed("Change them now?"):
            return ["Not confirmed: nothing was changed."]
        self._change(collected)
        return []

    def _export_plans(self, collected: Mapping[str, Snapshot | Failure]) -> None:
        if self.options.plan_format == "text":
            return
        boots = {
            host: evidence.host.boot_id
            for host, evidence in collected.items()
            if not isinstance(evidence, Failure) and self.plans[host].ready
        }
        # Beside the runs: a run's folder holds what its manifest lists, and plans hold whole files.
        folder = self.reports / "plans" / self.directory.name
        for line in export_plans(self.options.plan_format, self.plans, boots, folder):
            self.tell(line)

    def _confirmed(self, question: str) -> bool:
        try:
            return self.options.yes or self.ask(question)
        except KeyboardInterrupt:
            self.stop.request()
            return False

    def _operator(self) -> Operator:
        return Operator(self.stop, self.tell, None if self.options.yes else self.ask)

    def _change(self, collected: dict[str, Snapshot | Failure]) -> None:
        if self.access is None:
            return
        self.stop.raises = False
        self.tell(f"run {self.directory.name}; {self.next_command}")
        with Journal(self.journal, run=self.directory.name, who=self.access.who) as journal:
            sizes = [str(size) for size in self.options.batches]
            approved = {} if self.approved is None else self.approved.entry
            journal.record(Event.REMEDIATION_STARTED, batches=sizes, **approved)
            self.hosts = roll_out(
                self.plans,
                self.before,
                self.access,
                self,
                journal,
                sizes=self.options.batches,
                max_failures=self.options.max_failures,
                forks=self.forks,
                operator=self._operator(),
                unreachable=_unreachable(collected),
            )
            with contextlib.suppress(OSError):
                journal.record(Event.RUN_FINISHED)
        self._keep_evidence(collected)

    def _roll_back(self, collected: dict[str, Snapshot | Failure]) -> list[str]:
        if self.access is None:
            return []
        path = journals.find_journal(self.reports, self.options.rollback)
        changes = journals.read_changes(path)
        self.undoes = changes.run
        selected = [host for host in changes.started if host in collected]
        self.tell(
            f"run {changes.run} by {one_line(changes.who)} started to change"
            f" {counted(len(changes.started), 'host')}, of which {len(selected)} are selected here"
        )
        if not selected:
            return [f"Run {changes.run} changed none of these hosts."]
        if not self._confirmed(f"Undo it on {name_hosts(selected)}?"):
            return ["Not confirmed: nothing was undone."]
        self.stop.raises = False
        with Journal(self.journal, run=self.directory.name, who=self.access.who) as journal:
            journal.record(Event.ROLLBACK_STARTED, of=changes.run)
            self.hosts = roll_back(
                selected,
                changes,
                self.access,
                journal,
                forks=self.forks,
                operator=self._operator(),
            )
            with contextlib.suppress(OSError):
                journal.record(Event.RUN_FINISHED)
        self._keep_evidence(collected)
        missing = [host for host in changes.started if host not in collected]
        return [f"Not rolled back, as not selected: {name_hosts(missing)}."] if missing else []

    def _keep_evidence(self, collected: dict[str, Snapshot | Failure]) -> None:
        for host, one in self.hosts.items():
            if one.after is not None:
                collected[host] = one.after


def _unreachable(collected: Mapping[str, Snapshot | Failure]) -> int:
    return sum(isinstance(evidence, Failure) for evidence in collected.values())
