"""What a run found: the one structure that every report renders, and that results.json holds.

The classes are plain; pydantic reads, writes and describes them by their types, see
:mod:`ipvs_audit.report.results_json`. Limits of texts are part of the types as well, see
:mod:`ipvs_audit.model.bounded`. All times are seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping  # noqa: TC003  # pydantic reads it
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, computed_field

# ruff: noqa: TC001  # pydantic reads them
from ipvs_audit.model.comparison import Comparison
from ipvs_audit.model.control import Control
from ipvs_audit.model.fields import Count, LongText, Moment, Name, Seconds, Text
from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.shard import MergedShard, ShardPlace
from ipvs_audit.model.verdict import Result, Verdict, worst
from ipvs_audit.model.waiver import WaiverUse

SCHEMA = "ipvs-audit/results/1"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step of a remediation plan, and what became of it."""

    control: Name
    title: Text
    reason: Text
    detail: Annotated[LongText, Field(description="a unified diff, or the exact command")]
    outcome: Annotated[Text, Field(description="empty where the step was not reached")] = ""


@dataclass(frozen=True, slots=True)
class RemedyResult:
    """What remediation planned or did on a host."""

    status: RemediationStatus
    message: Annotated[Text, Field(description="why it has this status; may be empty")] = ""
    notes: Annotated[tuple[Text, ...], Field(description="what else an operator should know")] = ()
    steps: Annotated[tuple[StepResult, ...], Field(description="the plan")] = ()
    plan_sha256: Annotated[
        str,
        Field(
            pattern="^([0-9a-f]{64})?$",
            description="equal where two plans do the same; empty without a step",
        ),
    ] = ""


