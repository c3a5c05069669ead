"""What a run says of one host, from its evidence and its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.audit.host_facts import facts_of
from ipvs_audit.latency.results import latency_of
from ipvs_audit.model.results import HostResult, HostState
from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.target import Target
    from ipvs_audit.model.verdict import Result


def uncollected_host(target: Target, test_id: str, state: HostState, reason: str) -> HostResult:
    """A host that was not contacted: excluded by the inventory, or not selected."""
    return HostResult(
        name=target.name,
        id=test_id,
        groups=target.groups,
        state=state,
        reason=reason,
        kernel="",
        policy=target.policy,
    )


def collected_host(
    target: Target,
    test_id: str,
    evidence: Snapshot | Failure,
    policy: Policy,
    results: Iterable[Result],
    *,
    facts: dict[str, str] | None = None,
) -> HostResult:
    """A host that was contacted: assessed, or unreachable.

    Args:
        target: which one.
        test_id: its test id.
        evidence: what was collected, or why not.
        policy: what holds for it.
        results: its verdicts.
        facts: those of the evidence, where they were read already.
    """
    facts = facts_of(evidence) if facts is None else facts
    failed = isinstance(evidence, Failure)
    latency, latency_before = latency_of(evidence, policy)
    when = evidence if isinstance(evidence, Failure) else evidence.collection
    return HostResult(
        name=target.name,
        id=test_id,
        groups=target.groups,
        state=HostState.UNREACHABLE if failed else HostState.ASSESSED,
        reason=evidence.message if isinstance(evidence, Failure) else "",
        kernel=facts.get("kernel", ""),
        facts=facts,
        controls=tuple(sorted(results, key=lambda result: result.control)),
        started=when.started,
        finished=when.finished,
        policy=target.policy,
        latency=latency,
        latency_before=latency_before,
    )
