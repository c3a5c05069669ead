"""The audit as it lives inside one pytest run: what is needed, collected, recorded, written."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.text import Text

from ipvs_audit.audit.collecting import collect_evidence
from ipvs_audit.audit.early_verdicts import EarlyVerdicts
from ipvs_audit.audit.engine import EngineError
from ipvs_audit.audit.progress import Progress
from ipvs_audit.audit.resume import evidence_in_progress, identity_file, write_identity
from ipvs_audit.controls.control import Assessment, control_of, on_request
from ipvs_audit.model.clock import run_id
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.model.private_files import OWNER_ONLY, make_directories
from ipvs_audit.plugin.connections import CheckConnections
from ipvs_audit.plugin.fast_runner import FastRunner
from ipvs_audit.plugin.outcomes import from_report
from ipvs_audit.plugin.remediation import ask, refuse_unasked
from ipvs_audit.plugin.selection import nothing_selected
from ipvs_audit.plugin.terminal import console_of
from ipvs_audit.plugin.xdist_roles import is_worker
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.terminal import render_summary
from ipvs_audit.report.write import point_latest, write_reports
from ipvs_audit.snapshot import Failure, store
from ipvs_audit.snapshot.round_trips import SECTION

if TYPE_CHECKING:
    from collections.abc import Collection

    from ipvs_audit.audit.session import AuditSession
    from ipvs_audit.controls.control import Check
    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import Run
    from ipvs_audit.model.stop_request import StopRequest
    from ipvs_audit.model.verdict import Result
    from ipvs_audit.plugin.pytest_internals import Parameters
    from ipvs_audit.remedy.remediation import Remediation
    from ipvs_audit.snapshot import Snapshot


class AuditRun:
    """What one pytest process knows of the audit. Registered as a plugin of its own."""

    def __init__(self, config: pytest.Config, audit: AuditSession, stop: StopRequest) -> None:
        self.config = config
        self.audit = audit
        self.stop = stop
        self.collected = False
        #: What the tests of each host were made with.
        self.parameters: Parameters = []
        self._needed: dict[str, set[str]] = {}
        self.early_verdicts = EarlyVerdicts(audit, self._needed)
        self.connections = CheckConnections(audit.options.connection)
        self._latency_hosts: set[str] = set()
        self._outcome: tuple[Run, Path] | str | None = None
        self._extra_files: dict[str, Path] = {}
        self.directory = _free(audit.options.reports / run_id(audit.started))
        told = getattr(config, "workerinput", {}).get("ipvs_audit_snapshots")
        self.snapshots = Path(told) if told else evidence_in_progress(self.directory)
        saved = audit.options.snapshots
        #: Whether controls on request are evaluated: asked for, or in the saved evidence.
        self.on_request = audit.options.latency.asked or (
            saved is not None and store.mentions(saved, SECTION)
        )
        self.fast_runner = FastRunner(
            config,
            self.judged,
            None if is_worker(config) else self._record,
            strict=audit.options.strict,
        )
        refuse_unasked(config, audit.options.remedy)
        self.remediation = self._remediation() if audit.options.remedy.mode else None

    def _remediation(self) -> Remediation | None:
        from ipvs_audit.audit.remediation import make_remediation  # noqa: PLC0415  # not for audits

        return make_remediation(
            self.audit,
            self.directory,
            tell=self._say,
            ask=lambda question: ask(self.config, question),
            stop=self.stop,
        )

    def add_needed(self, host: str, control: Control | None, *, connection: bool) -> None:
        """A selected test needs this host's evidence, and maybe its connection."""
        controls = self._needed.setdefault(host, set())
        if control is not None:
            controls.add(control.id)
            self.audit.controls[control.id] = control
            if on_request(control):
                self._latency_hosts.add(host)
        if connection:
            self.connections.keep_for(host)

    def judged(self, host: str, check: Check) -> Result | None:
        """A check's verdict on a host; None where it breaks, prints or warns."""
        evidence = self.evidence_of(host)
        if is_worker(self.config):  # which is given a part of a host's tests
            return self.early_verdicts.judge(host, check, evidence)
        return self.early_verdicts.result(host, check, evidence)

    def add_needed_ids(self, ids: list[str]) -> None:
        """The same from test ids, which is all that an xdist controller gets."""
        by_id = {safe: name for name, safe in self.audit.ids.items()}
        checks = self.audit.checks.values()
        measuring = tuple(
            f"::{check.__name__}["
            for check in checks
            if (control := control_of(check)) is not None and on_request(control)
        )
        for nodeid in ids:
            parameter = nodeid.rpartition("[")[2].removesuffix("]")
            if "[" in nodeid and (name := by_id.get(parameter)) is not None:
                self._needed.setdefault(name, set())
                if any(one in nodeid for one in measuring):
                    self._latency_hosts.add(name)

    def collect(self) -> None:
        """Collect the evidence of every host that is needed. Without one, none.

        Where every host is excluded, or none falls into the shard, the report says that.
        """
        if not self._needed:
            self.collected = not self.audit.audited
            return
        self.collected = True
        progress = Progress(console_of(self.config), self.early_verdicts.fails)
        try:
            mode = self.audit.options.outputs.mode or OWNER_ONLY
            make_directories(self.snapshots.parent, mode)
            self._claim_name()
            collect_evidence(
                *(self.audit, set(self._needed), self.snapshots, progress),
                keep=self.connections.keep,
                kept=self.connections.kept,
            )
        except KeyboardInterrupt:
            self.audit.interrupted = True
            self.audit.notes.append(
                "Interrupted while collecting: what was collected by then is evaluated."
            )
        except (store.StoreError, EngineError) as wrong:
            self._discard_evidence()
            raise pytest.UsageError(str(wrong)) from None
        except OSError as wrong:
            self._discard_evidence()
            raise pytest.UsageError(
                f"cannot write to {self.snapshots.parent}: {wrong.strerror or wrong};"
                " make room or choose another place with --reports DIR"
            ) from None

    def _claim_name(self) -> None:
        """Let no other run have the name of this one, nor its evidence."""
        try:
            write_identity(self.snapshots, self.audit.identity)
        except FileExistsError:
            raise pytest.UsageError(
                f"start this run again: another one of the same second writes to {self.directory}"
            ) from None

    def measure_latency(self) -> None:
        """Measure round trips to every host on which a check needs them, where that was asked."""
        options, hosts = self.audit.options, sorted(self._latency_hosts)
        if not options.latency.asked or options.snapshots is not None or self.audit.interrupted:
            return
        try:
            if self._measure(hosts):
                store.write(self.snapshots, self.audit.collected.values())
        except OSError as wrong:
            self._discard_evidence()
            raise pytest.UsageError(f"{self.snapshots}: {wrong.strerror or wrong}") from None

    def _measure(self, hosts: Collection[str]) -> bool:
        """Let traces join the snapshots of these hosts; true where one did."""
        from ipvs_audit.audit.latency import measure_latency  # noqa: PLC0415  # on request only

        audit = self.audit
        measured = [host for host in audit.targets if host in hosts]
        try:
            return measure_latency(audit, measured, self.connections.open, self._say)
        except KeyboardInterrupt:
            audit.interrupted = True
            audit.notes.append(
                "Interrupted while measuring latency: hosts not measured by then are inconclusive."
            )
            return True

    def remediate(self) -> None:
        """Plan, and change hosts where that is asked for; the state after is what is judged."""
        remediation = self.remediation
        if remediation is None or not self.collected or self.audit.interrupted:
            return
        try:
            self._remediate(remediation)
        except KeyboardInterrupt:
            self.audit.notes.append("Interrupted before any host was changed.")
            self.audit.interrupted = True
        finally:
            self.stop.raises = True

    def _remediate(self, remediation: Remediation) -> None:
        from ipvs_audit.remedy.journal import JournalError  # noqa: PLC0415  # not for audits

        before = dict(self.audit.collected)
        try:
            self.audit.notes += remediation.run(self.audit.collected)
        except (JournalError, OSError) as wrong:
            if not remediation.has_started:
                self._discard_evidence()
                raise pytest.UsageError(f"nothing was changed: {wrong}") from None
            self.audit.notes.append(
                f"The remediation stopped early: {wrong}. Hosts may have been changed: see the"
                f" journal; {remediation.next_command}."
            )
        changed = {
            host for host, evidence in self.audit.collected.items() if evidence != before[host]
        }
        if self.audit.options.latency.asked and changed and not self.stop.requested:
            self._measure_again(changed, before)
        if remediation.journal.exists():
            self._extra_files = {remediation.journal.name: remediation.journal}
        if changed:
            self._keep_evidence()
        self.audit.interrupted = self.audit.interrupted or self.stop.requested

    def _measure_again(self, changed: set[str], before: dict[str, Snapshot | Failure]) -> None:
        """Measure hosts that were changed. They were: whatever fails here, the run reports them."""
        try:
            from ipvs_audit.audit.latency import keep_earlier_traces  # noqa: PLC0415  # on request

            keep_earlier_traces(self.audit.collected, before)
            with self.stop.interruptible():
                self._measure(self._latency_hosts & changed)
        except Exception as wrong:  # noqa: BLE001  # the change has to be reported all the same
            self.audit.notes.append(
                "The latency after the change could not be measured on every host, and is"
                f" inconclusive there: {wrong or type(wrong).__name__}."
            )

    def _keep_evidence(self) -> None:
        """Keep the evidence from before a change, and write the one from after it."""
        kept = self.snapshots.with_name(f"{self.snapshots.name}.before")
        try:
            self._extra_files["snapshots-before.jsonl.gz"] = self.snapshots.rename(kept)
            store.write(self.snapshots, self.audit.collected.values())
        except OSError as wrong:
            # Hosts were changed: whatever can be reported still has to be.
            self.audit.notes.append(
                f"The evidence after the change could not be written: {wrong.strerror or wrong}."
            )

    def _say(self, line: str) -> None:
        """Show a line. A terminal that is gone must not end a run that changes hosts."""
        with contextlib.suppress(OSError):
            console_of(self.config).print(Text(line), soft_wrap=True)

    def last_words(self) -> str:
        """What somebody who ends the process at once has to know."""
        if self.remediation is None or not self.remediation.has_started:
            return ""
        return f"; hosts may be changed and not verified; {self.remediation.next_command}"

    def _discard_evidence(self) -> None:
        """Nothing can be evaluated: write no report, leave no file."""
        self.collected = False
        for path in (self.snapshots, identity_file(self.snapshots)):
            with contextlib.suppress(OSError):
                path.unlink()

    def evidence_of(self, name: str) -> Snapshot | Failure:
        """The evidence of a host. A worker reads what the controller has put on disk."""
        if is_worker(self.config) and not self.audit.collected:
            self.audit.add_evidence(store.read(self.snapshots))
        return self.audit.evidence_of(name)

    def snapshot_for(self, name: str) -> Snapshot:
        """The evidence that a test is given; it fails where there is none to judge."""
        evidence = self.evidence_to_judge(name)
        if isinstance(evidence, Failure):
            pytest.fail(evidence.message, pytrace=False)
        return evidence

    @staticmethod
    def assessment_for(function: object, snapshot: Snapshot) -> Assessment:
        """Where a check records what was expected and seen; other tests fail for want of it."""
        control = control_of(function)
        if control is None:
            pytest.fail("assessment is for controls: mark the test with @control", pytrace=False)
        return Assessment(control, snapshot)

    def evidence_to_judge(self, name: str) -> Snapshot | Failure:
        """The same, or a failure in its place where it is too old for the host's policy."""
        return self.audit.recent_enough(name, self.evidence_of(name))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep each verdict that arrives, from this process or from a worker."""
        told: dict[str, Any] | None = getattr(report, "ipvs_audit", None)
        if told is not None and not is_worker(self.config):
            self._record(*from_report(told))

    def _record(self, host: str, control: Control, result: Result) -> None:
        self.audit.controls[control.id] = control
        self.audit.record(host, result)

    def finish(self, exitstatus: int) -> int:
        """Write the reports and give the exit status of the run."""
        self.stop.raises = False  # what is half written is of no use
        self.audit.interrupted = self.audit.interrupted or self.stop.requested
        self.connections.close()
        self._note_unknown_controls()
        run = self.audit.finish(self._needed)
        if self.remediation is not None:
            from ipvs_audit.remedy.run_results import with_remediation  # noqa: PLC0415  # as above

            run = with_remediation(run, self.remediation)
            exitstatus = exitstatus or int(self.remediation.failed)
        try:
            write_reports(
                run,
                self.snapshots if self._needed else None,
                self.directory,
                self.audit.options.outputs,
                beside=self._extra_files,
            )
            point_latest(self.directory.parent, self.directory)
        except ReportError as wrong:
            self._outcome = str(wrong)
            return ExitCode.NOT_WRITTEN
        leftovers = self.audit.earlier.leftovers if self.audit.earlier else ()
        for path in (self.snapshots, identity_file(self.snapshots), *leftovers):
            path.unlink(missing_ok=True)
        if (kept := self._extra_files.get("snapshots-before.jsonl.gz")) is not None:
            kept.unlink(missing_ok=True)
        self._outcome = (run, self.directory)
        if self.audit.interrupted or self.stop.requested:
            return ExitCode.INTERRUPTED
        # A check that is skipped or marked as an expected failure still has its verdict.
        bad = any(one.verdict.bad and not one.waived for host in run.hosts for one in host.controls)
        return exitstatus or (ExitCode.FINDINGS if bad else ExitCode.OK)

    def _note_unknown_controls(self) -> None:
        named = {
            control
            for policy in self.audit.policies.values()
            for control in (*policy.severity, *policy.references)
        }
        if unknown := sorted(named - self.audit.controls.keys()):
            self.audit.notes.append(
                f"The policy names {', '.join(unknown)}, which was not evaluated."
            )

    def summarise(self, terminalreporter: Any, exitstatus: int) -> None:  # noqa: ANN401
        """The run in words, at the end of pytest's own output."""
        if isinstance(self._outcome, str):
            terminalreporter.write_line(f"ipvs-audit: {self._outcome}", red=True, bold=True)
        elif self._outcome is not None:
            run, directory = self._outcome
            render_summary(run, directory, console_of(self.config))
        elif exitstatus == ExitCode.NOTHING_SELECTED and not self.config.option.collectonly:
            text = f"ipvs-audit: {nothing_selected(self.config)}"
            terminalreporter.write_line(text, red=True, bold=True)


def _free(directory: Path) -> Path:
    """The directory, or the same with a number where another run has taken it, or is about to."""
    candidate, count = directory, 1
    while candidate.exists() or identity_file(evidence_in_progress(candidate)).exists():
        count += 1
        candidate = directory.with_name(f"{directory.name}-{count}")
    return candidate