@dataclass(frozen=True, slots=True)
class TraceResult:
    """The estimator's own runs on a host (`--latency-trace`)."""

    kind: Annotated[
        Literal["timer", "work", "threads", "none"],
        Field(
            description="timer up to Linux 6.1; work: delayed work, in the vendor's 4.19; threads"
            " from 6.2 on; none where not traced"
        ),
    ]
    seconds: Annotated[Seconds, Field(description="for how long they were traced")]
    runs: Annotated[Count, Field(description="how many were seen; of threads, how many exist")]
    longest: Annotated[
        Seconds,
        Field(description="the timer held a CPU for that long without a break; 0 of threads"),
    ]
    total: Annotated[
        Seconds, Field(description="of all runs; of threads, CPU time, which holds no CPU")
    ]
    whole: Annotated[bool, Field(description="nothing was lost or cut; else there was more")]
    unseen: Annotated[
        Text, Field(description="why nothing was seen, which proves nothing; else empty")
    ]
    left: Annotated[
        tuple[Text, ...], Field(description="what could not be removed from the host afterwards")
    ] = ()


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Round trips to a host; null where nothing was answered."""

    via: Literal["icmp", "ssh"]
    started: Annotated[Moment, Field(description="empty where it never began")]
    ended: Annotated[Text, Field(description="why it ended early; else empty")]
    n: Annotated[Count, Field(description="round trips that count")]
    lost: Annotated[Count, Field(description="those of them without an answer")]
    left_out: Annotated[
        Count, Field(description="those under way while the controller itself was stalled")
    ]
    stalled: Annotated[Seconds, Field(description="for how long the controller was stalled")]
    p50: Seconds | None
    p99: Seconds | None
    p999: Seconds | None
    max: Seconds | None
    threshold: Annotated[Seconds | None, Field(description="a slower round trip is a delay")]
    spikes: Annotated[Count, Field(description="delays")]
    highest: Annotated[Seconds, Field(description="the longest delay, above the median; 0 = none")]
    period: Annotated[
        Seconds | None, Field(description="of the delays that may come from the estimator")
    ]
    members: Annotated[Count, Field(description="how many delays those are")]
    among: Annotated[
        Count, Field(description="delays that the period was sought in: those above `above`")
    ]
    above: Annotated[Seconds, Field(description="above the median")]
    chance: Annotated[
        float,
        Field(ge=0, le=1, description="of delays without a period to look like these, at most"),
    ]
    estimator: Annotated[
        bool, Field(description="whether the delays come at the estimator's period")
    ]
    trace: Annotated[
        TraceResult | None, Field(description="the estimator's own runs; null where not asked for")
    ] = None


class HostState(StrEnum):
    """Where a host of the inventory went."""

    ASSESSED = "assessed"
    UNREACHABLE = "unreachable"
    EXCLUDED = "excluded"
    #: Left out by pytest's own selection: -k, -m, --deselect, --lf, a path.
    NOT_SELECTED = "not_selected"

    @property
    def word(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class HostResult:
    """One host of the inventory."""

    name: Annotated[Name, Field(description="inventory name")]
    id: Annotated[Name, Field(description="test id: the name made safe")]
    groups: tuple[Name, ...]
    state: HostState
    reason: Annotated[Text, Field(description="why it was not assessed; else empty")]
    kernel: Annotated[Name, Field(description="kernel release; empty where unknown")]
    facts: Annotated[
        Mapping[Name, Text], Field(description="what else is known, in the order to show")
    ] = field(default_factory=dict)
    controls: tuple[Result, ...] = ()
    started: Moment = ""
    finished: Moment = ""
    policy: Annotated[
        Mapping[str, object],
        Field(description="what the inventory changes in the policy for this host"),
    ] = field(default_factory=dict)
    remedy: Annotated[RemedyResult | None, Field(description="null without remediation")] = None
    latency: Annotated[
        LatencyResult | None, Field(description="null where round trips were not measured")
    ] = None
    latency_before: Annotated[
        LatencyResult | None, Field(description="the same before remediation; null without it")
    ] = None

    @computed_field(  # type: ignore[prop-decorator]
        description="the worst raw verdict of its controls; null where none was evaluated"
    )
    @property
    def verdict(self) -> Verdict | None:
        """The worst raw verdict among the controls; waived failures count as what they are."""
        return worst([result.verdict for result in self.controls])

    @computed_field(description="null where the host was never contacted")  # type: ignore[prop-decorator]
    @property
    def reachable(self) -> bool | None:
        """Whether the host could be collected; None where it was not contacted."""
        return self.state is HostState.ASSESSED if self.contacted else None

    @property
    def contacted(self) -> bool:
        """Whether the run was to look at the host: neither excluded nor left out by selection."""
        return self.state not in (HostState.EXCLUDED, HostState.NOT_SELECTED)

    def verdicts(self) -> Counter[str]:
        """How many of its results have each raw verdict, and how many are waived fails."""
        count = Counter(result.verdict.value for result in self.controls)
        count["waived"] = sum(result.waived for result in self.controls)
        return count

    def result(self, control: str) -> Result | None:
        """What the control of that id found here; None where it was not evaluated."""
        return next((result for result in self.controls if result.control == control), None)


@dataclass(frozen=True, slots=True)
class HostCounts:
    """The reconciliation: the inventory is the sum of all others."""

    inventory: Count
    assessed: Count
    unreachable: Count
    excluded: Count
    not_selected: Annotated[
        Count, Field(description="hosts of which pytest's own selection leaves out every check")
    ]
    left_out: Annotated[Count, Field(description="hosts that --limit and --shard leave out")]


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Control results by raw verdict; `waived` says how many of the fails are waived."""

    passed: Annotated[Count, Field(alias="pass")]
    fail: Count
    error: Count
    inconclusive: Count
    not_applicable: Count
    waived: Count


