"""One audit run: who is audited, what was collected, what was judged, where it lands."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from ipvs_audit import __version__
from ipvs_audit.audit.engine import EngineError, dask_address, refuse_plain_secrets
from ipvs_audit.audit.evidence_age import recent_enough
from ipvs_audit.audit.host_result import collected_host, uncollected_host
from ipvs_audit.audit.options import Options, redact
from ipvs_audit.audit.run_inventory import run_inventory
from ipvs_audit.audit.waiver_matching import Waivers
from ipvs_audit.controls.control import control_of
from ipvs_audit.controls.discovery import ChecksError, find_checks
from ipvs_audit.model.ci_job import job_link
from ipvs_audit.model.clock import run_id, stamp, utc_now, utc_timestamp
from ipvs_audit.model.operator_name import operator_name
from ipvs_audit.model.policy import Policy, load_policy, policy_for
from ipvs_audit.model.results import HostResult, HostState, Run
from ipvs_audit.model.shard import ShardPlace, names_digest
from ipvs_audit.model.shipped import documented_controls
from ipvs_audit.model.target import Target, safe_ids
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.report.signature import check_key
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.snapshot.by_hand import by_hand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.audit.baseline import Baseline
    from ipvs_audit.audit.resume import EarlierRun, RunIdentity
    from ipvs_audit.controls.control import Check
    from ipvs_audit.inventory import Inventory
    from ipvs_audit.model.control import Control

#: The named stack: what a report says it was made with.
STACK = ("pytest", "pytest-testinfra", "paramiko", "junit-xml", "pytest-html", "ansible-core")


class AuditSession:
    """The life of a run, from the inventory to the results. Knows nothing of pytest."""

    def __init__(self, options: Options, argv: tuple[str, ...]) -> None:
        """Read policy and inventory; contact nobody.

        Raises:
            InventoryError, PolicyError, WaiverError: with file and place; nothing was contacted.
        """
        self.options = options
        self.argv = argv
        self.started = utc_now()
        self.policy, self.policy_sha256 = load_policy(options.policy)
        if options.estimation:
            self.policy = self.policy.model_copy(update={"estimation": options.estimation})
        if options.max_age:
            self.policy = self.policy.model_copy(update={"max_age_hours": options.max_age})
        whole = run_inventory(options)
        self.part, self.inventory = _shard_of(whole, options)
        self.targets: dict[str, Target] = {target.name: target for target in self.inventory.targets}
        # Ids and waivers look at the whole fleet, so that shards agree on them.
        self.ids = safe_ids([target.name for target in whole.targets])
        self.policies: dict[str, Policy] = {
            target.name: policy_for(self.policy, target) for target in self.inventory.targets
        }
        groups = {target.name: target.groups for target in whole.targets}
        self.waivers = Waivers.read(options.waivers, groups, self.started.date())
        self.baseline: Baseline | None = None
        self.earlier: EarlierRun | None = None
        self.collected: dict[str, Snapshot | Failure] = {}
        #: Facts of hosts that were looked at already, and the evidence that they are from.
        self.facts: dict[str, tuple[Snapshot | Failure, dict[str, str]]] = {}
        self.results: dict[str, dict[str, Result]] = {}
        self.controls: dict[str, Control] = {}
        self.notes: list[str] = list(self.inventory.warnings)
        if self.part is not None:
            self.notes.append(
                f"This is shard {self.part.shard} of a fleet: {len(self.targets):,} of"
                f" {self.part.total:,} hosts."
            )
        self.interrupted = False
        if options.snapshots is not None:
            self.notes.append("Saved evidence was evaluated: no host was contacted in this run.")

    @property
    def audited(self) -> list[Target]:
        """The targets that are not excluded, in inventory order.

        Nor those that the run left out whose evidence is evaluated again.
        """
        return [
            target
            for target in self.targets.values()
            if target.excluded is None and target.name not in self.inventory.not_selected
        ]

    def check_options(self) -> None:
        """Look at what else the options name: key, baseline, earlier run, engine; contact nobody.

        Raises:
            SignatureError, BaselineError, ResumeError, EngineError: with file and place.
        """
        check_key(self.options.outputs.sign)
        self.read_baseline()
        self.find_earlier()
        self.check_engine()

    def read_baseline(self) -> None:
        """Read the run to compare with, where one is asked for.

        Raises:
            BaselineError: it cannot be read. That ``latest`` is not there yet is only noted.
        """
        if (asked := self.options.baseline) is not None:
            from ipvs_audit.audit.baseline import find_baseline  # noqa: PLC0415  # few runs have one

            self.baseline = find_baseline(asked, self.options.reports)
            if self.baseline is not None and self.part is not None:
                self.baseline = self.baseline.within(self.part.shard)
            if self.baseline is None:
                self.notes.append("There is no earlier run to compare with yet.")

    @cached_property
    def checks(self) -> dict[str, Check]:
        """The checks of the audit, by the id of their control, selected or not."""
        try:
            return find_checks(self.options.checks)
        except ChecksError as broken:
            self.notes.append(f"Not every check could be loaded: {broken}.")
            return {}

    @property
    def identity(self) -> RunIdentity:
        """What this run is about."""
        from ipvs_audit.audit.resume import RunIdentity  # noqa: PLC0415  # after a mistyped inventory

        return RunIdentity(
            run_id(self.started),
            __version__,
            self.policy.estimation,
            self.policy_sha256,
            self.inventory.sha256,
        )

    def check_engine(self) -> None:
        """Look at the engine that is asked for, contacting nobody.

        Raises:
            EngineError: it is none, passwords would travel to it in the clear, or several
                processes were asked for here.
        """
        if (asked := self.options.engine) is not None:
            dask_address(asked)
            if (self.options.processes or 1) > 1:
                raise EngineError(
                    "--processes is for collecting here, --engine for collecting elsewhere: remove"
                    " one of them"
                )
            if not self.options.engine_plain_secrets:
                refuse_plain_secrets(asked, self.audited)

    def find_earlier(self) -> None:
        """Find the run to resume, where that is asked for.

        Raises:
            ResumeError: there is none, or it is about something else.
        """
        if (asked := self.options.resume) is None:
            return
        from ipvs_audit.audit.resume import ResumeError, find_earlier  # noqa: PLC0415  # as a baseline

        if self.options.snapshots is not None or self.options.remedy.mode:
            raise ResumeError(
                "--resume is for audits of hosts, without --from-snapshots or remediation"
            )
        self.earlier = find_earlier(asked)
        self.earlier.refuse_other(self.identity)

    def add_evidence(self, evidence: Iterable[Snapshot | Failure]) -> None:
        """Keep what was collected, by host."""
        for one in evidence:
            self.collected[one.target] = one

    def evidence_of(self, name: str) -> Snapshot | Failure:
        """What was collected from a host; a failure of its own kind where nothing was."""
        try:
            return self.collected[name]
        except KeyError:
            at = utc_timestamp()
            why = (
                f"the run stopped before {name} was collected"
                if self.interrupted
                else f"no saved evidence of {name} in {self.options.snapshots}"
            )
            return Failure(name, "interrupted" if self.interrupted else "no-evidence", why, at, at)

    def recent_enough(self, name: str, evidence: Snapshot | Failure) -> Snapshot | Failure:
        """A host's evidence, or a failure in its place where it is too old for its policy."""
        return recent_enough(evidence, self.policies[name], stamp(self.started))

    def record(self, host: str, result: Result) -> None:
        """Keep a verdict. A control judged twice (a flaky rerun) keeps the later one."""
        self.results.setdefault(host, {})[result.control] = result

    def finish(self, expected: dict[str, set[str]]) -> Run:
        """Sum up.

        Args:
            expected: control ids that were to be judged, by host: those without a verdict when
                the run ended become errors, so that nothing is missing silently.
        """
        hosts = tuple(self._host(target, expected) for target in self.targets.values())
        run = Run(
            id=run_id(self.started),
            started=stamp(self.started),
            finished=utc_timestamp(),
            operator=operator_name(),
            controller=socket.gethostname(),
            argv=redact(self.argv),
            version=__version__,
            versions={"python": platform.python_version()}
            | {name: version(name) for name in STACK},
            estimation=self.policy.estimation,
            policy_sha256=self.policy_sha256,
            inventory_sha256=self.inventory.sha256,
            inventory=tuple(_shown(source) for source in self.inventory.sources),
            controls=tuple(
                control.with_references(self.policy.references.get(control.id, ()))
                for control in sorted(self.controls.values(), key=lambda control: control.id)
            ),
            required=self._required(),
            hosts=hosts,
            interrupted=self.interrupted,
            notes=tuple(self.notes),
            policy=self.policy.model_dump(mode="json"),
            job=job_link(os.environ),
            waivers=self.waivers.uses(hosts, self.options.waiver_warning_days),
            waivers_sha256=self.waivers.sha256,
            shard=self.part,
            left_out=self.inventory.total - len(hosts),
            by_hand={
                section: command
                for control in self.controls.values()
                for section in control.evidence
                if (command := by_hand(section))
            },
        )
        if self.baseline is None:
            return run
        from ipvs_audit.audit.baseline import compare  # noqa: PLC0415  # it is read already

        return replace(run, baseline=compare(self.baseline, run))

    def _required(self) -> tuple[str, ...]:
        """Ids of the controls without which nothing is compliant, selected or not.

        A documented control whose check was taken away is one of them.
        """
        known = dict(self.controls)
        for check in self.checks.values():
            if (about := control_of(check)) is not None:
                known.setdefault(about.id, about)
        required = {about.id for about in known.values() if about.required}
        return tuple(sorted(required | (documented_controls() - known.keys())))

    def _host(self, target: Target, expected: dict[str, set[str]]) -> HostResult:
        test_id = self.ids[target.name]
        if target.excluded is not None:
            return uncollected_host(target, test_id, HostState.EXCLUDED, target.excluded)
        if target.name not in self.collected and target.name not in expected:
            why = "no check was selected for it"
            return uncollected_host(target, test_id, HostState.NOT_SELECTED, why)
        evidence = self.evidence_of(target.name)
        results = dict(self.results.get(target.name, {}))
        for missing in expected.get(target.name, set()) - results.keys():
            results[missing] = _not_evaluated(self.controls[missing])
        known, facts = self.facts.get(target.name, (None, {}))
        return collected_host(
            target,
            test_id,
            evidence,
            self.policies[target.name],
            results.values(),
            facts=facts if known is evidence else None,
        )


def _not_evaluated(control: Control) -> Result:
    why = "not evaluated: the run stopped first"
    return Result(
        control.id,
        control.name,
        Verdict.ERROR,
        control.severity,
        message=why,
        expected="a verdict",
        observed=why,
        evaluated=False,
    )


def _shard_of(whole: Inventory, options: Options) -> tuple[ShardPlace | None, Inventory]:
    """The shard that is asked for, and its hosts; without one, the whole inventory."""
    shard = options.shard
    if shard is None:
        return None, whole
    held = [
        (place, target) for place, target in enumerate(whole.targets) if shard.holds(target.name)
    ]
    part = ShardPlace(
        shard.number,
        shard.count,
        options.limit or "",
        len(whole.targets),
        names_digest(target.name for target in whole.targets),
        tuple(place for place, _ in held),
    )
    return part, replace(whole, targets=tuple(target for _, target in held))


def _shown(source: str) -> str:
    """An inventory source as reports name it: relative to here where it lies below."""
    if source.endswith(","):
        return source
    relative = os.path.relpath(source)
    return source if relative.startswith("..") else relative
