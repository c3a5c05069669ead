"""EST-7's period test on made-up traces: false alarms, and what it misses.

``python bench/period_test_accuracy.py [TRACES]`` prints the tables of docs/latency.md, "False
alarms and detection". The seed is fixed: the same tables come out each time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random

from ipvs_audit.latency.analysis import LatencyAnalysis, analyse
from synthetic_round_trips import Stall, at_random, estimator, periodic, resting, seen

SEED = 20261124
Make = Callable[[Random], list[Stall]]


def found(make: Make, traces: int, seed: int, **how: float) -> list[LatencyAnalysis]:
    """What the analysis finds in so many traces."""
    rng = Random(seed)  # noqa: S311  # a simulation
    return [analyse(seen(make(rng), rng, **how)) for _ in range(traces)]


def attributed(make: Make, traces: int, seed: int, **how: float) -> int:
    """How many of them are attributed to the estimator."""
    return sum(one.period_test.estimator for one in found(make, traces, seed, **how))


def restless(rng: Random) -> list[Stall]:
    """A path that is slow for 20 to 35 ms ten times by itself."""
    return at_random(10, rng, heights=(0.02, 0.035))


def main(traces: int) -> None:
    """Print the tables."""
    print(f"{traces} traces each, 12 s of a round trip every 5 ms unless said otherwise\n")
    print("| not the estimator | attributed |\n|---|---|")
    print(f"| steady, no stall | {attributed(lambda _: [], traces, SEED)} |")
    for low, high in ((2, 4), (5, 7), (8, 12), (13, 30)):
        many = attributed(
            lambda rng, low=low, high=high: at_random(rng.randint(low, high), rng), traces, SEED
        )
        print(f"| {low} to {high} stalls of 30 to 200 ms at random | {many} |")
    many = attributed(lambda rng: at_random(5, rng) + restless(rng), traces, SEED)
    print(f"| 5 of those on a path with ten of 20 to 35 ms more | {many} |")
    many = attributed(lambda rng: at_random(rng.randint(5, 7), rng), traces, SEED + 1, lost=0.02)
    print(f"| 5 to 7 at random, 2 % of answers lost | {many} |")
    few = max(1, traces // 10)
    print(f"\n{few} traces each\n")
    heights = (0.03, 0.1, 0.2, 0.4)
    top = " | ".join(f"{1000 * height:.0f} ms" for height in heights)
    for name, make in (("by the clock", periodic), ("resting", resting)):
        print(f"\n| period, {name} | {top} |\n|---|{'---|' * len(heights)}")
        for period in (0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0):
            cells = [
                attributed(lambda rng, p=period, h=height, m=make: m(p, h, rng), few, SEED)
                for height in heights
            ]
            print(f"| {period} s | {' | '.join(map(str, cells))} |")

    print("\n| the estimator's stall | 12 s | 2 random stalls beside | restless path | 24 s |")
    print("|---|---|---|---|---|")
    for height in (0.015, 0.02, 0.025, 0.03, 0.05, 0.1, 0.2, 0.3, 0.6):
        cells = [
            attributed(lambda rng, h=height: estimator(h, rng), few, SEED),
            attributed(lambda rng, h=height: estimator(h, rng) + at_random(2, rng), few, SEED),
            attributed(lambda rng, h=height: estimator(h, rng) + restless(rng), few, SEED),
            attributed(lambda rng, h=height: estimator(h, rng, span=24), few, SEED, span=24),
        ]
        shown = " | ".join(f"{100 * one / few:.0f} %" for one in cells)
        print(f"| {1000 * height:.0f} ms | {shown} |")
    print("\n| timer wheel | 100 ms stalls attributed |\n|---|---|")
    for hz in (100, 250, 300, 1000):
        many = attributed(lambda rng, hz=hz: estimator(0.1, rng, hz=hz), few, SEED)
        print(f"| {hz} HZ | {100 * many / few:.0f} % |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
