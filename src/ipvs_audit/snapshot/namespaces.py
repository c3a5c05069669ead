"""The network namespaces of a host: which there are, which hold IPVS rules, what each is set to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Netns:
    """One network namespace.

    Attributes:
        inode: its number, as in ``net:[4026531840]``; 0 where it could not be read.
        name: what an operator knows it by: ``host``, ``ip netns blue``, ``container 1f3c...``,
            ``pid 812 (nginx)``.
        raw: the value as read from ``run_estimation``, e.g. ``0``; None where not read.
        why_unread: why ``raw`` is None: ``absent`` (no such key here), ``denied``, ``gone`` (the
            namespace ended meanwhile), ``unentered`` (no rights to enter); empty otherwise.
        est_cpulist: kthread generation only; empty stops estimation; None where there is none.
        services: number of IPVS services; None where not read.
        destinations: number of IPVS destinations; None where not read.
        other_switch: another vendor's key found instead, e.g. ``estimation_timer_work=1``.
    """

    inode: int
    name: str
    raw: str | None
    why_unread: str
    est_cpulist: str | None
    services: int | None
    destinations: int | None
    other_switch: str = ""

    @property
    def value(self) -> int | None:
        """``run_estimation`` as a number: 0 is off, anything else on; None where not read."""
        raise NotImplementedError

    @property
    def holds_rules(self) -> bool | None:
        """Whether any IPVS service is configured here; None where it could not be seen."""
        return None if self.services is None else self.services > 0


@dataclass(frozen=True, slots=True)
class Census:
    """All network namespaces that the probe found.

    Attributes:
        host: the namespace that the probe ran in.
        others: every other one, by inode.
        complete: whether the probe could look at every process and mount.
        gaps: why it is not complete, one sentence each.
    """

    host: Netns
    others: tuple[Netns, ...]
    complete: bool
    gaps: tuple[str, ...]
