"""The shape of results.json, field by field: what is written, checked on reading, and published.

docs/results.schema.json is made from these models; a test keeps the two alike.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ipvs_audit.model.verdict import Verdict  # noqa: TC001  # pydantic reads it
from ipvs_audit.model.waiver import State  # noqa: TC001  # pydantic reads it

Count = Annotated[int, Field(ge=0)]
#: UTC, ISO 8601 with Z; empty where nothing was begun.
Moment = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00))?$")]


Seconds = Annotated[float, Field(ge=0)]


class _Record(BaseModel):
    # Readers of this version pass over fields that a later one adds.
    model_config = ConfigDict(extra="ignore", frozen=True)


class EvidenceRecord(_Record):
    """One command's worth of proof."""

    command: str = Field(description="what ran on the host")
    output: str = Field(description=r"what it printed; undecodable bytes as \xNN")
    status: int | None = Field(description="exit status; null where no command ran")
    user: str = Field(description="effective user on the host")
    at: str = Field(description="UTC time by the controller's clock, ISO 8601")
    cut: Count = Field(description="characters of output left out; 0 = whole")


class ControlRecord(_Record):
    """The verdict of one control on one host."""

    id: str = Field(description="e.g. EST-4")
    name: str = Field(description="e.g. live-value")
    verdict: Verdict = Field(description="the raw verdict, whatever a waiver says")
    waiver: str | None = Field(description="the waiver that covers a failure, or null")
    before: Verdict | None = Field(
        default=None, description="the verdict before a remedy; null where none was at work"
    )
    severity: str
    message: str
    expected: str
    observed: str
    evidence: tuple[EvidenceRecord, ...]


class StepRecord(_Record):
    """One step of a remedy's plan."""

    control: str
    title: str
    reason: str
    detail: str = Field(description="a unified diff, or the exact command")
    outcome: str = Field(description="what became of it; empty where it was not come to")


class RemedyRecord(_Record):
    """What a remedy planned or did on a host."""

    status: str = Field(description="e.g. nothing to do, planned, held back, fixed, put back")
    message: str
    notes: tuple[str, ...]
    steps: tuple[StepRecord, ...]


class TraceRecord(_Record):
    """The estimator's own runs on a host (`--latency-trace`); all times are seconds."""

    kind: Literal["timer", "threads", "none"] = Field(
        description="timer up to Linux 6.1; threads from 6.2 on; none where they were not looked at"
    )
    seconds: Seconds = Field(description="for how long they were")
    runs: Count = Field(description="how many were seen; of threads, how many there were")
    longest: Seconds = Field(
        description="for which the timer held a CPU without a break; 0 for none, and of threads"
    )
    total: Seconds = Field(description="of all runs; of threads, CPU time, which holds no CPU")
    whole: bool = Field(description="nothing was lost or cut; else there was more")
    unseen: str = Field(description="why nothing was seen, which proves nothing; else empty")
    left: tuple[str, ...] = Field(
        default=(), description="what could not be removed from the host afterwards"
    )


class LatencyRecord(_Record):
    """Round trips to a host; all times are seconds, null where nothing was answered."""

    via: Literal["icmp", "ssh"]
    started: Moment
    ended: str = Field(description="why it ended early; else empty")
    n: Count = Field(description="round trips that count")
    lost: Count = Field(description="those of them without an answer")
    left_out: Count = Field(description="those under way while the controller itself was stalled")
    stalled: Seconds = Field(description="for how long it did")
    p50: Seconds | None
    p99: Seconds | None
    p999: Seconds | None
    max: Seconds | None
    threshold: Seconds | None = Field(description="what is slower is delayed")
    spikes: Count = Field(description="delays")
    highest: Seconds = Field(description="the longest delay, above the median; 0 for none")
    period: Seconds | None = Field(description="of the delays that may be the estimator's")
    members: Count = Field(description="how many those are")
    among: Count = Field(description="delays that the period was sought in: those above `above`")
    above: Seconds = Field(description="above the median")
    chance: Annotated[
        float, Field(ge=0, le=1, description="that delays without a period look so, at most")
    ]
    estimator: bool = Field(description="whether the delays come at the estimator's period")
    trace: TraceRecord | None = Field(
        default=None, description="the estimator's own runs; null where nobody asked for them"
    )


class HostRecord(_Record):
    """One host of the inventory."""

    name: str = Field(description="inventory name")
    id: str = Field(description="test id: the name made safe")
    groups: tuple[str, ...]
    state: Literal["assessed", "unreachable", "excluded"]
    reachable: bool | None = Field(description="null where the host was excluded, so never asked")
    reason: str = Field(description="why it is unreachable or excluded; else empty")
    verdict: Verdict = Field(description="the worst raw verdict of its controls")
    kernel: str = Field(description="kernel release; empty where unknown")
    started: Moment
    finished: Moment
    facts: dict[str, str]
    policy: dict[str, Any] = Field(
        default_factory=dict, description="what the inventory changes in the policy for this host"
    )
    remedy: RemedyRecord | None = Field(
        default=None, description="null where the run was a mere audit"
    )
    latency: LatencyRecord | None = Field(
        default=None, description="null where round trips were not measured"
    )
    latency_before: LatencyRecord | None = Field(
        default=None, description="the same before a remedy; null where there was none"
    )
    controls: tuple[ControlRecord, ...]


