"""A remedy within a run: judge, plan, ask, change, verify; what became of it, for the reports."""

from __future__ import annotations

import contextlib
import inspect
import os
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ipvs_audit.controls.control import Check, control_of, judge, was_requested
from ipvs_audit.model.results import RemedyResult, StepResult
from ipvs_audit.model.text import counted
from ipvs_audit.remedy import journal as journals
from ipvs_audit.remedy.plan import plan
from ipvs_audit.remedy.plan_text import named, plan_lines, question
from ipvs_audit.remedy.remediate_host import FAILED, Treated
from ipvs_audit.remedy.rollback import roll_back
from ipvs_audit.remedy.rollout import INTERRUPTED, campaign, too_many_unreachable
from ipvs_audit.snapshot import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.results import HostResult, Run
    from ipvs_audit.remedy.host_access import LiveDoor
    from ipvs_audit.remedy.improvement import Judged
    from ipvs_audit.remedy.options import RemedyOptions
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.snapshot import Snapshot

_USUAL = {"snapshot", "policy", "assessment"}


@dataclass(slots=True)
class Remediation:
    """What a run does beside judging. The checks know nothing of it.

    Attributes:
        options: what was asked for.
        policies: of each host.
        door: the way to the hosts; None where only plans are made.
        reports: where runs land.
        directory: of this run; the journal goes there.
        forks: hosts changed at a time within a batch, at most.
        say: shows a line to the operator.
        ask: shows a question, and gives the answer.
        plans: of each host, once made.
        before: the verdicts of each host before anything was changed.
        treated: what became of each host.
        cut_short: whether Ctrl-C was the answer to the question.
    """

    options: RemedyOptions
    policies: Mapping[str, Policy]
    door: LiveDoor | None
    reports: Path
    directory: Path
    forks: int
    say: Callable[[str], None]
    ask: Callable[[str], bool]
    checks: dict[str, dict[str, Check]] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    before: dict[str, Judged] = field(default_factory=dict)
    treated: dict[str, Treated] = field(default_factory=dict)
    cut_short: bool = False

    @property
    def journal(self) -> Path:
        """Where this run's journal lies."""
        return self.directory / journals.NAME

    @property
    def began(self) -> bool:
        """Whether the journal says that the change, or the undoing, of a host has begun."""
        try:
            return any(record.get("host") for record in journals.read(self.journal))
        except journals.JournalError:
            return self.journal.exists()

    @property
    def failed(self) -> bool:
        """Whether a host could not be brought to where it was to be."""
        ended_early = any(one.status == "planned" for one in self.treated.values()) and self.began
        return ended_early or any(one.status in FAILED for one in self.treated.values())

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        found = (one.message.startswith(INTERRUPTED) for one in self.treated.values())
        return self.cut_short or any(found)

    def needs(self, host: str, check: Check) -> None:
        """A selected check judges this host. One that asks for more than evidence is left out."""
        about = control_of(check)
        if about is not None and set(inspect.signature(check).parameters) <= _USUAL:
            self.checks.setdefault(host, {})[about.id] = check

    def verdicts(self, host: str, evidence: Snapshot | Failure) -> Judged:
        """The selected checks' verdicts, without pytest."""
        return {
            name: judge(check, evidence, self.policies[host])
            for name, check in self.checks.get(host, {}).items()
            # Latency is measured again when all is done: it does not decide what is put back.
            if (about := control_of(check)) is not None and was_requested(about, evidence)
        }

    def plan(self, host: str, evidence: Snapshot | Failure) -> Plan:
        """What is to be done there."""
        return plan(
            evidence,
            self.policies[host],
            accept_statistics_loss=self.options.accept_statistics_loss,
        )

    def go(self, collected: dict[str, Snapshot | Failure]) -> list[str]:
        """Plan, and do what was asked for; ``collected`` holds the state after, then.

        Returns:
            notes for the reports.

        Raises:
            OSError: the journal cannot be written; nothing was changed then, unless :attr:`began`.
            journals.JournalError: the run to undo has no journal.
        """
        self.before = {host: self.verdicts(host, evidence) for host, evidence in collected.items()}
        if self.options.mode == "rollback":
            return self._roll_back(collected)
        # In the inventory's order, not as the evidence came: the first of it is the canary.
        self.plans = {
            host: self.plan(host, collected[host]) for host in self.policies if host in collected
        }
        for line in plan_lines(self.plans):
            self.say(line)
        self.say(question(self.plans))
        self.treated = {host: Treated(one, one.status) for host, one in self.plans.items()}
        if not any(one.ready for one in self.plans.values()):
            return []
        stopped = too_many_unreachable(_unreachable(collected), self.options.max_failures)
        if self.options.mode == "plan":
            self.say(f"--remediate would change nothing: {stopped}" if stopped else "")
            return []
        if stopped:
            self.say(f"nothing is changed: {stopped}")
            for host, one in self.plans.items():
                if one.ready:
                    self.treated[host] = Treated(one, "not attempted", stopped)
            return [f"Nothing was changed: {stopped}."]
        if not self._confirmed("Change them now?"):
            return ["Not confirmed: nothing was changed."]
        self._change(collected)
        return []

    def _confirmed(self, asked: str) -> bool:
        try:
            return self.options.yes or self.ask(asked)
        except KeyboardInterrupt:
            self.cut_short = True
            return False

    def _change(self, collected: dict[str, Snapshot | Failure]) -> None:
        if self.door is None:
            return
        self.say(f"run {self.directory.name}; to take it back: --rollback {self.directory.name}")
        with self._open_journal() as journal:
            journal.note("start", batches=[str(size) for size in self.options.batches])
            self.treated = campaign(
                self.plans,
                self.before,
                self.door,
                self,
                journal,
                sizes=self.options.batches,
                max_failures=self.options.max_failures,
                forks=self.forks,
                unreachable=_unreachable(collected),
                tell=self.say,
            )
            with contextlib.suppress(OSError):
                journal.note("end")
        self._hold(collected)

    def _roll_back(self, collected: dict[str, Snapshot | Failure]) -> list[str]:
        if self.door is None:
            return []
        changes = journals.changes_of(journals.find(self.reports, self.options.rollback))
        here = [host for host in changes.begun if host in collected]
        self.say(
            f"run {changes.run} by {changes.who} began to change"
            f" {counted(len(changes.begun), 'host')}, of which {len(here)} are selected here"
        )
        if not here:
            return [f"Run {changes.run} changed none of these hosts."]
        if not self._confirmed(f"Undo it on {named(here)}?"):
            return ["Not confirmed: nothing was undone."]
        with self._open_journal() as journal:
            journal.note("start rollback", of=changes.run)
            self.treated = roll_back(here, changes, self.door, journal, self.say)
            with contextlib.suppress(OSError):
                journal.note("end")
        self._hold(collected)
        missing = [host for host in changes.begun if host not in collected]
        return [f"Not undone, as not selected: {named(missing)}."] if missing else []

    def _open_journal(self) -> journals.Journal:
        who = self.door.who if self.door else ""
        return journals.Journal(self.journal, run=self.directory.name, who=who)

    def _hold(self, collected: dict[str, Snapshot | Failure]) -> None:
        for host, one in self.treated.items():
            if one.after is not None:
                collected[host] = one.after

    def told(self, run: Run) -> Run:
        """The run's results with what was before, and what was done."""
        return replace(run, hosts=tuple(map(self._host, run.hosts)))

    def _host(self, host: HostResult) -> HostResult:
        treated = self.treated.get(host.name)
        if treated is None:
            return host
        before = self.before.get(host.name, {}) if treated.after is not None else {}
        controls = tuple(
            replace(one, before=before[one.control].verdict) if one.control in before else one
            for one in host.controls
        )
        return replace(host, controls=controls, remedy=_remedy(treated))


def _remedy(treated: Treated) -> RemedyResult:
    made = treated.plan
    return RemedyResult(
        status=treated.status,
        message=treated.message or made.impossible or made.held_back,
        notes=made.notes,
        steps=tuple(
            StepResult(
                control=step.control,
                title=step.title,
                reason=step.reason,
                detail=step.detail,
                outcome=treated.outcomes.get(number, ""),
            )
            for number, step in enumerate(made.steps, 1)
        ),
    )


def _unreachable(collected: Mapping[str, Snapshot | Failure]) -> int:
    return sum(isinstance(evidence, Failure) for evidence in collected.values())


def who_runs(operator: str) -> str:
    """Operator, controller and process, as journals name them."""
    return f"{operator}@{socket.gethostname()} process {os.getpid()}"
