"""The network namespaces of a host: which there are, which hold IPVS rules, what each is set to."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ipvs_audit.model.text import counted, some_of
from ipvs_audit.snapshot.errors import GarbledEvidenceError
from ipvs_audit.snapshot.section import Section, number, read_once

#: The name comes last, and begins at the first ``name=``: it may hold anything, for whoever made
#: the namespace chose it (a cgroup's name, a mount point, a process's name).
_LINE = re.compile(r"(host|netns) ([0-9]{1,20}) ((?:(?!name=)[a-z_]+=[^ ]* )*)name=(.*)", re.DOTALL)
_OTHER_SWITCHES = ("estimation_timer_work", "run_estimation_target")
_VALUE = re.compile(r"-?[0-9]{1,10}")
_KTHREAD = re.compile(r"ipvs-e:([0-9]+):[0-9]+")
#: The number in the threads' names of the first namespace that ip_vs set up, which is the initial
#: one, also after a reload: ``ipvs->gen`` in net/netfilter/ipvs/ip_vs_core.c counts from 0 over the
#: time that the module is loaded; later namespaces have larger ones (tests/lab/test_census.py).
_HOST_NUMBER = "0"
_MOST_NAMED = 5
_UNREAD = ("absent", "denied", "gone", "unentered")


@dataclass(frozen=True, slots=True)
class Netns:
    """One network namespace.

    Attributes:
        inode: its number, as in ``net:[4026531840]``; 0 where it could not be read.
        name: what an operator knows it by: ``host``, ``ip netns blue``, ``container 1f3c...``,
            ``pod 6f1c... (container 1f3c...)``, ``unit keepalived.service``, ``pid 812 (nginx)``,
            ``ip netns hid (mount namespace of pid 812, hid.service)``.
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


#: How the probe's line begins where it runs in another pid namespace than the machine's first.
_CONTAINER = "the probe ran inside a container"


@dataclass(frozen=True, slots=True)
class Census:
    """All network namespaces that the probe found.

    Attributes:
        host: the namespace that the probe ran in.
        others: every other one, by inode.
        complete: whether the probe could look at every process and mount, and into every namespace.
        gaps: why it is not complete, one sentence each.
        threads: names of the estimator's threads: each proves that an estimator runs.
        hidden: places that may keep a namespace and that the probe could not look into, such as a
            mount namespace without a process.
        garbled: why lines about other namespaces than the host's could not be read, a sentence
            each; what was read of these namespaces is left out.
    """

    host: Netns
    others: tuple[Netns, ...]
    complete: bool
    gaps: tuple[str, ...]
    threads: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    garbled: tuple[str, ...] = ()

    @property
    def container(self) -> str:
        """That the probe ran inside a container, in a sentence; empty where it ran outside of any.

        Its network namespace, its files and its process 1 are then not the machine's.
        """
        return next((gap for gap in self.gaps if gap.startswith(_CONTAINER)), "")

    @property
    def contradicting_threads(self) -> tuple[str, ...]:
        """Threads that run for the host's own namespace, although it reads as switched off."""
        if self.host.value != 0 and not self.host.stopped:
            return ()
        return tuple(name for name in self.threads if _number(name) == _HOST_NUMBER)

    @property
    def other_threads(self) -> tuple[str, ...]:
        """Threads that run for other namespaces than the host's."""
        return tuple(name for name in self.threads if _number(name) not in ("", _HOST_NUMBER))


def open_places(census: Census, *, estimating_only: bool) -> tuple[str, ...]:
    """Why the census may lack a namespace: its gaps, and the hidden places that nothing settles.

    Where the estimator runs in threads (Linux 6.2 and later; ``est_cpulist`` tells), those are all
    listed, wherever the namespace is kept: a hidden one that estimates has a thread that no
    namespace accounts for, which is a gap of its own.

    Args:
        census: the namespaces that were found.
        estimating_only: whether only a namespace that holds rules and estimates matters.
    """
    if estimating_only and census.host.est_cpulist is not None:
        return census.gaps
    return (*census.gaps, *census.hidden)


