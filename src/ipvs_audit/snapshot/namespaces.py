"""The network namespaces of a host: which there are, which hold IPVS rules, what each is set to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ipvs_audit.snapshot.section import Section, number

_LINE = re.compile(r"(host|netns) ([0-9]{1,20}) ((?:[a-z_]+=[^ ]* )*)name=(.*)", re.DOTALL)
_VALUE = re.compile(r"-?[0-9]{1,10}")
_KTHREAD = re.compile(r"ipvs-e:([0-9]+):[0-9]+")
_UNREAD = ("absent", "denied", "gone", "unentered")


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
        return None if self.raw is None else int(self.raw)

    @property
    def stopped(self) -> bool:
        """Whether an empty ``est_cpulist`` stops the estimator, whatever the switch reads."""
        return self.est_cpulist is not None and not self.est_cpulist.strip()

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


def parse_census(netns: Section, kthreads: tuple[str, ...] = ()) -> Census:
    """The namespaces.

    Args:
        netns: the section.
        kthreads: names of the estimator threads seen: each namespace that runs some gives them a
            number of its own, so that one which the census missed still shows.

    Raises:
        GarbledEvidenceError: the section is not whole, a line is not of its form, a namespace is
            there twice, or the host's own is missing.
    """
    hosts: list[Netns] = []
    others: list[Netns] = []
    gaps: list[str] = []
    for line in netns.whole_lines():
        if line.startswith("gap "):
            gaps.append(line[4:])
        elif (found := _LINE.fullmatch(line)) is None:
            raise netns.garbled(f"line {line[:60]!r} is not of its form")
        else:
            (hosts if found[1] == "host" else others).append(_namespace(netns, found))
    if len(hosts) != 1:
        raise netns.garbled(f"{len(hosts)} namespaces are marked as the host's own")
    inodes = [one.inode for one in (*hosts, *others)]
    if len(set(inodes)) != len(inodes):
        raise netns.garbled("a namespace is listed twice")
    running = {found[1] for name in kthreads if (found := _KTHREAD.fullmatch(name))}
    possible = [one for one in (*hosts, *others) if one.holds_rules is not False and one.value != 0]
    if len(running) > len(possible):
        gaps.append(
            f"estimator threads run for {len(running)} namespaces, of which the census saw"
            f" {len(possible)} that hold rules and have estimation on"
        )
    others.sort(key=lambda one: one.inode)
    return Census(hosts[0], tuple(others), complete=not gaps, gaps=tuple(gaps))


def _namespace(section: Section, found: re.Match[str]) -> Netns:
    words = dict(word.split("=", 1) for word in found[3].split(" ")[:-1])
    raw = words.pop("run_estimation", None)
    unread = words.pop("unread", "")
    if raw is not None and not _VALUE.fullmatch(raw):
        raise section.garbled(f"run_estimation of namespace {found[2]} is {raw[:40]!r}")
    if (raw is None) != (unread in _UNREAD) or (raw is not None and unread):
        raise section.garbled(f"namespace {found[2]} has neither a value nor a reason for none")
    return Netns(
        inode=int(found[2]),
        name=found[4],
        raw=raw,
        why_unread=unread,
        est_cpulist=words.pop("est_cpulist", None),
        services=_count(section, words.pop("services", "-")),
        destinations=_count(section, words.pop("destinations", "-")),
        other_switch=" ".join(f"{key}={value}" for key, value in words.items()),
    )


def _count(section: Section, text: str) -> int | None:
    return None if text == "-" else number(section, "a number of rules", text)
