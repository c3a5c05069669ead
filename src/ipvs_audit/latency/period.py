"""Do spikes come at the estimator's period? A test with a bound on its false alarms.

The estimator's timer is armed again at the end of each run, for 2 s later (``estimation_timer`` in
net/netfilter/ipvs/ip_vs_est.c, up to Linux 6.1). So a spike of height h that begins at t is
followed by one that begins between t + 2 s + h and a little later: the kernel's timer wheel rounds
up. A process that merely wakes every 2 s, or a divisor of it, does not wait for its own delay.

The test looks for the longest chain of spikes in which each follows the last in that window. For n
spikes thrown at random on a span T, the expected number of chains of m with exactly k ticks left
out is at most ::

    n (n-1) ... (n-m+1)  x  C(m-1, k) (w/T)^(m-1-k) (2w/T)^k  x  (1 - s (m-1+k) / T)

where w is the widest window and s the shortest step: each next spike must fall into a window of
its own, and the chain must have room. The chance that there is such a chain at all cannot be
greater (Markov). No table, no simulation; bench/period_test_accuracy.py holds it against simulated
traces.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import comb, perm
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipvs_audit.latency.spikes import Spike

#: Seconds between the end of a run of the estimator and the next (``2 * HZ``).
TICK = 2.0
#: Seconds by which the timer wheel may be late: one step of it. 80 ms at 100 HZ, 32 at 250, 64 at
#: 1000; 213 at 300 (kernel/time/timer.c), and what else keeps a softirq waiting.
WHEEL = 0.22
#: By which share of itself a spike's height may misjudge the run.
MISJUDGED = 0.25
#: Chance of a false alarm on spikes without any period, at most.
ALPHA = 0.001
#: Share of all spikes that must belong to the chain: more than a train of twice the pace can give.
SHARE = 2 / 3
#: Spikes that a chain needs, whatever the bound says.
FEWEST = 4
#: Seconds of trace below which there is no room for such a chain.
SHORTEST = FEWEST * (TICK + WHEEL)


@dataclass(frozen=True, slots=True)
class PeriodTest:
    """The chain that fits the estimator best.

    Attributes:
        estimator: whether the spikes come at the estimator's period.
        among: spikes that were looked at: those above ``above``.
        above: seconds above the median.
        period: seconds from one spike of the chain to the next, the median; None without a chain.
        members: spikes in the chain.
        missed: ticks of the estimator at which there was no spike, from the first sending to the
            last; those during which the controller was stalled do not count.
        chance: of a chain like this in spikes without a period, at most.
    """

    estimator: bool
    period: float | None
    members: int
    missed: int
    chance: float
    among: int = 0
    above: float = 0.0

    @property
    def likely(self) -> bool:
        """Whether a longer trace may show that it is the estimator: nothing to deny it by."""
        most = self.members > 1 and self.members >= SHARE * self.among
        return most or (self.members >= FEWEST and 2 * self.members > self.among)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A spike's beginning, and the seconds after which the estimator's next would begin."""

    at: float
    low: float
    high: float


def find_period(
    spikes: Sequence[Spike],
    *,
    span: float,
    interval: float,
    blind: Sequence[tuple[float, float]] = (),
    tries: int = 1,
) -> PeriodTest:
    """Test the spikes of a trace.

    Args:
        spikes: in order of time.
        span: seconds of the trace.
        interval: seconds between two sendings: how well a beginning is known.
        blind: start and end of times in which a spike would not have been seen.
        tries: how many such tests the trace gets in all.
    """
    best = PeriodTest(False, None, members=0, missed=0, chance=1.0, among=len(spikes))  # noqa: FBT003
    # No chain holds more than one spike per tick: many more spikes are no estimator's.
    if span < SHORTEST or not spikes or len(spikes) > (span / TICK + 1) / SHARE:
        return best
    candidates = [_candidate(spike, interval) for spike in spikes]
    most = max(1, int(span / TICK / 6))
    for gaps in range(most + 1):
        chain = _longest_chain(candidates, gaps)
        chance = min(1.0, tries * (most + 1) * _bound(candidates, len(chain), gaps, span))
        missed = _missed(chain, span - 2 * interval, blind)
        single = [after.at - before.at for before, after in pairwise(chain) if _next(before, after)]
        period_test = PeriodTest(
            estimator=chance <= ALPHA
            and len(chain) >= max(FEWEST, SHARE * len(spikes))
            and missed <= most,
            period=median(single) if single else None,
            members=len(chain),
            missed=missed,
            chance=chance,
            among=len(spikes),
        )
        if (period_test.estimator, period_test.members) > (best.estimator, best.members):
            best = period_test
    return best


def _candidate(spike: Spike, interval: float) -> _Candidate:
    slack = 2 * interval + MISJUDGED * spike.height
    run = TICK + spike.height
    return _Candidate(spike.at, run - slack, run + slack + WHEEL)


def _next(before: _Candidate, after: _Candidate) -> bool:
    """Whether one comes a single tick after the other, not two."""
    return after.at - before.at <= before.high


def _longest_chain(candidates: Sequence[_Candidate], gaps: int) -> list[_Candidate]:
    """The longest chain with at most so many single ticks left out."""
    ending: list[list[list[_Candidate]]] = []
    for here in candidates:
        chains = [[here] for _ in range(gaps + 1)]
        for before, so_far in zip(candidates, ending, strict=False):
            apart = here.at - before.at
            for ticks in (1, 2):
                if not ticks * before.low <= apart <= ticks * before.high:
                    continue
                for used in range(ticks - 1, gaps + 1):
                    longer = [*so_far[used - ticks + 1], here]
                    chains[used] = max(chains[used], longer, key=len)
        ending.append(chains)
    return max((chains[gaps] for chains in ending), key=len)


def _bound(candidates: Sequence[_Candidate], members: int, gaps: int, span: float) -> float:
    """The expected number of chains like that in random spikes (see above)."""
    share = max(beat.high - beat.low for beat in candidates) / span
    shortest = min(beat.low for beat in candidates)
    steps = members - 1
    return perm(len(candidates), members) * sum(
        comb(steps, k)
        * share ** (steps - k)
        * (2 * share) ** k
        * max(0.0, 1 - shortest * (steps + k) / span)
        for k in range(min(gaps, steps) + 1)
    )


def _missed(chain: Sequence[_Candidate], span: float, blind: Sequence[tuple[float, float]]) -> int:
    """Ticks without a spike: before the chain, in it, after it."""
    first, last = chain[0], chain[-1]
    ticks = [
        (first.at - count * first.high, first.at - count * first.low)
        for count in range(1, int(first.at / first.high) + 1)
    ]
    ticks += [
        (before.at + before.low, before.at + before.high)
        for before, after in pairwise(chain)
        if not _next(before, after)
    ]
    ticks += [
        (last.at + count * last.low, last.at + count * last.high)
        for count in range(1, int((span - last.at) / last.high) + 1)
    ]
    return sum(not any(start <= high and low <= end for start, end in blind) for low, high in ticks)