class HostCounts(_Record):
    """The reconciliation: inventory = assessed + unreachable + excluded + left out."""

    inventory: Count
    assessed: Count
    unreachable: Count
    excluded: Count
    left_out: Count = Field(
        default=0, description="hosts that --limit and --shard leave out; not among the hosts below"
    )


class VerdictCounts(_Record):
    """Control results by raw verdict. ``waived`` says how many of the fails are waived."""

    model_config = ConfigDict(populate_by_name=True)

    passed: Count = Field(alias="pass")
    fail: Count
    error: Count
    inconclusive: Count
    not_applicable: Count
    waived: Count


class Counts(_Record):
    """What the hosts below add up to."""

    hosts: HostCounts
    verdicts: VerdictCounts


class ControlInfoRecord(_Record):
    """A control that was asked."""

    id: str
    name: str
    severity: str
    source: str
    rationale: str
    fix: str


class WaiverRecord(_Record):
    """A waiver of the run's file, and what became of it."""

    place: str = Field(description="file:line of the entry")
    hosts: str = Field(description="an Ansible host pattern")
    control: str
    justification: str
    ticket: str
    approver: str
    expires: Annotated[
        str, Field(pattern=r"^\d{4}-\d\d-\d\d$", description="the last day, UTC, on which it holds")
    ]
    state: State
    matched: Count = Field(description="hosts of this run that its pattern selects")
    found: dict[str, Count] = Field(description="raw verdict of its control -> hosts")
    ends_soon: bool


class ChangeRecord(_Record):
    """One control on one host, in the earlier run and in this one."""

    host: str
    control: str
    was: str = Field(description="raw verdict, empty where it was not judged")
    now: str


class ComparisonRecord(_Record):
    """What changed since an earlier run, by raw verdicts."""

    id: str
    finished: Moment
    sha256: str = Field(description="of the earlier results.json")
    newly_failing: tuple[ChangeRecord, ...]
    fixed: tuple[ChangeRecord, ...]
    still_failing: tuple[ChangeRecord, ...]
    unproven: tuple[ChangeRecord, ...] = Field(
        description="failed or passed then, neither now: nobody knows"
    )
    appeared: tuple[str, ...]
    gone: tuple[str, ...]
    notes: tuple[str, ...]


class PartRecord(_Record):
    """Which part of a fleet a run is."""

    number: Annotated[int, Field(ge=1)]
    count: Annotated[int, Field(ge=1)]
    limit: str = Field(description="--limit as it was given; or empty")
    total: Count = Field(description="hosts of all shards together")
    sha256: str = Field(description="of their names, in inventory order, each with a NUL behind")
    places: tuple[Count, ...] = Field(
        description="where the hosts of this run stand among them, from 0"
    )


class SourceRecord(_Record):
    """One run of those that a merged run was put together from."""

    shard: str = Field(description="K/N")
    limit: str
    hosts: Count
    id: str
    started: Moment
    finished: Moment
    operator: str
    controller: str
    argv: tuple[str, ...]
    sha256: str = Field(description="of its results.json")


class RunRecord(_Record):
    """What was run, by whom, from where, on what."""

    id: str
    started: Moment
    finished: Moment
    operator: str
    controller: str
    argv: tuple[str, ...] = Field(description="the command line, secrets redacted")
    version: str
    versions: dict[str, str]
    estimation: Literal["disabled", "enabled"] = Field(description="what the policy asks")
    policy_sha256: str
    inventory_sha256: str
    inventory: tuple[str, ...]
    interrupted: bool
    notes: tuple[str, ...]
    counts: Counts
    controls: tuple[ControlInfoRecord, ...]
    policy: dict[str, Any] = Field(
        default_factory=dict, description="the whole policy, before what a host changes in it"
    )
    job: str = Field(default="", description="the CI job's address, http or https; or empty")
    waivers: tuple[WaiverRecord, ...] = ()
    waivers_sha256: str = Field(default="", description="empty where no waiver file was given")
    baseline: ComparisonRecord | None = None
    shard: PartRecord | None = Field(default=None, description="null for a whole fleet")
    merged: tuple[SourceRecord, ...] = Field(
        default=(), description="the runs that this one was put together from"
    )


class Document(_Record):
    """A whole results.json."""

    schema_: Literal["ipvs-audit/results/1"] = Field(alias="schema")
    run: RunRecord
    hosts: tuple[HostRecord, ...]
