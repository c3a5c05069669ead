"""Evidence that is older than the policy allows is an error, never a pass."""

from __future__ import annotations

from dataclasses import replace

import made
import pytest
from made import check, snapshot

from ipvs_audit.audit.evidence_age import recent_enough
from ipvs_audit.controls.control import judge
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.snapshot import Failure, Snapshot

WEEK = Policy(max_age_hours=168)


def collected(started: str) -> Snapshot:
    evidence = snapshot()
    evidence.__dict__["collection"] = replace(made.COLLECTED, started=started)
    return evidence


@pytest.mark.parametrize(
    ("started", "policy", "why"),
    [
        ("2024-11-20T01:00:00.000Z", WEEK, "the evidence is 733 days old; --max-age is 7 days"),
        (
            "2026-11-21T14:59:59.999Z",
            Policy(max_age_hours=35),
            "the evidence is 35 hours old; --max-age is 35 hours",
        ),
        ("yesterday", WEEK, "when the evidence was collected cannot be read: 'yesterday'"),
        ("2026-11-23T01:00:00", WEEK, "cannot be read"),
        ("", WEEK, "cannot be read"),
        ("2027-06-01T00:00:00.000Z", WEEK, "is dated 2027-06-01T00:00:00.000Z, after this run"),
    ],
)
def test_evidence_that_is_too_old_is_an_error_and_never_a_pass(
    started: str, policy: Policy, why: str
) -> None:
    evidence = recent_enough(collected(started), policy, "2026-11-23T02:00:00.000Z")
    assert isinstance(evidence, Failure)
    for control in ("EST-1", "EST-4", "EST-5", "EST-6"):
        result = judge(check(control), evidence, policy)
        assert result.verdict is Verdict.ERROR
        assert why in result.message
        assert result.expected == "evidence that is recent enough"


@pytest.mark.parametrize(
    ("started", "policy"),
    [
        ("2026-11-16T02:00:00.000Z", WEEK),
        ("2026-11-23T02:00:01.000Z", WEEK),
        ("2024-11-20T01:00:00.000Z", Policy()),
        ("yesterday", Policy()),
    ],
)
def test_evidence_that_is_recent_enough_is_judged(started: str, policy: Policy) -> None:
    evidence = collected(started)
    assert recent_enough(evidence, policy, "2026-11-23T02:00:00.000Z") is evidence
