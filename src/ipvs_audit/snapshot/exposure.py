"""How much work estimation is, or would be, on a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ipvs_audit.snapshot.host import Host
    from ipvs_audit.snapshot.kernel import Module
    from ipvs_audit.snapshot.namespaces import Census


#: Nanoseconds that the timer takes for each service or destination and possible CPU: traces
#: published with the vendor's kernels give 52; see docs/latency.md for what the lab gives.
NS_A_READ = (50, 60)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the estimator walks every 2 s.

    Attributes:
        services, destinations: over all namespaces seen; None where no namespace's rules were.
        possible_cpus: CPUs that it walks for each of them; None where not known.
        reads_per_tick: counters' rows that it reads: (services + destinations) x possible CPUs.
        generation: ``none`` (ip_vs without the switch), ``timer`` (in softirq: nothing else runs
            on that CPU meanwhile), ``kthread`` (6.2 and later), ``unknown`` (ip_vs not loaded,
            or its keys not visible).
        stall: seconds, from and to, that one run of the estimator is likely to take a CPU for,
            by the published :data:`NS_A_READ`; each namespace has a timer of its own, so it is
            that of the largest. None where threads do it in slices, or the reads are not known.
    """

    services: int | None
    destinations: int | None
    possible_cpus: int | None
    reads_per_tick: int | None
    generation: Literal["none", "timer", "kthread", "unknown"]
    stall: tuple[float, float] | None = None

    @property
    def stall_text(self) -> str:
        """For how long one run of the estimator is likely to hold a CPU, as a clause to append."""
        if self.generation == "kthread":
            return ", done in slices by threads"
        if self.stall is None or not self.stall[1]:
            return ""
        low, high = (1000 * each for each in self.stall)
        return f", about {low:.2g} to {high:.2g} ms of a CPU in one go"


def exposure_of(host: Host, module: Module, census: Census) -> Exposure:
    """The exposure, from what else is known."""
    seen = [one for one in (census.host, *census.others) if one.services is not None]
    services = sum(one.services or 0 for one in seen) if seen else None
    destinations = sum(one.destinations or 0 for one in seen) if seen else None
    reads = None
    if services is not None and destinations is not None and host.possible_cpus is not None:
        reads = (services + destinations) * host.possible_cpus
    generation = _generation(module, census)
    stall = None
    if host.possible_cpus is not None and seen and generation in ("none", "timer"):
        largest = max((one.services or 0) + (one.destinations or 0) for one in seen)
        low, high = (largest * host.possible_cpus * each / 1e9 for each in NS_A_READ)
        stall = (low, high)
    return Exposure(services, destinations, host.possible_cpus, reads, generation, stall)


def _generation(module: Module, census: Census) -> Literal["none", "timer", "kthread", "unknown"]:
    every = (census.host, *census.others)
    if module.kthreads or any(one.est_cpulist is not None for one in every):
        return "kthread"
    if any(one.raw is not None for one in every):
        return "timer"
    absent = module.loaded and census.host.why_unread == "absent"
    return "none" if absent or module.knows_switch is False else "unknown"
