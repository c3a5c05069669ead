"""EST-7 with a trace of the estimator's own runs: what it strengthens, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from made import LOADED, census, netns, verdict
from test_latency_verdicts import OFF, ON, PACED, RANDOM, STEADY, timed

from ipvs_audit.audit.latency import keep_earlier_traces
from ipvs_audit.latency.results import latency_of
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.snapshot import Section, Snapshot
from ipvs_audit.snapshot.estimator_runs import EstimatorRuns, refusal

if TYPE_CHECKING:
    from ipvs_audit.snapshot import Failure
    from ipvs_audit.snapshot.round_trips import RoundTrips

LONG = EstimatorRuns("timer", 7.1, (0.1, 0.09, 0.11), (0.1, 0.09, 0.11), kprobes="1", ftrace="1")
SHORT = replace(LONG, runs=(0.0001,) * 3, holds=(0.0001,) * 3)
MIDDLE = replace(LONG, runs=(0.003,) * 3, holds=(0.003,) * 3)
UNSEEN = replace(LONG, runs=(), holds=())
REFUSED = EstimatorRuns("none", 0.0, (), refused="only root may trace: ansible_become")
THREADS = EstimatorRuns("threads", 7.1, (0.01, 0.002))
WORK = replace(LONG, kind="work", symbol="ip_vs:estimation_work")
HELD = "the estimator's timer was seen to hold a CPU for 90 ms to 110 ms, 3 times in 7.1 s"
EVERY = {
    "long": LONG,
    "short": SHORT,
    "middle": MIDDLE,
    "unseen": UNSEEN,
    "refused": REFUSED,
    "threads": THREADS,
    "work": WORK,
    "idle work": replace(SHORT, kind="work"),
    "doubtful": replace(LONG, doubtful=True),
    "fewer": replace(SHORT, fewer=True),
    "once": replace(LONG, holds=(0.1, 0.0001), runs=(0.1, 0.0001)),
}
BLIND = census(netns(raw=None, why_unread="denied", services=None))
SLICED = census(netns(raw="1", services=8000, est_cpulist="0-63"))


def judged(
    trace: RoundTrips,
    estimator_runs: EstimatorRuns | None,
    policy: Policy | None = None,
    **parts: Any,
) -> Result:
    return verdict("EST-7", seen(trace, estimator_runs, **parts), policy)


def seen(trace: RoundTrips, estimator_runs: EstimatorRuns | None, **parts: Any) -> Snapshot:
    evidence = timed(trace, **parts)
    evidence.__dict__["estimator_runs"] = estimator_runs
    return evidence


@pytest.mark.parametrize("estimator_runs", EVERY.values(), ids=EVERY)
def test_a_trace_never_makes_a_verdict_milder(estimator_runs: EstimatorRuns) -> None:
    """A failure stays one; a pass becomes inconclusive at most."""
    for trace, rules in product((STEADY, PACED, RANDOM), (ON, OFF, BLIND, SLICED)):
        without, traced = (
            judged(trace, one, census=rules).verdict for one in (None, estimator_runs)
        )
        if without is not traced:
            assert (without, traced) == (Verdict.PASS, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("name", ["unseen", "refused"])
def test_what_was_not_seen_changes_no_verdict_and_is_said(name: str) -> None:
    for trace, rules in product((STEADY, PACED, RANDOM), (ON, OFF, BLIND, SLICED)):
        without, traced = (judged(trace, one, census=rules) for one in (None, EVERY[name]))
        assert traced.verdict is without.verdict
        assert traced.message.startswith(without.message)
        told = "proves nothing" if name == "unseen" else "only root may trace"
        assert told in traced.observed
        if traced.verdict is Verdict.FAIL:
            assert told in traced.message


def test_runs_as_long_as_the_delays_strengthen_the_attribution() -> None:
    message = judged(PACED, LONG).message
    assert message.startswith("consistent with the IPVS estimator, period 2.14 s, 6 of 6 delays")
    assert f"; {HELD}, as long as all delays" in message


def test_runs_of_another_length_are_not_said_to_be_the_delays() -> None:
    longer = replace(LONG, runs=(0.5, 0.5), holds=(0.5, 0.5))
    message = judged(PACED, longer).message
    assert "which is not as long as these delays are" in message


def test_runs_too_short_for_delays_contradict_the_attribution() -> None:
    found = judged(PACED, SHORT)
    assert found.verdict is Verdict.FAIL
    assert "consistent with" not in found.message
    assert "but the estimator's timer was seen to run 3 times in 7.1 s, for at most 0.1 ms" in (
        found.message
    )
    assert "not attributed" in found.message


@pytest.mark.parametrize("name", ["fewer", "once", "middle"])
def test_runs_that_may_not_be_all_contradict_nothing(name: str) -> None:
    found = judged(PACED, EVERY[name], Policy(latency_spike_ms=5))
    assert found.message.startswith("consistent with the IPVS estimator")


def test_a_timer_that_holds_a_cpu_is_not_said_to_be_innocent() -> None:
    found = judged(RANDOM, LONG)
    assert found.verdict is Verdict.FAIL
    assert "not the estimator" not in found.message
    assert HELD in found.message
    assert "it does stall this host, so switch estimation off" in found.message


def test_short_runs_say_why_other_delays_are_not_the_estimators() -> None:
    message = judged(RANDOM, SHORT).message
    assert "not caused by the estimator (the estimator's timer was seen to run 3 times" in message


@pytest.mark.parametrize("trace", [PACED, RANDOM])
def test_a_timer_at_work_contradicts_estimation_that_is_off(trace: RoundTrips) -> None:
    found = judged(trace, LONG, census=OFF)
    assert found.verdict is Verdict.FAIL
    assert HELD in found.message
    assert "although estimation is off according to the probe: look for a namespace" in (
        found.message
    )
    assert "not the estimator" not in found.message
    assert "contradicts what the probe read" in found.observed


def test_steady_round_trips_beside_a_held_cpu_are_inconclusive() -> None:
    few = census(netns(raw="1", services=3))
    assert judged(STEADY, None, census=few).verdict is Verdict.PASS
    found = judged(STEADY, LONG, census=few)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.message.startswith(f"steady, but {HELD}: these round trips may not have come by")
    off = judged(STEADY, LONG, census=OFF)
    assert off.verdict is Verdict.INCONCLUSIVE
    assert "although estimation is off according to the probe" in off.message


def test_short_runs_do_not_make_a_pass_of_what_the_exposure_says() -> None:
    assert judged(STEADY, SHORT).verdict is Verdict.INCONCLUSIVE


def test_the_timer_that_fires_with_estimation_off_is_no_contradiction() -> None:
    found = judged(STEADY, SHORT, census=OFF)
    assert found.verdict is Verdict.PASS
    assert "contradicts" not in found.observed
    assert "held a CPU 3 times in 7.1 s (0.3 ms in all): 0.1 ms, 0.1 ms, 0.1 ms" in found.observed
    working = judged(STEADY, MIDDLE, census=OFF)
    assert working.verdict is Verdict.PASS
    assert "contradicts" in working.observed


def test_one_long_run_among_short_ones_may_be_the_hypervisors() -> None:
    assert judged(STEADY, EVERY["once"], census=OFF).verdict is Verdict.PASS
    alone = replace(LONG, runs=(1.5,), holds=(1.5,))
    assert judged(STEADY, alone, census=OFF).verdict is Verdict.INCONCLUSIVE


def test_the_work_of_threads_is_shown_and_stalls_nobody() -> None:
    found = judged(PACED, THREADS, census=SLICED)
    assert "threads do its work in slices: not attributed" in found.message
    assert "2 threads took 12 ms of CPU time in 7.1 s: work in slices, which causes no stalls" in (
        found.observed
    )
    assert "contradicts" in judged(STEADY, THREADS, census=OFF).observed


@pytest.mark.parametrize(
    ("estimator_runs", "why"),
    [
        (replace(UNSEEN, kprobes="0"), "/sys/kernel/debug/kprobes/enabled is 0"),
        (replace(UNSEEN, ftrace="0"), "kernel.ftrace_enabled is 0"),
        (replace(UNSEEN, doubtful=True), "events were lost"),
        (replace(UNSEEN, kprobes="unknown"), "could not be read"),
        (UNSEEN, "switched on, but none came"),
        (replace(THREADS, runs=()), "no thread ipvs-e:* was there"),
        (replace(THREADS, runs=(), fewer=True), "could not be read, or they ended"),
    ],
)
def test_not_seen_is_not_did_not_run(estimator_runs: EstimatorRuns, why: str) -> None:
    observed = judged(STEADY, estimator_runs, census=OFF).observed
    assert "no run of the estimator was seen in 7.1 s, which proves nothing: " in observed
    assert why in observed


def test_what_stays_behind_is_said_whatever_the_verdict() -> None:
    left = replace(SHORT, left=("/sys/kernel/tracing/instances/x",), removed=("y",), other=("z",))
    observed = judged(STEADY, left, census=OFF).observed
    assert "left behind on the host by this trace or a dead one: /sys/kernel/tracing" in observed
    assert "removed what a dead trace had left: y" in observed
    assert "there is z of a trace in another namespace of process ids" in observed


def test_without_a_trace_nothing_is_said_of_one() -> None:
    assert "trace" not in judged(PACED, None).observed


def test_a_saved_trace_that_is_garbled_is_an_error() -> None:
    evidence = timed(STEADY, census=OFF)
    evidence.sections["latency.trace"] = Section("latency.trace", "", "no\nend\n", None, 1.0)  # type: ignore[index]
    assert verdict("EST-7", evidence).verdict is Verdict.ERROR
    assert latency_of(evidence, Policy()) == (None, None)


def test_the_numbers_for_reports_are_those_of_the_trace() -> None:
    now, _ = latency_of(seen(PACED, LONG), Policy())
    assert now is not None
    assert now.trace is not None
    assert (now.trace.runs, now.trace.longest, now.trace.total) == (3, 0.11, 0.3)
    assert (now.trace.whole, now.trace.unseen) == (True, "")
    refused, _ = latency_of(seen(PACED, REFUSED), Policy())
    assert refused is not None
    assert refused.trace is not None
    assert "only root may trace" in refused.trace.unseen
    bare, _ = latency_of(seen(PACED, None), Policy())
    assert bare is not None
    assert bare.trace is None


def test_the_trace_before_a_remedy_stays_beside_the_one_after() -> None:
    before, after = timed(PACED), timed(STEADY)
    before.sections["latency.trace"] = refusal("before")  # type: ignore[index]
    after = Snapshot(
        "web1", after.collection, {**after.sections, "latency.trace": refusal("after")}
    )
    collected: dict[str, Snapshot | Failure] = {"web1": after}
    keep_earlier_traces(collected, {"web1": before})
    now = collected["web1"]
    assert isinstance(now, Snapshot)
    assert now.estimator_runs is not None
    assert now.estimator_runs_before is not None
    assert (now.estimator_runs_before.refused, now.estimator_runs.refused) == ("before", "after")
    numbers, earlier = latency_of(now, Policy())
    assert numbers is not None
    assert numbers.trace is not None
    assert earlier is not None
    assert earlier.trace is not None
    assert earlier.trace.unseen.endswith("before")


BY_WORK = replace(LOADED, symbols=("estimation_work",))


def test_delayed_work_is_named_and_what_it_lets_run() -> None:
    found = judged(PACED, WORK, module=BY_WORK)
    assert found.verdict is Verdict.FAIL
    assert found.message.startswith("consistent with the IPVS estimator")
    assert "the estimator's delayed work was seen to hold a CPU for 90 ms" in found.message
    assert "(work generation)" in found.observed
    assert "softirqs still run" in found.observed
    assert "tasks waited meanwhile, softirqs ran" in found.observed


def test_echo_requests_are_answered_while_delayed_work_runs() -> None:
    """The kernel answers them in a softirq: their delays are somebody else's."""
    by_icmp = replace(PACED, via="icmp")
    found = judged(by_icmp, None, module=BY_WORK)
    assert found.verdict is Verdict.FAIL
    assert "not attributed" in found.message
    assert "--latency-via ssh" in found.message
    assert judged(by_icmp, None).message.startswith("consistent with the IPVS estimator")


def test_idle_delayed_work_of_a_host_with_estimation_off_contradicts_nothing() -> None:
    """With the key at 0 it still runs every 2 s, and does nothing."""
    idle = judged(STEADY, replace(SHORT, kind="work"), census=OFF, module=BY_WORK)
    assert idle.verdict is Verdict.PASS
    assert "contradicts" not in idle.observed


@pytest.mark.parametrize(
    ("symbol", "generation"),
    [
        ("ip_vs:estimation_work.isra.0", "work"),
        ("estimation_timer", "timer"),
        ("", "timer"),
    ],
)
def test_the_symbol_that_a_trace_found_tells_the_generation_although_it_was_refused(
    symbol: str, generation: str
) -> None:
    evidence = seen(STEADY, replace(REFUSED, symbol=symbol))
    assert evidence.exposure.generation == generation
