"""Measuring within a run: which hosts, over which connections, and where the traces go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.latency.measure_hosts import Job, measure_all
from ipvs_audit.model.limits import ESTIMATOR_TRACE
from ipvs_audit.model.text import counted
from ipvs_audit.snapshot import GarbledEvidenceError, Snapshot, estimator_runs, round_trips

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, MutableMapping

    from ipvs_audit.audit.session import AuditSession
    from ipvs_audit.snapshot import Failure
    from ipvs_audit.transport import Connection


def measure_latency(
    audit: AuditSession,
    hosts: Collection[str],
    connections: Mapping[str, Connection],
    say: Callable[[str], None],
) -> bool:
    """Measure hosts that were collected; each trace joins the host's snapshot in the session.

    Args:
        audit: the run.
        hosts: inventory names.
        connections: those that are open already, which stay open.
        say: shows a line to the operator.

    Returns:
        whether there was a host to measure.

    Raises:
        KeyboardInterrupt: what was measured by then is in the session.
    """
    options, settings = audit.options.latency, audit.options.connection
    jobs = [
        Job(
            evidence,
            audit.targets[host],
            settings,
            audit.policies[host],
            options.via,
            connections.get(host),
            trace=options.trace,
        )
        for host in hosts
        if isinstance(evidence := audit.collected.get(host), Snapshot)
        and evidence.collection.via.startswith("ssh")
    ]
    if not jobs:
        return False
    longest = max(job.policy.latency_seconds for job in jobs) + ESTIMATOR_TRACE * options.trace
    rounds = -(-len(jobs) // options.at_once)
    together = f", {options.at_once} at a time" if rounds > 1 else ""
    say(
        f"measuring the latency of {counted(len(jobs), 'host')}{together}:"
        f" about {rounds * longest} s"
    )
    for evidence in measure_all(jobs, options.at_once):
        audit.add_evidence([evidence])
        audit.notes += _left(evidence)
    return True


def _left(evidence: Snapshot) -> list[str]:
    """What the trace could not remove from the host: nobody should have to look for that."""
    try:
        left = evidence.estimator_runs.left if evidence.estimator_runs is not None else ()
    except GarbledEvidenceError:
        return []
    return [f"{evidence.target}: --latency-trace left behind {'; '.join(left)}."] if left else []


def keep_earlier_traces(
    collected: MutableMapping[str, Snapshot | Failure],
    before: Mapping[str, Snapshot | Failure],
) -> None:
    """Give the snapshot after remediation the traces of the one before it."""
    for host, earlier in before.items():
        now = collected[host]
        if not isinstance(earlier, Snapshot) or not isinstance(now, Snapshot) or now is earlier:
            continue
        kept = [
            replace(earlier.sections[section], name=name)
            for section, name in (
                (round_trips.SECTION, round_trips.BEFORE),
                (estimator_runs.SECTION, estimator_runs.BEFORE),
            )
            if section in earlier.sections
        ]
        collected[host] = now.with_sections(*kept)
