"""What a run found: the one structure that every report renders, and results.json in Python."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from ipvs_audit.model.verdict import Result, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.model.comparison import Comparison
    from ipvs_audit.model.shard import Part, Source
    from ipvs_audit.model.waiver import Account

SCHEMA = "ipvs-audit/results/1"


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """A control as reports describe it; see :class:`ipvs_audit.controls.control.Control`."""

    id: str
    name: str
    severity: str
    source: str
    rationale: str
    fix: str


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step of a remedy's plan, and what became of it; empty where it was not come to."""

    control: str
    title: str
    reason: str
    detail: str
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class RemedyResult:
    """What a remedy planned or did on a host.

    Attributes:
        status: ``nothing to do``, ``planned``, ``held back``, ``not possible``, ``fixed``,
            ``partly fixed``, ``put back``, ``failed``, ``not attempted`` or ``rolled back``.
        message: why, in words; may be empty.
        notes: what an operator should know besides.
        steps: the plan.
    """

    status: str
    message: str = ""
    notes: tuple[str, ...] = ()
    steps: tuple[StepResult, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceResult:
    """The estimator's own runs on a host, in numbers. All times are seconds.

    Attributes:
        kind: ``timer`` (up to Linux 6.1), ``threads`` (from 6.2 on: CPU time, which holds no CPU),
            ``none`` where they were not looked at.
        seconds: for how long they were.
        runs: how many were seen; of threads, how many there were.
        longest: for which the timer held a CPU without a break; 0 for none, and of threads.
        total: of all runs.
        whole: nothing was lost or cut; else there was more.
        unseen: why nothing was seen, which proves nothing; else empty.
        left: what could not be removed from the host afterwards.
    """

    kind: str
    seconds: float
    runs: int
    longest: float
    total: float
    whole: bool
    unseen: str
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Round trips to a host, in numbers. All times are seconds; None where nothing was answered.

    Attributes:
        via: ``icmp`` or ``ssh``.
        started: UTC, ISO 8601; empty where it never began.
        ended: why it ended early; else empty.
        n, lost, left_out: round trips that count, those of them without an answer, and those that
            do not count because the controller itself was stalled.
        stalled: for how long it did.
        p50, p99, p999, max: of the answered ones.
        threshold: what is slower is delayed.
        spikes: how many delays there are.
        highest: the longest of them, above the median; 0 for none.
        period: of those that may be the estimator's; None where there are none.
        members: how many those are.
        among: delays that the period was sought in: those above ``above``.
        above: seconds above the median.
        chance: that spikes without a period look so, at most.
        estimator: whether they come at the estimator's period; the verdict knows whether it is on.
        trace: the estimator's own runs; None where nobody asked for them.
    """

    via: str
    started: str
    ended: str
    n: int
    lost: int
    left_out: int
    stalled: float
    p50: float | None
    p99: float | None
    p999: float | None
    max: float | None
    threshold: float | None
    spikes: int
    highest: float
    period: float | None
    members: int
    among: int
    above: float
    chance: float
    estimator: bool
    trace: TraceResult | None = None


@dataclass(frozen=True, slots=True)
class HostResult:
    """One host of the inventory: assessed, unreachable or excluded.

    Attributes:
        name: inventory name.
        id: its test id: ``name`` made safe.
        groups: inventory groups.
        state: ``assessed``, ``unreachable`` (could not be collected) or ``excluded``.
        reason: why it is unreachable or excluded; empty where assessed.
        kernel: kernel release; empty where unknown.
        facts: what else is known of it, label -> text, in the order to show, e.g.
            ``{"operating system": "Debian GNU/Linux 12", "machine id": ..., "exposure": ...}``.
        controls: results by the order of controls.
        policy: what the inventory changes in the policy for this host.
        remedy: what a remedy planned or did there; None where none was asked for.
        latency: round trips to it, and before a remedy; None where they were not measured.
    """

    name: str
    id: str
    groups: tuple[str, ...]
    state: str
    reason: str
    kernel: str
    facts: Mapping[str, str] = field(default_factory=dict)
    controls: tuple[Result, ...] = ()
    started: str = ""
    finished: str = ""
    policy: Mapping[str, object] = field(default_factory=dict)
    remedy: RemedyResult | None = None
    latency: LatencyResult | None = None
    latency_before: LatencyResult | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst raw verdict among the controls; waived failures count as what they are."""
        return worst([result.verdict for result in self.controls])

    def result(self, control: str) -> Result | None:
        """What the control of that id found here; None where it was not judged."""
        return next((result for result in self.controls if result.control == control), None)


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run.

    Attributes:
        id: its directory name, the UTC start, e.g. ``2026-11-23T02-00-00Z``.
        started, finished: UTC, ISO 8601.
        operator: user name on the controller.
        controller: the controller's host name.
        argv: the command line, secrets redacted.
        version: of the suite.
        versions: of what it stands on, name -> version.
        estimation: the policy's direction, ``disabled`` or ``enabled``.
        policy_sha256, inventory_sha256: digests of what was read.
        inventory: the inventory's paths, as given.
        controls: what was asked, in order.
        hosts: every host of the inventory within ``--limit`` and ``--shard``, in its order.
        left_out: hosts of the inventory that those two leave out.
        interrupted: whether the run was ended before all was judged.
        notes: what a reader must know, e.g. "12 controls of 3 hosts were deselected".
        policy: the whole policy, before what the inventory changes in it for a host.
        job: the CI job's address, http or https; empty where there is none.
        waivers: every waiver of the file, and what became of it.
        waivers_sha256: digest of the waiver file; empty where there was none.
        baseline: what changed since an earlier run; None where none was asked for or there.
        shard: which part of a fleet this is; None for the whole.
        merged: the runs that this one was put together from; empty where it was not.
    """

    id: str
    started: str
    finished: str
    operator: str
    controller: str
    argv: tuple[str, ...]
    version: str
    versions: Mapping[str, str]
    estimation: str
    policy_sha256: str
    inventory_sha256: str
    inventory: tuple[str, ...]
    controls: tuple[ControlInfo, ...]
    hosts: tuple[HostResult, ...]
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    policy: Mapping[str, object] = field(default_factory=dict)
    job: str = ""
    waivers: tuple[Account, ...] = ()
    waivers_sha256: str = ""
    baseline: Comparison | None = None
    shard: Part | None = None
    merged: tuple[Source, ...] = ()
    left_out: int = 0

    @property
    def whole(self) -> int:
        """Hosts of the whole inventory: the left side of the reconciliation."""
        return len(self.hosts) + self.left_out

    def completed(self) -> Self:
        """The run in which every unreachable host has an error for every control.

        So no reader counts a host as silently right that nobody could ask. Hosts that were
        excluded, or not judged before an interruption, stay without results.
        """
        return replace(
            self,
            hosts=tuple(
                _with_errors(host, self.controls) if host.state == "unreachable" else host
                for host in self.hosts
            ),
        )

    def states(self) -> dict[str, int]:
        """The reconciliation: how many hosts are assessed, unreachable, excluded; they add up."""
        count = {"assessed": 0, "unreachable": 0, "excluded": 0}
        for host in self.hosts:
            count[host.state] += 1
        return count

    def verdicts(self) -> dict[str, int]:
        """How many control results of each raw verdict there are, and how many fails are waived."""
        count = {verdict.value: 0 for verdict in Verdict} | {"waived": 0}
        for host in self.hosts:
            for result in host.controls:
                count[result.verdict.value] += 1
                count["waived"] += result.waived
        return count


def _with_errors(host: HostResult, controls: tuple[ControlInfo, ...]) -> HostResult:
    return replace(
        host,
        controls=tuple(
            host.result(control.id)
            or Result(
                control.id,
                control.name,
                Verdict.ERROR,
                control.severity,
                message=host.reason or "the host could not be collected",
                expected="a host that can be collected",
                observed=host.reason,
            )
            for control in controls
        ),
    )
