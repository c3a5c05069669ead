"""What a report says of a host besides its verdicts: label and text, in the order to show."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ipvs_audit.model.text import counted, duration
from ipvs_audit.snapshot import Failure, GarbledEvidenceError, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable


#: Seconds by which a host's clock may differ before the report says so in words.
CLOCK_TOLERANCE = 2


def facts_of(evidence: Snapshot | Failure) -> dict[str, str]:
    """Facts of a collected host; of a failed one, what kind of failure it was.

    A fact that cannot be read is left out or shown as unreadable; it never raises.
    """
    if isinstance(evidence, Failure):
        return {"failure": evidence.kind}
    facts: dict[str, str] = {}
    for label, read in _FACTS.items():
        try:
            text = read(evidence)
        except GarbledEvidenceError as garbled:
            text = f"unreadable: {garbled.reason}"
        if text:
            facts[label] = sys.intern(text)  # as many hosts say
    return facts


def _audited(evidence: Snapshot) -> str:
    """Said where it is not the machine itself."""
    inside = ""
    with suppress(GarbledEvidenceError):  # "namespaces" says so
        inside = evidence.census.container
    return f"a container, not its host: {inside}" if inside else ""


def _reached(evidence: Snapshot) -> str:
    collection = evidence.collection
    if collection.imported:
        return f"{collection.via}; its address is not known"
    return ": ".join(filter(None, (collection.via, ", ".join(collection.openssh_for))))


def _host_key(evidence: Snapshot) -> str:
    return "not known" if evidence.collection.imported else evidence.collection.fingerprint


def _clock(evidence: Snapshot) -> str:
    collection, clock = evidence.collection, evidence.host.clock
    try:
        shown = datetime.fromtimestamp(clock, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # a host may tell any number
        return f"unreadable: {clock} s after 1970 is after the year 9999"
    if not (collection.started and collection.finished):
        return f"{shown}, by its own clock; when it was collected is not known"
    # The host's clock is whole seconds and was read somewhere between start and finish.
    start = datetime.fromisoformat(collection.started).timestamp()
    end = datetime.fromisoformat(collection.finished).timestamp()
    ahead = clock - end if clock > end else min(0.0, clock + 1 - start)
    if collection.imported:
        if abs(ahead) <= CLOCK_TOLERANCE:
            return f"{shown}, by its own clock; its difference from the controller's is not known"
        return f"{shown}, which is wrong: it is not between printing the probe and importing"
    if abs(ahead) <= CLOCK_TOLERANCE:
        return f"{shown}, agrees with the controller"
    side = "ahead of" if ahead > 0 else "behind"
    return f"{shown}, {duration(round(abs(ahead)))} {side} the controller"


def _module(evidence: Snapshot) -> str:
    words = {
        "loaded": "loaded as a module",
        "builtin": "built into the kernel",
        "available": "available, not loaded",
        "absent": "absent",
        "unknown": "not loaded; whether it is available could not be seen",
    }
    return words[evidence.module.state]


def _exposure(evidence: Snapshot) -> str:
    exposure = evidence.exposure
    if exposure.services is None:
        return ""
    cpus = exposure.possible_cpus or 0
    return (
        f"IPVS services: {exposure.services}, destinations: {exposure.destinations},"
        f" possible CPUs: {cpus}; {exposure.reads_per_tick} reads per 2 s tick"
        f" while estimation runs ({exposure.generation} generation){exposure.stall_text}"
    )


def _readers(evidence: Snapshot) -> str:
    readers = evidence.readers
    return "; ".join((*readers.texts, *readers.gaps))


_FACTS: dict[str, Callable[[Snapshot], str]] = {
    "kernel": lambda evidence: evidence.kernel.release,
    "architecture": lambda evidence: evidence.host.arch,
    "operating system": lambda evidence: evidence.host.os_name,
    "host name": lambda evidence: evidence.host.hostname,
    "ip_vs": _module,
    "exposure": _exposure,
    "statistics readers": _readers,
    "namespaces": lambda evidence: (
        counted(len(evidence.census.others) + 1, "network namespace")
        + ("" if evidence.census.complete else ", census incomplete")
    ),
    "audited": _audited,
    "reached": _reached,
    "host key": _host_key,
    "probed as": lambda evidence: evidence.account.user,
    "machine id": lambda evidence: evidence.host.machine_id,
    "boot id": lambda evidence: evidence.host.boot_id,
    "up for": lambda evidence: duration(evidence.host.uptime),
    "clock": _clock,
    "could not see": lambda evidence: "; ".join(evidence.account.blind),
    "probe": lambda evidence: (
        f"sha256 {evidence.collection.probe}"
        + (
            f", {duration(evidence.account.cpu_seconds)} of CPU on the host"
            if evidence.account.cpu_seconds is not None
            else ""
        )
    ),
}
