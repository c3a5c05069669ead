"""What a series proves. A pass where the truth is a fail is the worst that could happen here."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ipvs_audit.snapshot.counters import LAG, Counts, Movement, Sample, Series

ZERO = Counts(0, 0, 0, 0, 0)
BIG = 2**64 - 1


def pkts(count: int) -> Counts:
    return Counts(count, count, count, 60 * count, 60 * count)


def series(*samples: tuple[float, int, int], cpus: int = 2) -> Series:
    """Of (time, packets counted raw, packets in the totals)."""
    return Series(1, tuple(
        Sample(at=at, raw=pkts(raw), total=pkts(total), cpus=cpus, tilde=pkts(total))
        for at, raw, total in samples
    ))  # fmt: skip


@pytest.mark.parametrize(("samples", "movement"), [
    ([(0, 5, 0), (2, 9, 0), (5.1, 12, 0)], Movement.FROZEN),
    ([(0, 5, 3), (2, 9, 3), (5.1, 9, 3)], Movement.FROZEN),
    ([(0, 5, 3), (2, 9, 3), (5.1, 12, 9)], Movement.RUNNING),
    ([(0, 5, 3), (2, 9, 5), (5.1, 12, 5)], Movement.RUNNING),
    ([(0, 5, 3), (2, 5, 5), (5.1, 5, 5)], Movement.RUNNING),
    ([(0, 5, 5), (2, 5, 5), (5.1, 5, 5)], Movement.NO_TRAFFIC),
    ([(0, 5, 5), (2, 5, 5), (5.1, 9, 5)], Movement.TOO_LATE),
    ([(0, 5, 5), (2.2, 9, 5), (5.1, 9, 5)], Movement.TOO_LATE),
    ([(0, 5, 5), (5.1, 9, 5)], Movement.TOO_LATE),
    ([(0, 5, 5), (2, 9, 0), (5.1, 12, 0)], Movement.WENT_DOWN),
    ([(0, 5, 5), (2, 9, 0), (5.1, 12, 3)], Movement.RUNNING),
    ([(0, 5, 5), (2, 9, 5), (5.1, 2, 5)], Movement.WENT_DOWN),
    ([(0, 5, 5)], Movement.TOO_FEW),
    ([], Movement.TOO_FEW),
    ([(0, 5, 5), (1, 9, 5), (2.9, 9, 5)], Movement.TOO_FEW),
    ([(5.1, 5, 5), (2, 9, 5), (0, 9, 5)], Movement.TOO_FEW),
    ([(0, 5, 5), (0, 9, 5), (5.1, 9, 5)], Movement.TOO_FEW),
])  # fmt: skip
def test_movement(samples: list[tuple[float, int, int]], movement: Movement) -> None:
    assert series(*samples).movement is movement


def test_a_wrap_at_64_bits_is_not_growth() -> None:
    assert series((0, BIG, 0), (2, 3, 0), (5.1, 9, 0)).movement is Movement.WENT_DOWN


WRAP = 2**32


@pytest.mark.parametrize(
    ("samples", "movement"),
    [
        # Estimation runs, and the sums wrap: they went down, as after ipvsadm -Z.
        ([(0, WRAP - 4, WRAP - 4), (2, 2, 2), (5.1, 9, 2)], Movement.WENT_DOWN),
        ([(0, WRAP - 4, WRAP - 6), (2, WRAP - 2, WRAP - 4), (5.1, 9, 5)], Movement.RUNNING),
        # Estimation is off, and the raw counters wrap.
        ([(0, WRAP - 4, 3), (2, 2, 3), (5.1, 9, 3)], Movement.WENT_DOWN),
        ([(0, WRAP - 4, 3), (2, WRAP - 2, 3), (5.1, 9, 3)], Movement.WENT_DOWN),
    ],
)
def test_a_wrap_at_32_bits_never_reads_frozen(
    samples: list[tuple[float, int, int]], movement: Movement
) -> None:
    assert series(*samples).movement is movement


@pytest.mark.parametrize("when", [0, 1, 2])
def test_a_row_that_disappears_with_its_cpu_proves_nothing_frozen(when: int) -> None:
    one = series((0, 5, 5), (2, 9, 5), (5.1, 12, 5))
    samples = list(one.samples)
    samples[when] = replace(samples[when], cpus=1, raw=pkts(3))
    assert replace(one, samples=tuple(samples)).movement is Movement.TOO_FEW


def test_another_number_of_cpus_proves_nothing_frozen() -> None:
    one = series((0, 5, 5), (2, 9, 5), (5.1, 12, 5))
    first, second, third = one.samples
    assert (
        replace(one, samples=(first, replace(second, cpus=3), third)).movement is Movement.TOO_FEW
    )


def test_growth_of_connections_alone_counts() -> None:
    one = series((0, 5, 5), (2, 5, 5), (5.1, 5, 5))
    first, *rest = one.samples
    grown = tuple(replace(sample, raw=replace(sample.raw, conns=6)) for sample in rest)
    assert replace(one, samples=(first, *grown)).movement is Movement.FROZEN


def test_the_other_account_of_the_totals_is_believed_too() -> None:
    one = series((0, 5, 5), (2, 9, 5), (5.1, 12, 5))
    first, second, third = one.samples
    moved = replace(third, tilde=pkts(6))
    assert replace(one, samples=(first, second, moved)).movement is Movement.RUNNING
    shrunk = replace(third, tilde=pkts(4))
    assert replace(one, samples=(first, second, shrunk)).movement is Movement.WENT_DOWN
    unknown = replace(third, tilde=None)
    assert replace(one, samples=(first, second, unknown)).movement is Movement.FROZEN


arrivals = st.lists(st.floats(-5, 8), max_size=30)
PERIOD = 2.0


def observed(
    times: list[float], packets: list[float], ticks: list[float], zeroed: float | None
) -> Series:
    """Samples of a kernel where packets come at some moments and the estimator runs at others.

    ipvsadm -Z sets a base that is subtracted from the totals.
    """

    def counted(until: float) -> int:
        return sum(1 for packet in packets if packet <= until)

    def summed(until: float) -> int:
        tick = max((tick for tick in ticks if tick <= until), default=None)
        return 0 if tick is None else counted(tick)

    def sample(at: float) -> Sample:
        base = 0 if zeroed is None or zeroed > at else summed(zeroed)
        total = pkts(summed(at) - base)
        return Sample(at=at, raw=pkts(counted(at)), total=total, cpus=2, tilde=total)

    return Series(1, tuple(map(sample, times)))


@given(
    packets=arrivals,
    phase=st.floats(0, PERIOD),
    late=st.lists(st.floats(0, 0.9), min_size=12, max_size=12),
    middle=st.floats(0.1, 5),
    # Zeroed between two samples, totals may come out alike by chance: EST-6 asks the switch too.
    zeroed=st.one_of(st.none(), st.floats(-2, 0, exclude_max=True)),
)
def test_what_runs_never_reads_frozen(
    packets: list[float], phase: float, late: list[float], middle: float, zeroed: float | None
) -> None:
    ticks = [-10 + phase + PERIOD * n + delay for n, delay in enumerate(late)]
    assume(all(b - a < LAG for a, b in pairwise(ticks)))
    assert observed([0, middle, 5.1], packets, ticks, zeroed).movement is not Movement.FROZEN


@given(packets=arrivals, middle=st.floats(0.1, 5), zeroed=st.one_of(st.none(), st.floats(-2, 7)))
def test_what_is_off_never_reads_running(
    packets: list[float], middle: float, zeroed: float | None
) -> None:
    ticks = [-3.0]
    assert observed([0, middle, 5.1], packets, ticks, zeroed).movement is not Movement.RUNNING


def test_growth_across_a_reload_of_the_module_proves_nothing_frozen() -> None:
    one = series((0, 5, 0), (2, 9, 0), (5.1, 12, 0))
    assert one.movement is Movement.FROZEN
    assert replace(one, same_module=False).movement is Movement.RELOADED


def test_samples_of_another_namespace_prove_nothing() -> None:
    for other in (series((0, 5, 0), (2, 9, 0), (5.1, 12, 0)), series((0, 5, 5), (5.1, 9, 9))):
        assert replace(other, moved=True).movement is Movement.MOVED


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 9), st.integers(0, 9)), max_size=5))
def test_frozen_always_means_that_no_total_moved(samples: list[tuple[float, int, int]]) -> None:
    one = series(*samples)
    if one.movement is Movement.FROZEN:
        assert len({sample.total for sample in one.samples}) == 1
        assert one.samples[-1].raw > one.samples[0].raw
        assert one.samples[-1].at - one.samples[0].at >= LAG
