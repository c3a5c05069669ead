"""How old evidence is where it is judged, and whether the policy still takes it for proof."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ipvs_audit.model.text import days_or_hours
from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from ipvs_audit.model.policy import Policy

#: Evidence is collected after its run began, but no run takes as long as this. What is dated later
#: has no age that means anything.
_LONGEST_RUN = timedelta(days=1)


def recent_enough(evidence: Snapshot | Failure, policy: Policy, started: str) -> Snapshot | Failure:
    """The evidence, or a failure in its place where it is older than the policy allows.

    So is evidence that is dated more than a day after the run began: its age is not known.

    Args:
        evidence: what was collected.
        policy: what holds for the host.
        started: when the run began, as results.json has it: verification reckons from it too.
    """
    if policy.max_age_hours is None or isinstance(evidence, Failure):
        return evidence
    begun, finished = evidence.collection.started, evidence.collection.finished
    limit = timedelta(hours=policy.max_age_hours)
    try:
        age = datetime.fromisoformat(started) - datetime.fromisoformat(begun)
    except (ValueError, TypeError):
        why = f"when the evidence was collected cannot be read: {begun[:40]!r}"
    else:
        if -_LONGEST_RUN <= age <= limit:
            return evidence
        if age > limit:
            why = f"the evidence is {days_or_hours(age)} old; --max-age is {days_or_hours(limit)}"
        else:
            why = f"the evidence is dated {begun[:40]}, after this run began: its age is not known"
    return Failure(evidence.target, "too-old", why, begun, finished)