@dataclass(frozen=True, slots=True)
class Counts:
    """What the hosts add up to."""

    hosts: HostCounts
    verdicts: VerdictCounts


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run: what was run, by whom, from where, on what."""

    id: Annotated[Name, Field(description="its directory name: the UTC start")]
    started: Moment
    finished: Moment
    operator: Annotated[Text, Field(description="user name on the controller")]
    controller: Annotated[Text, Field(description="the controller's host name")]
    argv: Annotated[tuple[Text, ...], Field(description="the command line, secrets redacted")]
    version: Annotated[Name, Field(description="of ipvs-audit")]
    versions: Annotated[Mapping[Name, Text], Field(description="of Python and the libraries used")]
    estimation: Annotated[Literal["disabled", "enabled"], Field(description="what the policy asks")]
    policy_sha256: str
    inventory_sha256: str
    inventory: Annotated[tuple[Text, ...], Field(description="the inventory's paths, as given")]
    controls: Annotated[tuple[Control, ...], Field(description="what was evaluated, in order")]
    hosts: Annotated[tuple[HostResult, ...], Field(exclude=True)] = ()
    required: Annotated[
        tuple[Name, ...],
        Field(description="ids of the controls that 'Compliant' needs, evaluated or not"),
    ] = ()
    interrupted: Annotated[bool, Field(description="the run stopped before all was evaluated")] = (
        False
    )
    notes: Annotated[tuple[Text, ...], Field(description="what a reader must know")] = ()
    policy: Annotated[
        Mapping[str, object],
        Field(description="the whole policy, before what a host changes in it"),
    ] = field(default_factory=dict)
    job: Annotated[Text, Field(description="the CI job's address, http or https; or empty")] = ""
    waivers: Annotated[
        tuple[WaiverUse, ...], Field(description="every waiver, and what it did")
    ] = ()
    waivers_sha256: Annotated[str, Field(description="empty where no waiver file was given")] = ""
    baseline: Annotated[
        Comparison | None, Field(description="what changed since an earlier run; null without one")
    ] = None
    shard: Annotated[ShardPlace | None, Field(description="null for a whole fleet")] = None
    merged: Annotated[
        tuple[MergedShard, ...], Field(description="the runs that this one was made from")
    ] = ()
    left_out: Annotated[
        Count, Field(description="hosts of the inventory that --limit and --shard leave out")
    ] = 0
    by_hand: Annotated[
        Mapping[Name, Text],
        Field(
            description="by section of the evidence: the command that shows the same facts to"
            " whoever runs it as root on the host; none for a measurement"
        ),
    ] = field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def counts(self) -> Counts:
        """What the hosts add up to: the reconciliation, and the verdicts."""
        return counts_of(self.states(), self.verdicts(), left_out=self.left_out)

    @property
    def whole(self) -> int:
        """Hosts of the whole inventory: the left side of the reconciliation."""
        return len(self.hosts) + self.left_out

    def completed(self) -> Self:
        """The run in which every unreachable host has an error for every control.

        So no reader takes a host for compliant that could not be evaluated. Hosts that were
        excluded, or not evaluated before an interruption, stay without results.
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
        count = {state.value: 0 for state in HostState}
        for host in self.hosts:
            count[host.state] += 1
        return count

    def verdicts(self) -> dict[str, int]:
        """How many control results of each raw verdict there are, and how many fails are waived."""
        count = Counter({verdict.value: 0 for verdict in Verdict} | {"waived": 0})
        for host in self.hosts:
            count.update(host.verdicts())
        return count


def counts_of(states: Mapping[str, int], verdicts: Mapping[str, int], *, left_out: int) -> Counts:
    """Counts from numbers of hosts by state, and of results by raw verdict and ``waived``."""
    hosts = {state.value: states.get(state, 0) for state in HostState}
    return Counts(
        HostCounts(sum(hosts.values()) + left_out, **hosts, left_out=left_out),
        VerdictCounts(
            passed=verdicts.get("pass", 0),
            fail=verdicts.get("fail", 0),
            error=verdicts.get("error", 0),
            inconclusive=verdicts.get("inconclusive", 0),
            not_applicable=verdicts.get("not_applicable", 0),
            waived=verdicts.get("waived", 0),
        ),
    )


@dataclass(frozen=True, slots=True)
class Document:
    """A whole results.json."""

    schema_: Annotated[Literal["ipvs-audit/results/1"], Field(alias="schema")]
    run: Run
    hosts: tuple[HostResult, ...]


def _with_errors(host: HostResult, controls: tuple[Control, ...]) -> HostResult:
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
