"""What a report says of a host beside its verdicts: label and text, in the order to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ipvs_audit.snapshot import Failure, GarbledEvidenceError, Snapshot
from ipvs_audit.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.snapshot.exposure import Exposure

#: Seconds by which a host's clock may differ before the report says so in words.
CLOCK_TOLERANCE = 2


def facts_of(taken: Snapshot | Failure) -> dict[str, str]:
    """Facts of a collected host; of a failed one, what kind of failure it was.

    A fact that cannot be read is left out or said to be unreadable; it never raises.
    """
    if isinstance(taken, Failure):
        return {"failure": taken.kind}
    facts: dict[str, str] = {}
    for label, read in _FACTS.items():
        try:
            text = read(taken)
        except GarbledEvidenceError as garbled:
            text = f"unreadable: {garbled.reason}"
        if text:
            facts[label] = text
    return facts


def _clock(taken: Snapshot) -> str:
    # The host's clock is whole seconds and was read somewhere between start and finish.
    start = datetime.fromisoformat(taken.taken.started).timestamp()
    end = datetime.fromisoformat(taken.taken.finished).timestamp()
    clock = taken.host.clock
    ahead = clock - end if clock > end else min(0.0, clock + 1 - start)
    shown = datetime.fromtimestamp(clock, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if abs(ahead) <= CLOCK_TOLERANCE:
        return f"{shown}, agrees with the controller"
    return f"{shown}, {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the controller"


def _module(taken: Snapshot) -> str:
    words = {
        "loaded": "loaded as a module",
        "builtin": "built into the kernel",
        "available": "available, not loaded",
        "absent": "absent",
        "unknown": "not loaded; whether it is available could not be seen",
    }
    return words[taken.module.state]


def _exposure(taken: Snapshot) -> str:
    exposure = taken.exposure
    if exposure.services is None:
        return ""
    cpus = exposure.possible_cpus or 0
    return (
        f"IPVS services: {exposure.services}, destinations: {exposure.destinations},"
        f" possible CPUs: {cpus}; {exposure.reads_per_tick} reads per 2 s tick"
        f" while estimation runs ({exposure.generation} generation){stall_words(exposure)}"
    )


def stall_words(exposure: Exposure) -> str:
    """How long one run of the estimator is likely to take a CPU for, as it follows the rest."""
    if exposure.generation == "kthread":
        return ", done in slices by threads"
    if exposure.stall is None or not exposure.stall[1]:
        return ""
    low, high = (1000 * each for each in exposure.stall)
    return f", about {low:.2g} to {high:.2g} ms of a CPU in one go"


def _consumers(taken: Snapshot) -> str:
    return "; ".join(
        f"{consumer.name} (pid {consumer.pid}): {consumer.detail}" for consumer in taken.consumers
    )


_FACTS: dict[str, Callable[[Snapshot], str]] = {
    "kernel": lambda taken: taken.kernel.release,
    "architecture": lambda taken: taken.kernel.arch,
    "operating system": lambda taken: taken.host.os_name,
    "host name": lambda taken: taken.host.hostname,
    "ip_vs": _module,
    "exposure": _exposure,
    "statistics consumers": _consumers,
    "namespaces": lambda taken: (
        counted(len(taken.census.others) + 1, "network namespace")
        + ("" if taken.census.complete else ", census incomplete")
    ),
    "reached": lambda taken: taken.taken.via,
    "host key": lambda taken: taken.taken.fingerprint,
    "probed as": lambda taken: taken.host.user,
    "machine id": lambda taken: taken.host.machine_id,
    "boot id": lambda taken: taken.host.boot_id,
    "up for": lambda taken: str(timedelta(seconds=int(taken.host.uptime))),
    "clock": _clock,
    "could not see": lambda taken: "; ".join(taken.host.blind),
    "probe": lambda taken: (
        f"sha256 {taken.taken.probe}"
        + (
            f", {1000 * taken.host.cpu_seconds:.0f} ms of CPU on the host"
            if taken.host.cpu_seconds is not None
            else ""
        )
    ),
}
