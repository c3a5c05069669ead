"""EST-7: what each kind of trace is called, and what it is not called."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from bench.synthetic_round_trips import at_random, estimator, periodic, seen
from made import LOADED, census, host, netns, snapshot, verdict

from ipvs_audit.latency.results import latency_of
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.snapshot import CollectionInfo, Snapshot
from ipvs_audit.snapshot.round_trips import RoundTrips, encode

RNG = 5
ON = census(netns(raw="1", services=8000))
OFF = census(netns(raw="0", services=8000))


def rng() -> Random:
    return Random(RNG)  # noqa: S311


STEADY = seen([], rng())
PACED = seen(estimator(0.1, rng()), rng())
RANDOM = seen(at_random(7, rng()), rng())


def judged(trace: RoundTrips | None, policy: Policy | None = None, **parts: Any) -> Result:
    return verdict("EST-7", timed(trace, **parts), policy)


def timed(trace: RoundTrips | None, **parts: Any) -> Snapshot:
    parts = {"census": ON, "host": host(possible="0-63")} | parts
    evidence = snapshot(**parts)
    if trace is not None:
        evidence.sections["latency"] = encode(trace, command="cat", at=1.0)  # type: ignore[index]
    return evidence


def test_steady_passes_with_estimation_off() -> None:
    found = judged(STEADY, census=OFF)
    assert found.verdict is Verdict.PASS
    assert "no delay" in found.observed
    assert (
        "8000 services and 8000 destinations x 64 possible CPUs = 1024000 reads" in found.observed
    )


def test_the_estimators_time_with_estimation_on_fails_and_is_attributed() -> None:
    found = judged(PACED)
    assert found.verdict is Verdict.FAIL
    assert found.message.startswith("consistent with the IPVS estimator, period 2.14 s, 6 of 6")
    assert "about 51 to 61 ms of a CPU in one go" in found.observed


def test_the_estimators_time_with_estimation_off_fails_and_is_not_attributed() -> None:
    found = judged(PACED, census=OFF)
    assert found.verdict is Verdict.FAIL
    assert "although estimation is off: not attributed" in found.message
    assert "consistent" not in found.message


def test_the_estimators_time_where_threads_do_its_work_is_not_attributed() -> None:
    kthreads = census(netns(raw="1", services=8000, est_cpulist="0-63"))
    found = judged(PACED, census=kthreads)
    assert found.verdict is Verdict.FAIL
    assert "threads do its work in slices: not attributed" in found.message
    assert "done in slices by threads" in found.observed


def test_a_kernel_without_the_switch_runs_the_estimator() -> None:
    legacy = census(netns(raw=None, why_unread="absent", services=8000))
    assert judged(PACED, census=legacy).message.startswith("consistent with the IPVS estimator")


def test_what_could_not_be_seen_is_said() -> None:
    blind = census(netns(raw=None, why_unread="denied", services=None))
    assert "whether estimation is on could not be seen" in judged(PACED, census=blind).message


@pytest.mark.parametrize("trace", [RANDOM, seen(periodic(0.7, 0.1, rng()), rng())])
@pytest.mark.parametrize("rules", [ON, OFF])
def test_other_delays_fail_and_say_where_to_look(trace: RoundTrips, rules: Any) -> None:
    found = judged(trace, census=rules)
    assert found.verdict is Verdict.FAIL
    assert "not caused by the estimator; look at what else stalls" in found.message
    assert "network diagnostics" in found.message


def test_several_namespaces_with_rules_are_mentioned_where_nothing_is_attributed() -> None:
    several = census(netns(raw="1"), netns(2, "blue", raw="1"))
    assert "2 namespaces hold IPVS rules" in judged(RANDOM, census=several).message


def test_delays_of_which_most_may_be_the_estimators_are_not_said_to_be_others() -> None:
    stalls = [*estimator(0.1, Random(8)), *at_random(4, Random(9))]  # noqa: S311
    found = judged(seen(stalls, rng()))
    assert found.verdict is Verdict.FAIL
    assert "not the estimator" not in found.message


def test_delays_too_few_for_the_test_say_measure_longer() -> None:
    stalls = estimator(0.6, Random(2))  # noqa: S311
    found = judged(seen(stalls, rng()))
    assert found.verdict is Verdict.FAIL
    assert "too few to tell; measure for longer" in found.message


def test_a_delay_or_two_are_steady_and_are_shown() -> None:
    found = judged(seen([(3.0, 0.1), (6.5, 0.05)], rng()), census=OFF)
    assert found.verdict is Verdict.PASS
    assert "2 delays, " in found.observed
    assert "in all: 3.00 s: " in found.observed
    strict = Policy(latency_spikes=0)
    assert judged(seen([(3.0, 0.1)], rng()), strict, census=OFF).verdict is Verdict.FAIL


def test_a_path_that_is_never_at_rest_is_not_one_delay_and_so_steady() -> None:
    restless = [(0.06 * number, 0.03) for number in range(200)]
    found = judged(seen(restless, rng()), census=OFF)
    assert found.verdict is Verdict.FAIL
    assert judged(seen([(4.0, 3.0)], rng()), census=OFF).verdict is Verdict.FAIL


def test_steady_where_the_exposure_says_it_cannot_be_is_inconclusive() -> None:
    found = judged(STEADY)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "takes a CPU for 51.2 ms every 2 s" in found.message


def test_steady_with_estimation_on_and_few_services_passes() -> None:
    assert judged(STEADY, census=census(netns(raw="1", services=3))).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("trace", "why"),
    [
        (RoundTrips("ssh", 0.005, STEADY.sent[:150], STEADY.rtt[:150], 5.0), "too few"),
        (RoundTrips("ssh", 0.005, STEADY.sent[:900], STEADY.rtt[:900], 5.0), "too short"),
        (replace(STEADY, stalls=((1.0, 3.0),)), "controller itself was stalled"),
        (replace(PACED, stalls=((1.0, 3.0),)), "controller itself was stalled"),
        (seen([], rng(), lost=0.2), "had no answer in time"),
        (seen(estimator(0.1, rng()), rng(), lost=0.2), "had no answer in time"),
    ],
)
def test_a_trace_that_carries_no_verdict_is_inconclusive(trace: RoundTrips, why: str) -> None:
    found = judged(trace)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert why in found.message


def test_a_measurement_that_ended_early_is_an_error_that_says_why() -> None:
    found = judged(replace(STEADY, ended="after 2 s: the connection ended"))
    assert found.verdict is Verdict.ERROR
    assert "after 2 s: the connection ended" in found.message
    none = RoundTrips("ssh", 0.005, (), (), 5.0, ended="web1: no answer")
    assert judged(none).verdict is Verdict.ERROR


def test_every_answer_lost_is_no_pass() -> None:
    mute = replace(STEADY, rtt=(None,) * len(STEADY.rtt))
    assert judged(mute).verdict is Verdict.INCONCLUSIVE


def test_a_host_that_was_not_measured_is_inconclusive() -> None:
    assert judged(None).verdict is Verdict.INCONCLUSIVE


def test_this_machine_cannot_be_measured_from_itself() -> None:
    evidence = timed(None)
    here = Snapshot("here", replace(evidence.collection, via="local"), {})
    assert verdict("EST-7", here).verdict is Verdict.NOT_APPLICABLE
    pod = Snapshot("pod", replace(evidence.collection, via="docker web"), {})
    assert verdict("EST-7", pod).verdict is Verdict.NOT_APPLICABLE


def test_garbled_traces_are_errors() -> None:
    evidence = timed(STEADY)
    section = evidence.sections["latency"]
    evidence.sections["latency"] = replace(section, output="nonsense\nend\n")  # type: ignore[index]
    assert verdict("EST-7", evidence).verdict is Verdict.ERROR
    assert latency_of(evidence, Policy()) == (None, None)


def test_a_policy_that_wants_estimation_on_hears_its_price() -> None:
    found = judged(PACED, Policy(estimation="enabled"))
    assert found.verdict is Verdict.FAIL
    assert found.message.endswith("the policy requires estimation, which causes them")


def test_without_the_module_nothing_is_attributed() -> None:
    found = judged(PACED, module=replace(LOADED, state="absent"))
    assert "although estimation is off" in found.message


def test_the_evidence_shows_the_head_of_a_trace_and_says_what_is_cut() -> None:
    (shown,) = judged(STEADY, census=OFF).evidence
    assert shown.output.startswith("form=trace 1\nvia=ssh\n")
    assert shown.cut > 1000


def test_the_numbers_for_reports_are_those_of_the_verdict() -> None:
    now, before = latency_of(timed(PACED), Policy())
    assert before is None
    assert now is not None
    assert (now.via, now.spikes, now.members, now.estimator) == ("ssh", 6, 6, True)
    assert now.period == pytest.approx(2.1, abs=0.1)
    assert latency_of(Snapshot("x", CollectionInfo("", "", "", "", ""), {}), Policy()) == (
        None,
        None,
    )
