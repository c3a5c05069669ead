"""Judging again: what results.json may not say of its evidence, whoever wrote it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import recorded
import sample_run
from made import check

from ipvs_audit.audit.evidence_age import recent_enough
from ipvs_audit.audit.host_facts import facts_of
from ipvs_audit.audit.rejudge import Rejudgement, rejudge
from ipvs_audit.audit.waiver_matching import Waivers, matched
from ipvs_audit.controls.control import control_of, judge
from ipvs_audit.controls.discovery import find_checks
from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.results import HostResult, HostState
from ipvs_audit.model.shard import MergedShard
from ipvs_audit.model.verdict import Verdict, worst
from ipvs_audit.model.waiver import Waiver, WaiverState
from ipvs_audit.report.errors import ReportError
from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

CHECKS = find_checks(Path(__file__).parents[2] / "checks")
IDS = tuple(one.id for one in sample_run.CONTROLS)
DOWN = Failure(
    "down", "refused", sample_run.DOWN, "2026-11-23T02:00:01.004Z", "2026-11-23T02:00:01.007Z"
)
BEFORE = replace(recorded.snapshot("drifted"), target="web1")
AFTER = replace(recorded.snapshot("compliant"), target="web1")
WAIVER = Waiver("w.yml:2", "web1", "EST-4", "soon", "OPS-1", "A. Auditor", "2026-12-08")


def result_of(evidence: Snapshot | Failure, before: Snapshot | None = None) -> HostResult:
    """What a run says of a host of which this was collected."""
    facts = facts_of(evidence)
    when = evidence if isinstance(evidence, Failure) else evidence.collection
    then = {} if before is None else {name: judge(check(name), before, Policy()) for name in IDS}
    return HostResult(
        name=evidence.target,
        id=evidence.target,
        groups=("ipvs",),
        state=HostState("unreachable" if isinstance(evidence, Failure) else "assessed"),
        reason=evidence.message if isinstance(evidence, Failure) else "",
        kernel=facts.get("kernel", ""),
        facts=facts,
        controls=tuple(
            replace(
                judge(check(name), evidence, Policy()),
                before=then[name].verdict if name in then else None,
            )
            for name in IDS
        ),
        started=when.started,
        finished=when.finished,
    )


def run_of(*hosts: HostResult) -> Run:
    controls = [control_of(check(name)) for name in IDS]
    controls = tuple(one for one in controls if one is not None)
    made = replace(sample_run.run(hosts), controls=controls)
    return bounded(replace(made, policy=Policy().model_dump(mode="json")).completed())


def again(
    run: Run, *evidence: Snapshot | Failure, before: tuple[Snapshot, ...] = ()
) -> Rejudgement:
    return rejudge(run, evidence, CHECKS, before)


def changed(host: HostResult, control: str, **fields: object) -> HostResult:
    return replace(
        host,
        controls=tuple(
            replace(one, **fields) if one.control == control else one  # type: ignore[arg-type]
            for one in host.controls
        ),
    )


def without(host: HostResult, *controls: str) -> HostResult:
    return replace(host, controls=tuple(o for o in host.controls if o.control not in controls))


def test_an_honest_run_follows_before_and_after_a_remedy() -> None:
    run = run_of(result_of(AFTER, BEFORE), result_of(DOWN))
    found = again(run, AFTER, DOWN, before=(BEFORE,))
    assert not found.wrong
    assert found.results == 12


@pytest.mark.parametrize("said", [None, Verdict.PASS, Verdict.INCONCLUSIVE])
def test_a_verdict_before_a_remedy_that_was_another_is_found(said: Verdict | None) -> None:
    host = changed(result_of(AFTER, BEFORE), "EST-4", before=said)
    found = again(run_of(host), AFTER, before=(BEFORE,))
    (wrong,) = found.wrong
    assert wrong.startswith("web1 EST-4: before remediation it was ")
    assert wrong.endswith("the evidence gives 'fail'")


def test_a_remedy_that_no_evidence_shows_is_found() -> None:
    run = run_of(result_of(AFTER, BEFORE))
    for before in ((), (AFTER,)):
        wrong = again(run, AFTER, before=before).wrong
        assert "web1 EST-4: before remediation it was 'fail', nothing was changed" in wrong


def test_a_failing_control_left_out_of_the_results_is_found() -> None:
    host = result_of(BEFORE)
    other = result_of(replace(AFTER, target="web2"))
    found = again(run_of(without(host, "EST-4"), other), BEFORE, replace(AFTER, target="web2"))
    assert found.wrong == ["web1 EST-4: is not in the results, and the evidence gives fail"]


def test_a_control_that_was_not_asked_of_a_host_where_it_passes_is_counted_aloud() -> None:
    found = again(run_of(without(result_of(AFTER), "EST-4")), AFTER)
    assert not found.wrong
    assert found.skipped == {"of EST-4 are not in the results of hosts that were collected": 1}


def test_a_control_that_was_not_asked_at_all_is_named() -> None:
    run = run_of(without(result_of(BEFORE), *IDS[1:]))
    found = again(replace(run, controls=run.controls[:1]), BEFORE)
    assert not found.wrong
    assert set(found.skipped) == {
        f"control was not evaluated in this run: {name}" for name in IDS[1:]
    }


def test_a_host_called_excluded_of_which_there_is_evidence_is_found() -> None:
    host = replace(result_of(BEFORE), state=HostState.EXCLUDED, reason="in the rack", controls=())
    (wrong,) = again(run_of(host), BEFORE).wrong
    assert wrong == "web1: is excluded in the results, yet there is evidence of it"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kernel": "6.12.0"}, "its facts are not those of the evidence"),
        ({"facts": {}}, "its facts are not those of the evidence"),
        ({"started": "2020-01-01T00:00:00Z"}, "when it was collected"),
        ({"finished": "2020-01-01T00:00:00Z"}, "when it was collected"),
        ({"reason": "all is well"}, "the reason for its state"),
        (
            {"state": HostState.UNREACHABLE},
            "is unreachable in the results, assessed in the evidence",
        ),
    ],
)
def test_what_is_said_of_a_host_is_held_against_its_evidence(
    fields: dict[str, object], says: str
) -> None:
    host = replace(result_of(AFTER), **fields)  # type: ignore[arg-type]
    assert says in again(run_of(host), AFTER).wrong[0]


def test_why_a_host_was_not_reached_is_held_against_the_evidence() -> None:
    host = replace(result_of(DOWN), reason="switched off on purpose")
    assert again(run_of(host), DOWN).wrong == [
        "down: the reason for its state is not what the evidence says"
    ]


def test_an_assessed_host_without_evidence_is_found() -> None:
    host = result_of(AFTER)
    errors = tuple(replace(one, verdict=Verdict.ERROR) for one in host.controls)
    assert "web1: is assessed in the results, without any evidence" in (
        again(run_of(replace(host, controls=errors))).wrong
    )


def waived(waiver: Waiver) -> Run:
    over = Waivers(matched([waiver], {"web1": ("ipvs",)}), date(2026, 11, 23))
    host = result_of(BEFORE)
    run = run_of(replace(host, controls=tuple(over.apply("web1", one) for one in host.controls)))
    return replace(run, waivers=over.uses(run.hosts, 14))


def test_what_became_of_a_waiver_is_held_against_the_results() -> None:
    run = waived(WAIVER)
    assert not again(run, BEFORE).wrong
    (account,) = run.waivers
    for said in (
        replace(account, state=WaiverState.EXPIRED),
        replace(account, found={"pass": 1}),
        replace(account, matched=3),
    ):
        (wrong,) = again(replace(run, waivers=(said,)), BEFORE).wrong
        assert wrong.startswith("waiver OPS-1 (w.yml:2): its state is")


def test_a_waiver_made_to_hold_longer_is_found_where_it_had_expired() -> None:
    run = waived(replace(WAIVER, expires="2026-11-01"))
    (account,) = run.waivers
    longer = replace(account, waiver=replace(account.waiver, expires="2027-01-01"))
    assert again(replace(run, waivers=(longer,)), BEFORE).wrong


@pytest.mark.parametrize("expires", ["2026-13-99", "2026-02-30"])
def test_a_waiver_that_cannot_be_read_is_named(expires: str) -> None:
    run = waived(WAIVER)
    (account,) = run.waivers
    spoilt = replace(account, waiver=replace(account.waiver, expires=expires))
    with pytest.raises(ReportError, match=r"results\.json: run\.started or run\.waivers"):
        again(replace(run, waivers=(spoilt,)), BEFORE)


def test_the_worst_recorded_host_is_what_these_tests_take_it_for() -> None:
    assert worst([one.verdict for one in result_of(BEFORE).controls]) is Verdict.FAIL
    assert {one.verdict for one in result_of(AFTER).controls} == {
        Verdict.PASS,
        Verdict.NOT_APPLICABLE,
    }


def test_a_run_that_refused_old_evidence_follows_from_it() -> None:
    policy = Policy(max_age_hours=168)
    run = replace(run_of(result_of(AFTER)), started="2099-01-01T00:00:00.000Z")
    run = replace(run, policy=policy.model_dump(mode="json"))
    passed = again(run, AFTER)
    assert f"web1 {IDS[0]}: verdict is 'pass', the evidence gives 'error'" in passed.wrong
    (host,) = run.hosts
    old = recent_enough(AFTER, policy, run.started)
    refused = tuple(judge(check(name), old, policy) for name in IDS)
    found = again(replace(run, hosts=(replace(host, controls=refused),)), AFTER)
    assert not found.wrong
    assert found.results == len(IDS)


def test_evidence_in_a_merged_run_is_as_old_as_it_was_for_the_run_of_its_shard() -> None:
    policy = Policy(max_age_hours=168)
    begun = "2099-01-05T00:00:00.000Z"
    old = recent_enough(AFTER, policy, begun)
    refused = tuple(judge(check(name), old, policy) for name in IDS)
    host = replace(result_of(AFTER), controls=refused)
    run = replace(run_of(host), policy=policy.model_dump(mode="json"))
    shard = MergedShard("1/1", "", 1, "a", begun, begun, "ci", "ctl", (), "0" * 64)
    assert not again(replace(run, started=AFTER.collection.started, merged=(shard,)), AFTER).wrong
    assert again(replace(run, started=AFTER.collection.started), AFTER).wrong
