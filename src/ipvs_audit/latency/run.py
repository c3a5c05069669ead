"""Measuring within a run: which hosts, over which connections, and where the traces go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.gather import settings_of
from ipvs_audit.latency import ran, trace
from ipvs_audit.latency.measuring import Job, measure_all
from ipvs_audit.snapshot import GarbledEvidenceError, Snapshot
from ipvs_audit.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, MutableMapping

    from ipvs_audit.session import AuditSession
    from ipvs_audit.snapshot import Failure
    from ipvs_audit.transport import Connection


def time_hosts(
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
    options, settings = audit.options.latency, settings_of(audit.options)
    jobs = [
        Job(
            taken,
            audit.targets[host],
            settings,
            audit.policies[host],
            options.via,
            connections.get(host),
            trace=options.trace,
        )
        for host in hosts
        if isinstance(taken := audit.collected.get(host), Snapshot)
        and taken.taken.via.startswith("ssh")
    ]
    if not jobs:
        return False
    longest = max(job.policy.latency_seconds for job in jobs) + ran.SECONDS * options.trace
    rounds = -(-len(jobs) // options.at_once)
    together = f", {options.at_once} at a time" if rounds > 1 else ""
    say(
        f"measuring the latency of {counted(len(jobs), 'host')}{together}:"
        f" about {rounds * longest} s"
    )
    for taken in measure_all(jobs, options.at_once):
        audit.hold([taken])
        audit.notes += _left(taken)
    return True


def _left(taken: Snapshot) -> list[str]:
    """What the trace could not remove from the host: nobody should have to look for that."""
    try:
        left = taken.ran.left if taken.ran is not None else ()
    except GarbledEvidenceError:
        return []
    return [f"{taken.target}: --latency-trace left behind {'; '.join(left)}."] if left else []


def keep_before(
    collected: MutableMapping[str, Snapshot | Failure],
    before: Mapping[str, Snapshot | Failure],
) -> None:
    """Give the snapshot after a remedy the traces of the one before, beside its own to come."""
    for host, earlier in before.items():
        now = collected[host]
        if not isinstance(earlier, Snapshot) or not isinstance(now, Snapshot) or now is earlier:
            continue
        kept = [
            replace(earlier.sections[section], name=name)
            for section, name in ((trace.SECTION, trace.BEFORE), (ran.SECTION, ran.BEFORE))
            if section in earlier.sections
        ]
        collected[host] = now.joined(*kept)
