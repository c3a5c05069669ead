"""The kernel: its release, its generation, and what is known of its ip_vs module."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ipvs_audit.snapshot.section import read_once

if TYPE_CHECKING:
    from ipvs_audit.snapshot.host import Host
    from ipvs_audit.snapshot.section import Section

_RELEASE = re.compile(r"[!-~]{1,128}")
_UPSTREAM = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){1,3}", re.ASCII)


State = Literal["loaded", "builtin", "available", "absent", "unknown"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel release, e.g. ``5.10.134-16.3.al8.x86_64``."""

    release: str


#: The functions that estimate, by generation: a timer (mainline up to 6.1), delayed work (the
#: vendor's 4.19, alibaba/cloud-kernel), threads (mainline from 6.2 on). Source: ip_vs_est.c.
ESTIMATORS: dict[str, Literal["timer", "work", "kthread"]] = {
    "estimation_timer": "timer",
    "estimation_work": "work",
    "ip_vs_estimation_kthread": "kthread",
}


@dataclass(frozen=True, slots=True)
class Module:
    """The state of ip_vs.

    Attributes:
        state: ``loaded`` (as a module), ``builtin``, ``available`` (a file for this kernel, not
            loaded), ``absent`` (neither), ``unknown`` (not loaded; /lib/modules not readable).
        file: the module file, or None.
        knows_switch: whether the module file holds the string ``run_estimation``: the switch's
            name; None where it was not read: of a loaded module only a file that is not the
            kernel's own is.
        refcount: users of the loaded module, -1 while it is removed; None where not loaded.
        softdep: the line of modules.softdep that gives ip_vs soft dependencies, with its number in
            front (``12:softdep ip_vs pre: nf_conntrack``); empty for none.
        livepatches: names of the live patches of the kernel that change ip_vs
            (/sys/kernel/livepatch/NAME/ip_vs).
        taint: what the kernel says of how the loaded module was built, e.g. ``OE``: out of tree,
            unsigned (Documentation/admin-guide/tainted-kernels.rst).
        kthreads: names of the estimator threads seen (``ipvs-e:0:0``), empty before Linux 6.2.
        symbols: which of :data:`ESTIMATORS` the module file names; empty where it was not read.
    """

    state: State
    file: str | None
    knows_switch: bool | None
    refcount: int | None
    kthreads: tuple[str, ...]
    softdep: str = ""
    livepatches: tuple[str, ...] = ()
    taint: str = ""
    symbols: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where ip_vs comes from, where it is not the kernel's own; empty where it is.

        depmod.d(5): modules in updates/, extra/ and weak-updates/ go before the kernel's own.
        """
        folder = re.search(r"/(updates|extra|weak-updates)/", self.file or "")
        if folder:
            return f"{self.file} is not the kernel's own module ({folder[1]}/)"
        return "the loaded ip_vs was built out of the kernel's tree" if "O" in self.taint else ""

    @property
    def loaded(self) -> bool:
        """Whether ip_vs runs, as a module or built in."""
        return self.state in ("loaded", "builtin")


def upstream_version(release: str) -> tuple[int, ...] | None:
    """The numbers that a release starts with; None where it does not start with two.

    >>> upstream_version("5.10.134-16.3.al8.aarch64")
    (5, 10, 134)
    """
    found = _UPSTREAM.match(release)
    return None if found is None else tuple(int(number) for number in found[0].split("."))


def parse_kernel(host: Host) -> Kernel:
    """The kernel's release.

    Raises:
        GarbledEvidenceError: there is none, or it holds more than printable ASCII.
    """
    if not _RELEASE.fullmatch(host.release):
        raise host.section.garbled(f"the kernel release is {host.release[:40]!r}")
    return Kernel(host.release)


#: What the probe says of ip_vs. Sources: kernel/module/sysfs.c (initstate, taint; refcnt, which is
#: -1 while a module is removed), ip_vs_est.c (the threads' names, which the kernel cuts).
_MODULE_LINE = re.compile(
    r"initstate=(live|coming|going|unknown)|refcnt=-?[0-9]{1,10}|taint=[A-Z]+|livepatch=.+"
    r"|exists=(/sys/module/ip_vs|/proc/net/ip_vs|/proc/sys/net/ipv4/vs)|monolithic=1|builtin=[01]"
    r"|tree=/.+|file=/.+|switch=(yes|no)|softdep=[0-9]+:softdep ip[_-]vs .+|kthread=ipvs-e:[0-9:]*"
    rf"|symbol=({'|'.join(ESTIMATORS)})"
)
_REPEATED = frozenset(("exists", "livepatch", "kthread", "symbol"))


@read_once
def parse_module(section: Section) -> Module:
    """The state of ip_vs.

    Raises:
        GarbledEvidenceError: a line is not of its form, or says again what only one can say.
    """
    for line in section.lines():
        if not _MODULE_LINE.fullmatch(line):
            raise section.garbled_line(line)
    facts = section.fields()
    for key, values in facts.items():
        if len(values) > 1 and key not in _REPEATED:
            raise section.garbled(f"{key} is a duplicate")
    refcount = facts.get("refcnt", ("",))[0]
    return Module(
        state=_state(facts),
        file=facts.get("file", (None,))[0],
        knows_switch={"yes": True, "no": False}.get(facts.get("switch", ("",))[0]),
        refcount=int(refcount) if refcount else None,
        kthreads=facts.get("kthread", ()),
        softdep=facts.get("softdep", ("",))[0],
        livepatches=facts.get("livepatch", ()),
        taint=facts.get("taint", ("",))[0],
        symbols=facts.get("symbol", ()),
    )


def _state(facts: dict[str, tuple[str, ...]]) -> State:
    """As the kernel shows it; what is said to be built in decides more than what is loaded.

    A module that was loaded has ``initstate`` in sysfs, a built-in one has not
    (kernel/module/sysfs.c). Where sysfs is hidden, ``/proc/net/ip_vs`` shows that it runs; then
    it counts as loaded, which asks more of the host than built in.
    """
    exists = facts.get("exists", ())
    if "initstate" in facts:
        return "loaded"
    if "1" in facts.get("builtin", ()) or "/sys/module/ip_vs" in exists:
        return "builtin"
    if exists:
        return "builtin" if "monolithic" in facts else "loaded"
    if "file" in facts:
        return "available"
    return "absent" if "tree" in facts or "monolithic" in facts else "unknown"
