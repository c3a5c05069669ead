"""IPVS counters, raw and estimated, and what their movement proves.

Raw counters are the per-CPU rows of ``/proc/net/ip_vs_stats_percpu``, incremented by the packet
path; totals are what the estimator last summed up (the ``~`` row there, and
``/proc/net/ip_vs_stats``). Source: net/netfilter/ipvs/ip_vs_ctl.c and ip_vs_est.c. All are 64 bits
wide since Linux 4.1; before, connections and packets were 32.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from itertools import pairwise

from ipvs_audit.snapshot.errors import GarbledEvidenceError
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
        tilde: the estimator's sum once more, from the ``~`` row below the per-CPU rows. It differs
            from ``total`` by a tick in between, and before Linux 4.1 by what ``ipvsadm -Z`` took
            away; since then that is taken from both (``ip_vs_copy_stats``).
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
    WENT_DOWN = "went down"  # ipvsadm -Z, a counter that wrapped, or not the same counters any more
    RELOADED = "reloaded"  # ip_vs was taken out or loaded anew
    MOVED = "moved"  # the process through which they were read is in another namespace, or ended
    TOO_FEW = "too few"  # fewer than two samples, or too short a time
    GARBLED = "garbled"  # a line about them could not be read


@dataclass(frozen=True, slots=True)
class Switch:
    """The switch as it was read from within a namespace right after the last sample.

    Attributes:
        at: seconds of the host's uptime.
        raw: ``run_estimation`` as read; None where the namespace does not show it.
        est_cpulist: as read; None where there is none.
    """

    at: float
    raw: str | None
    est_cpulist: str | None


#: Seconds that the totals may lag behind the raw counters while estimation runs: the period of
#: 2 s (``IP_VS_EST_TICK``) and a second for the estimator's own run time.
LAG = 3.0


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one namespace, in order of time.

    Attributes:
        inode: the namespace's number.
        samples: the counters.
        switch: the switch after the last sample; None where it was not read.
        moved: the last sample may be of another namespace.
        same_module: whether ip_vs was the same module all the time; None where not known.
        garbled: why a line about this namespace could not be read; empty where all could.
    """

    inode: int
    samples: tuple[Sample, ...]
    switch: Switch | None = None
    moved: bool = False
    same_module: bool | None = None
    garbled: str = ""

    @property
    def movement(self) -> Movement:
        """What these samples prove, and no more.

        Totals that grew prove that the estimator ran, whatever else happened. Totals that stood
        still prove that it did not, if the raw counters grew at least :data:`LAG` before the last
        sample: then a tick came after the growth, and would have added it. That needs each
        sample's totals read before its raw counters, in which no packet of the totals is missing.
        Totals that ``ipvsadm -Z`` zeroes between two samples may stand still by chance, or because
        it runs again and again; that shows nowhere, so EST-6 asks the switch too.
        """
        steps = tuple(pairwise(self.samples))
        if self.garbled:
            return Movement.GARBLED
        if self.moved:
            return Movement.MOVED
        if not steps or any(later.at <= sooner.at for sooner, later in steps):
            return Movement.TOO_FEW
        if any(_grew(sums, others) for step in steps for sums, others in _totals(*step)):
            return Movement.RUNNING
        if self.same_module is False:
            return Movement.RELOADED
        went_down = any(
            _grew(after, before)
            for sooner, later in steps
            for before, after in ((sooner.raw, later.raw), *_totals(sooner, later))
        )
        return _of_still_totals(self.samples, went_down=went_down)


def _of_still_totals(samples: tuple[Sample, ...], *, went_down: bool) -> Movement:
    """What samples prove in which no total grew."""
    first, last = samples[0], samples[-1]
    if any(sample.cpus != first.cpus for sample in samples) or last.at - first.at < LAG:
        return Movement.TOO_FEW
    if went_down:
        return Movement.WENT_DOWN
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
_KEY = re.compile(r"([a-z_]{1,40})=([-0-9,]{0,4096})")
_VALUE = re.compile(r"-?[0-9]{1,10}")
_ABOUT = re.compile(r"switch|moved|[0-9]{1,20}")


def parse_counters(section: Section) -> Counters:
    """The series of every namespace that was sampled.

    A line is ``sample inode uptime cpus``, five sums of the per-CPU rows (decimal; the high and
    low 32 bits summed each by itself, ``high:low``, where the high ones are not 0), the five hex
    numbers of ``ip_vs_stats``, and those of the ``~`` row, or ``=`` where they are the same. Others
    are ``switch inode uptime`` with ``key=value`` words or ``unread``, ``moved inode``, and
    ``module same`` or ``module changed``.

    A line that names its namespace and cannot be read spoils the series of that one alone.

    Raises:
        GarbledEvidenceError: the section is not whole, or a line does not say of which namespace it
            is.
    """
    found: dict[int, list[Sample]] = {}
    switches: dict[int, Switch] = {}
    moved: set[int] = set()
    garbled: dict[int, str] = {}
    same_module: bool | None = None
    for line in section.whole_lines():
        words = line.split(" ")
        if words in (["module", "same"], ["module", "changed"]) and same_module is None:
            same_module = words[1] == "same"
            continue
        if len(words) < 2 or not _ABOUT.fullmatch(words[0]):  # noqa: PLR2004
            raise section.garbled_line(line)
        inode = number(section, "a namespace", words[1])
        samples = found.setdefault(inode, [])
        try:
            if words[0] == "switch":
                if inode in switches:
                    raise section.garbled(f"the switch of namespace {inode} is a duplicate")
                switches[inode] = _switch(section, words)
            elif words == ["moved", words[1]]:
                moved.add(inode)
            elif sample := _sampled(section, line, words):
                samples.append(sample)
        except GarbledEvidenceError as error:
            garbled.setdefault(inode, error.reason)
    return {
        inode: Series(
            inode,
            tuple(samples),
            switches.get(inode),
            inode in moved,
            same_module,
            garbled.get(inode, ""),
        )
        for inode, samples in found.items()
    }


def _switch(section: Section, words: list[str]) -> Switch:
    if len(words) <= 3:  # noqa: PLR2004  # the word, the namespace, the time
        raise section.garbled(f"the switch of namespace {words[1]} is {' '.join(words[2:])!r}")
    at = decimal(section, "the uptime", words[2])
    if words[3:] == ["unread"]:
        return Switch(at, None, None)
    keys: dict[str, str] = {}
    for word in words[3:]:
        pair = _KEY.fullmatch(word)
        if pair is None or pair[1] in keys:
            raise section.garbled(f"{word[:60]!r} is not a key and its value")
        keys[pair[1]] = pair[2]
    raw = keys.get("run_estimation", "")
    if not _VALUE.fullmatch(raw):
        raise section.garbled(f"run_estimation is {raw[:40]!r}")
    return Switch(at, raw, keys.get("est_cpulist"))


def _sampled(section: Section, line: str, words: list[str]) -> Sample | None:
    unread = words[3:] == ["unread"]
    if not unread and len(words) not in (15, 19):
        raise section.garbled_line(line)
    at = decimal(section, "the uptime", words[2])
    return None if unread else _sample(section, at, words)


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
