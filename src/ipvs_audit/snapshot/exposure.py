"""How much work estimation is, or would be, on a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ipvs_audit.snapshot.kernel import ESTIMATORS

if TYPE_CHECKING:
    from ipvs_audit.snapshot.estimator_runs import EstimatorRuns
    from ipvs_audit.snapshot.host import Host
    from ipvs_audit.snapshot.kernel import Module
    from ipvs_audit.snapshot.namespaces import Census


#: Nanoseconds that the timer takes for each service or destination and possible CPU: traces
#: published with the vendor's kernels give 52; see docs/latency.md for what the lab gives.
NS_A_READ = (50, 60)


Generation = Literal["none", "timer", "work", "kthread", "unknown"]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the estimator walks every 2 s.

    Attributes:
        services, destinations: over all namespaces seen; None where no namespace's rules were.
        possible_cpus: CPUs that it walks for each of them; None where not known.
        reads_per_tick: counters' rows that it reads: (services + destinations) x possible CPUs.
        generation: ``none`` (ip_vs without the switch), ``timer`` (in softirq: nothing else runs
            on that CPU meanwhile), ``work`` (delayed work: no task and no other work runs there,
            softirqs do), ``kthread`` (6.2 and later), ``unknown`` (nothing that was seen tells).
        stall: seconds, from and to, that one run of the estimator is likely to take a CPU for,
            by the published :data:`NS_A_READ`; each namespace has a timer of its own, so it is
            that of the largest. None where threads do it in slices, or where it is not known.
    """

    services: int | None
    destinations: int | None
    possible_cpus: int | None
    reads_per_tick: int | None
    generation: Generation
    stall: tuple[float, float] | None = None

    @property
    def stall_text(self) -> str:
        """For how long one run of the estimator is likely to hold a CPU, as a clause to append."""
        if self.generation == "kthread":
            return ", done in slices by threads"
        if self.stall is None or not self.stall[1]:
            return ""
        low, high = (1000 * each for each in self.stall)
        text = f", about {low:.2g} to {high:.2g} ms of a CPU in one go"
        return text + (", in which softirqs still run" if self.generation == "work" else "")


def exposure_of(
    host: Host, module: Module, census: Census, runs: EstimatorRuns | None = None
) -> Exposure:
    """The exposure, from what else is known."""
    seen = [one for one in (census.host, *census.others) if one.services is not None]
    services = sum(one.services or 0 for one in seen) if seen else None
    destinations = sum(one.destinations or 0 for one in seen) if seen else None
    reads = None
    if services is not None and destinations is not None and host.possible_cpus is not None:
        reads = (services + destinations) * host.possible_cpus
    generation = _generation(module, census, runs)
    stall = None
    if host.possible_cpus is not None and seen and generation in ("none", "timer", "work"):
        largest = max((one.services or 0) + (one.destinations or 0) for one in seen)
        low, high = (largest * host.possible_cpus * each / 1e9 for each in NS_A_READ)
        stall = (low, high)
    return Exposure(services, destinations, host.possible_cpus, reads, generation, stall)


def _generation(module: Module, census: Census, runs: EstimatorRuns | None) -> Generation:
    """By what the kernel shows: threads, keys, symbols; and else by its module file."""
    every = (census.host, *census.others)
    if module.kthreads or any(one.est_cpulist is not None for one in every):
        return "kthread"
    absent = module.loaded and census.host.why_unread == "absent"
    if absent or module.knows_switch is False:
        return "none"
    # Where a trace was asked for it may have found another function than the module's file names.
    found = runs.symbol.removeprefix("ip_vs:").partition(".")[0] if runs is not None else ""
    if found in ESTIMATORS:
        return ESTIMATORS[found]
    named = {ESTIMATORS[name] for name in module.symbols}
    return named.pop() if len(named) == 1 else "unknown"