@read_once
def parse_census(netns: Section, kthreads: tuple[str, ...] = ()) -> Census:
    """The namespaces.

    Args:
        netns: the section.
        kthreads: names of the estimator threads seen: each namespace that runs some gives them a
            number of its own, so that one which the census missed still shows.

    Raises:
        GarbledEvidenceError: the section is not whole, or the host's own namespace is missing, not
            of its form, or there twice.
    """
    hosts: list[Netns] = []
    others: dict[int, Netns] = {}
    gaps: list[str] = []
    hidden: list[str] = []
    garbled: list[str] = []
    twice: set[int] = set()
    for line in netns.whole_lines():
        if line.startswith("gap "):
            gaps.append(line[4:])
        elif line.startswith("hidden "):
            hidden.append(line[7:])
        elif line.startswith("host "):
            hosts.append(_namespace(netns, line))
        else:
            try:
                one = _namespace(netns, line)
            except GarbledEvidenceError as error:
                garbled.append(error.reason)
                continue
            if one.inode in others:
                twice.add(one.inode)
            others[one.inode] = one
    if len(hosts) != 1:
        raise netns.garbled(f"{len(hosts)} namespaces are marked as the host's own")
    if hosts[0].inode in others:
        raise netns.garbled("the host's own namespace is listed twice")
    garbled += [f"{others.pop(inode).name} is listed twice" for inode in sorted(twice)]
    census = Census(
        hosts[0],
        tuple(others[inode] for inode in sorted(others)),
        complete=False,
        gaps=(),
        threads=kthreads,
        hidden=tuple(hidden),
        garbled=tuple(garbled),
    )
    gaps += [*_thread_gaps(census), *_unseen_gaps(census)]
    gaps += [f"evidence that could not be read: {why}" for why in garbled]
    return replace(census, complete=not gaps, gaps=tuple(gaps))


def _number(thread: str) -> str:
    found = _KTHREAD.fullmatch(thread)
    return found[1].lstrip("0") or _HOST_NUMBER if found else ""


def _thread_gaps(census: Census) -> list[str]:
    """Threads that no namespace accounts for: there is one that was not seen, or not as it is.

    A namespace that is gone accounts for none: its threads ended with it.
    """
    gaps = []
    if names := census.contradicting_threads:
        gaps.append(
            f"the host's namespace reads as switched off, but {some_of(names, _MOST_NAMED)} runs"
        )
    running = {_number(name) for name in census.other_threads}
    possible = [
        one
        for one in census.others
        if one.holds_rules is not False
        and one.value != 0
        and one.why_unread != "gone"
        and not one.stopped
    ]
    if len(running) > len(possible):
        gaps.append(
            f"estimator threads ({some_of(census.other_threads, _MOST_NAMED)}) run for"
            f" {counted(len(running), 'namespace')} other than the host's, of which the census saw"
            f" {len(possible)} that may hold rules and have estimation on (one whose"
            " rules were removed keeps its threads until its run_estimation is set to 0)"
        )
    return gaps


def _unseen_gaps(census: Census) -> list[str]:
    """Namespaces that are there and could not be inspected."""
    unseen = [
        one.name
        for one in census.others
        if one.holds_rules is None and one.why_unread in ("denied", "unentered")
    ]
    return [f"could not be inspected: {some_of(unseen, _MOST_NAMED)}"] if unseen else []


def _namespace(section: Section, line: str) -> Netns:
    found = _LINE.fullmatch(line)
    if found is None:
        raise section.garbled_line(line)
    pairs = [word.split("=", 1) for word in found[3].split(" ")[:-1]]
    words = dict(pairs)
    if len(words) != len(pairs):
        raise section.garbled(f"a duplicate word for namespace {found[2]}")
    raw = words.pop("run_estimation", None)
    unread = words.pop("unread", "")
    if raw is not None and not _VALUE.fullmatch(raw):
        raise section.garbled(f"run_estimation of namespace {found[2]} is {raw[:40]!r}")
    if (raw is None) != (unread in _UNREAD) or (raw is not None and unread):
        raise section.garbled(f"namespace {found[2]} has neither a value nor a reason for none")
    one = Netns(
        inode=int(found[2]),
        name=found[4],
        raw=raw,
        why_unread=unread,
        est_cpulist=words.pop("est_cpulist", None),
        services=_count(section, words.pop("services", "-")),
        destinations=_count(section, words.pop("destinations", "-")),
        other_switch=" ".join(f"{key}={value}" for key, value in words.items()),
    )
    if unknown := sorted(set(words) - set(_OTHER_SWITCHES)):
        raise section.garbled(f"a word for namespace {found[2]} is not known: {unknown[0][:40]!r}")
    return one


def _count(section: Section, text: str) -> int | None:
    return None if text == "-" else number(section, "a number of rules", text)
