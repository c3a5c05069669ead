"""Percentiles, spikes and the estimator's period, on made-up traces."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from bench.synthetic_round_trips import at_random, estimator, periodic, resting, seen
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.latency.analysis import LatencyAnalysis, analyse, percentile
from ipvs_audit.latency.period import ALPHA, find_period
from ipvs_audit.latency.spikes import Spike
from ipvs_audit.snapshot.round_trips import RoundTrips


def rng(seed: int = 7) -> Random:
    return Random(seed)  # noqa: S311


def test_percentiles_are_nearest_rank() -> None:
    values = [float(one) for one in range(1, 1001)]
    assert percentile(values, 0.5) == 500
    assert percentile(values, 0.99) == 990
    assert percentile(values, 0.999) == 999
    assert percentile([], 0.5) is None


def test_a_stall_is_one_spike_that_begins_when_it_begins_and_is_as_high_as_it_is_long() -> None:
    found = analyse(seen([(3.0, 0.1), (7.0, 0.05)], rng()))
    assert [round(one.at, 2) for one in found.spikes] == [3.0, 7.0]
    assert [one.height for one in found.spikes] == pytest.approx([0.1, 0.05], abs=0.008)
    assert all(abs(one.width - one.height) < 0.03 for one in found.spikes)


def test_lost_answers_are_counted_and_not_taken_for_anything_else() -> None:
    found = analyse(RoundTrips("icmp", 0.02, (0.0, 0.02, 0.04), (0.001, None, 0.001), 2.0))
    assert (found.n, found.lost, found.spikes) == (3, 1, ())


def test_a_trace_of_nothing_has_no_numbers() -> None:
    found = analyse(RoundTrips("icmp", 0.02, (), (), 2.0))
    assert (found.n, found.p50, found.max, found.period_test.estimator) == (0, None, None, False)


def test_delays_that_the_controllers_own_stall_explains_are_left_out() -> None:
    trace = seen([(3.0, 0.1), (7.0, 0.1)], rng())
    found = analyse(replace(trace, stalls=((2.99, 0.12),)))
    assert [round(one.at) for one in found.spikes] == [7]
    assert 14 <= found.left_out <= 21
    assert found.stalled == pytest.approx(0.12)


def test_a_short_stall_of_the_controller_does_not_hide_a_long_one_of_the_host() -> None:
    trace = seen([(3.0, 0.1), (7.0, 0.1)], rng())
    found = analyse(replace(trace, stalls=((3.05, 0.01),)))
    assert [round(one.at) for one in found.spikes] == [3, 7]
    assert found.spikes[0].height == pytest.approx(0.09, abs=0.01)


def test_an_answer_that_never_came_is_lost_unless_the_controller_slept_all_the_while() -> None:
    trace = RoundTrips("icmp", 0.02, (0.0, 0.02, 0.04), (0.001, None, 0.001), 2.0, ((0.03, 0.005),))
    assert analyse(trace).lost == 1
    asleep = replace(trace, stalls=((0.0, 3.0),))
    assert (analyse(asleep).lost, analyse(asleep).left_out) == (0, 1)


def judged(stalls: list[tuple[float, float]], seed: int = 7) -> LatencyAnalysis:
    return analyse(seen(stalls, rng(seed)))


@pytest.mark.parametrize("height", [0.05, 0.1, 0.268])
@pytest.mark.parametrize("hz", [100, 250, 300, 1000])
def test_the_timer_is_recognised_whatever_its_kernel_counts_in(height: float, hz: int) -> None:
    found = judged(estimator(height, rng(), hz=hz))
    assert found.period_test.estimator
    assert found.period_test.members == len(found.spikes)
    assert found.period_test.period == pytest.approx(2 + height + 0.05, abs=0.2)


def test_a_tick_that_was_not_seen_does_not_hide_the_timer() -> None:
    stalls = estimator(0.1, rng())
    del stalls[2]
    found = judged(stalls)
    assert found.period_test.estimator
    assert found.period_test.missed == 1


def test_two_stalls_of_something_else_do_not_hide_the_timer() -> None:
    found = judged([*estimator(0.1, rng(3)), (1.0, 0.05), (8.1, 0.05)])
    assert found.period_test.estimator
    assert found.period_test.members == len(found.spikes) - 2


def test_a_restless_path_does_not_hide_the_timer() -> None:
    noise = at_random(12, rng(), heights=(0.02, 0.035))
    found = judged([*estimator(0.12, rng()), *noise])
    assert len(found.spikes) > 10
    assert found.period_test.estimator
    assert found.period_test.among < 8
    assert found.period_test.above in (0.04, 0.08)


@pytest.mark.parametrize("height", [0.03, 0.1, 0.2])
@pytest.mark.parametrize("period", [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
def test_what_wakes_by_the_clock_is_not_the_estimator(period: float, height: float) -> None:
    for seed in range(5):
        found = judged(periodic(period, height, rng(seed)), seed)
        assert len(found.spikes) >= 2
        assert not found.period_test.estimator


@pytest.mark.parametrize("height", [0.03, 0.1, 0.2])
@pytest.mark.parametrize("period", [0.5, 0.7, 1.0, 1.5, 2.5, 3.0, 4.0])
def test_what_sleeps_for_another_time_is_not_the_estimator(period: float, height: float) -> None:
    for seed in range(5):
        assert not judged(resting(period, height, rng(seed)), seed).period_test.estimator


@pytest.mark.parametrize("count", [3, 5, 6, 8, 15])
def test_stalls_at_random_are_not_the_estimator(count: int) -> None:
    for seed in range(20):
        assert not judged(at_random(count, rng(seed)), seed).period_test.estimator


def test_a_timer_that_ran_for_half_of_the_time_only_is_not_the_estimator() -> None:
    stalls = [one for one in estimator(0.1, rng()) if one[0] < 6]
    assert not judged(stalls).period_test.estimator


def test_spikes_without_end_are_looked_at_in_no_time() -> None:
    spikes = [Spike(0.11 * number, 0.1, 0.1) for number in range(100_000)]
    assert not find_period(spikes, span=11_000, interval=0.005).estimator


@given(st.lists(st.floats(0, 60), max_size=30), st.floats(0.005, 5), st.floats(0.1, 120))
def test_the_bound_is_a_probability_and_the_count_is_of_spikes(
    times: list[float], height: float, span: float
) -> None:
    spikes = [Spike(at, height, height) for at in sorted(times)]
    period_test = find_period(spikes, span=span, interval=0.005)
    assert 0 <= period_test.chance <= 1
    assert 0 <= period_test.members <= len(spikes)
    assert not period_test.estimator or period_test.chance <= ALPHA


def test_false_alarms_on_spikes_at_random_stay_below_what_is_promised() -> None:
    """The test itself on 20,000 sets of spikes, without traces around: 1 in 1,000 is promised."""
    chance, alarms = rng(11), 0
    for _ in range(20_000):
        count = chance.randint(4, 7)
        times = sorted(chance.uniform(0, 12) for _ in range(count))
        spikes = [Spike(at, 0.1, 0.1) for at in times]
        alarms += find_period(spikes, span=12, interval=0.005).estimator
    assert alarms <= 20
