"""IPVS counters, raw and estimated, and what their movement proves.

Raw counters are the per-CPU rows of ``/proc/net/ip_vs_stats_percpu``, incremented by the packet
path; totals are what the estimator last summed up (the ``~`` row there, and
``/proc/net/ip_vs_stats``). Source: net/netfilter/ipvs/ip_vs_ctl.c and ip_vs_est.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


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
        total: the estimator's sum.
        cpus: number of per-CPU rows.
    """

    at: float
    raw: Counts
    total: Counts
    cpus: int


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
        """What these samples prove, and no more."""
        raise NotImplementedError


Counters = Mapping[int, Series]
"""Series by namespace inode."""
