"""IPVS counters, raw and estimated, and what their movement proves.

Raw counters are the per-CPU rows of ``/proc/net/ip_vs_stats_percpu``, incremented by the packet
path; totals are what the estimator last summed up (the ``~`` row there, and
``/proc/net/ip_vs_stats``). Source: net/netfilter/ipvs/ip_vs_ctl.c and ip_vs_est.c.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from itertools import pairwise

from ipvs_audit.snapshot.section import Section, decimal, number


@dataclass(frozen=True, slots=True, order=True)
class Counts:
    """One row of counters: connections, packets and bytes, in and out."""

    conns: int
    in_pkts: int
    out_pkts: int
    in_bytes: int
    out_bytes: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters of one namespace at one moment.

    Attributes:
        at: seconds of the host's uptime when it was read.
        raw: sum over the per-CPU rows.
        total: the estimator's sum, from ``ip_vs_stats``, read before the rows.
        cpus: number of per-CPU rows.
        tilde: the estimator's sum once more, from the ``~`` row below the per-CPU rows. It may
            differ from ``total`` by what ``ipvsadm -Z`` took away, and by a tick in between.
    """

    at: float
    raw: Counts
    total: Counts
    cpus: int
    tilde: Counts | None = None


class Movement(Enum):
    """What a series of samples proves."""

    FROZEN = "frozen"  # raw counters grew, and the totals did not follow in more than a period
    RUNNING = "running"  # the totals grew
    NO_TRAFFIC = "no traffic"  # neither moved
    TOO_LATE = "too late"  # raw counters grew only in the last period: the totals had no time
    ZEROED = "zeroed"  # the totals went down: somebody ran ipvsadm -Z
    TOO_FEW = "too few"  # fewer than two samples, or too short a time


#: Seconds that the totals may lag behind the raw counters while estimation runs: the period of
#: 2 s (``IP_VS_EST_TICK``) and a second for the estimator's own run time.
LAG = 3.0


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one namespace, in order of time."""

    inode: int
    samples: tuple[Sample, ...]

    @property
    def movement(self) -> Movement:
        """What these samples prove, and no more.

        Totals that grew prove that the estimator ran, whatever else happened. Totals that stood
        still prove that it did not, if the raw counters grew at least :data:`LAG` before the last
        sample: then a tick came after the growth, and would have added it. That needs each
        sample's totals read before its raw counters, in which no packet of the totals is missing.
        """
        samples = self.samples
        steps = tuple(pairwise(samples))
        if not steps or any(later.at <= sooner.at for sooner, later in steps):
            return Movement.TOO_FEW
        if any(_grew(sums, others) for step in steps for sums, others in _totals(*step)):
            return Movement.RUNNING
        first, last = samples[0], samples[-1]
        if any(sample.cpus != first.cpus for sample in samples) or last.at - first.at < LAG:
            return Movement.TOO_FEW
        shrank = any(_grew(others, sums) for step in steps for sums, others in _totals(*step))
        if shrank or any(_grew(later.raw, sooner.raw) for sooner, later in steps):
            return Movement.ZEROED
        if any(_grew(first.raw, sample.raw) for sample in samples if last.at - sample.at >= LAG):
            return Movement.FROZEN
        return Movement.TOO_LATE if _grew(first.raw, last.raw) else Movement.NO_TRAFFIC


_COUNTED = tuple(each.name for each in fields(Counts))


def _grew(before: Counts, after: Counts) -> bool:
    """Whether any counter grew; they are compared one by one."""
    return any(getattr(after, name) > getattr(before, name) for name in _COUNTED)


def _totals(sooner: Sample, later: Sample) -> list[tuple[Counts, Counts]]:
    """Both accounts of the totals, before and after."""
    both = [(sooner.total, later.total)]
    if sooner.tilde is not None and later.tilde is not None:
        both.append((sooner.tilde, later.tilde))
    return both


Counters = Mapping[int, Series]
"""Series by namespace inode."""


_HEX = re.compile(r"[0-9A-F]{1,16}")
_HALVES = re.compile(r"(?:([0-9]{1,20}):)?([0-9]{1,20})")
_SUMS, _TOTALS, _TILDE = slice(4, 9), slice(9, 14), slice(14, None)


def parse_counters(section: Section) -> Counters:
    """The series of every namespace that was sampled.

    A line is ``sample inode uptime cpus``, five sums of the per-CPU rows (decimal; the high and
    low 32 bits summed each by itself, ``high:low``, where the high ones are not 0), the five hex
    numbers of ``ip_vs_stats``, and those of the ``~`` row, or ``=`` where they are the same.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line is not of its form.
    """
    found: dict[int, list[Sample]] = {}
    for line in section.whole_lines():
        words = line.split(" ")
        unread = words[3:] == ["unread"]
        if not unread and len(words) not in (15, 19):
            raise section.garbled(f"line {line[:60]!r} is not of its form")
        number(section, "the sample", words[0])
        series = found.setdefault(number(section, "a namespace", words[1]), [])
        at = decimal(section, "the uptime", words[2])
        if not unread:
            series.append(_sample(section, at, words))
    return {inode: Series(inode, tuple(series)) for inode, series in found.items()}


def _sample(section: Section, at: float, words: list[str]) -> Sample:
    raw = Counts(*(_sum(section, word) for word in words[_SUMS]))
    total = Counts(*(_hex(section, word) for word in words[_TOTALS]))
    rest = words[_TILDE]
    tilde = total if rest == ["="] else None
    if tilde is None:
        if len(rest) != len(words[_SUMS]):
            raise section.garbled(f"the ~ row is {rest!r}")
        tilde = Counts(*(_hex(section, word) for word in rest))
    cpus = number(section, "the number of CPU rows", words[3])
    return Sample(at=at, raw=raw, total=total, cpus=cpus, tilde=tilde)


def _hex(section: Section, word: str) -> int:
    if not _HEX.fullmatch(word):
        raise section.garbled(f"counter {word[:40]!r} is not a hex number")
    return int(word, 16)


def _sum(section: Section, word: str) -> int:
    halves = _HALVES.fullmatch(word)
    if halves is None:
        raise section.garbled(f"sum {word[:40]!r} is not a number")
    return (int(halves[1] or 0) << 32) + int(halves[2])
