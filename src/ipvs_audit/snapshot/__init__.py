"""What the probe brought from one host, kept raw and read by pure functions.

A snapshot stores the probe's sections as they came. Everything else (kernel, module, namespaces,
counters, configuration) is parsed from them on first use, so that saved and live evidence are
read alike, and a better parser can read old evidence again. Nothing here judges, and only ``store``
reads or writes files.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.model.clock import stamp
from ipvs_audit.model.verdict import Evidence
from ipvs_audit.snapshot import estimator_runs as estimator
from ipvs_audit.snapshot import round_trips
from ipvs_audit.snapshot.account import Account
from ipvs_audit.snapshot.boot_files import SECTION as LATE_WRITERS
from ipvs_audit.snapshot.boot_files import BootFiles, parse_boot_files
from ipvs_audit.snapshot.config_files import ConfigTree, parse_config_files
from ipvs_audit.snapshot.counters import Counters, parse_counters
from ipvs_audit.snapshot.errors import GarbledEvidenceError
from ipvs_audit.snapshot.exposure import Exposure, exposure_of
from ipvs_audit.snapshot.host import Host, Loaders, parse_loaders
from ipvs_audit.snapshot.host_answers import HostAnswers, parse_host_answers
from ipvs_audit.snapshot.kernel import Kernel, Module, parse_kernel, parse_module
from ipvs_audit.snapshot.namespaces import Census, parse_census
from ipvs_audit.snapshot.next_boot import NextBoot, parse_next_boot
from ipvs_audit.snapshot.programs import Programs, parse_programs
from ipvs_audit.snapshot.section import Section
from ipvs_audit.snapshot.statistics_readers import SECTION as READERS
from ipvs_audit.snapshot.statistics_readers import StatisticsReaders, parse_readers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "IMPORTED",
    "CollectionInfo",
    "Failure",
    "GarbledEvidenceError",
    "Section",
    "Snapshot",
]

#: Characters of a section's output that evidence shows; the snapshot keeps all.
EVIDENCE_LENGTH = 16 * 1024
#: How :attr:`CollectionInfo.via` begins where somebody else brought the evidence; a file's name
#: follows. No transport has such a name.
IMPORTED = "imported from "
#: Sections that are brought only where a run asks for them.
ON_REQUEST = frozenset({round_trips.SECTION, estimator.SECTION})
#: Characters of a trace of round trips that evidence shows: its numbers tell a person little.
TRACE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """How the evidence came here, by the controller's clock.

    Attributes:
        started, finished: UTC, ISO 8601 with milliseconds and ``Z``. Of imported evidence, by the
            host's own clock where that can be true; else when the probe was printed and imported.
        via: e.g. ``ssh root@10.0.0.5:22``, ``local``, ``imported from web1.txt``.
        fingerprint: the host key that was verified, ``SHA256:...``; empty without SSH.
        probe: sha256 of the probe script, first 12 digits.
        openssh_for: what paramiko cannot follow, so that OpenSSH's client took its place: keywords
            of ssh_config(5). Empty for every other host, also where OpenSSH was asked for.
    """

    started: str
    finished: str
    via: str
    fingerprint: str
    probe: str
    openssh_for: tuple[str, ...] = ()

    @property
    def imported(self) -> bool:
        """Whether somebody else ran the probe: address, host key and clock are then not known."""
        return self.via.startswith(IMPORTED)


@dataclass(frozen=True, slots=True)
class Failure:
    """A host that could not be collected. Data, not an exception: reports show it.

    Attributes:
        target: inventory name.
        kind: one of :data:`ipvs_audit.transport.FailureKind`.
        message: what happened, where, and what to do.
        started, finished: UTC, ISO 8601.
    """

    target: str
    kind: str
    message: str
    started: str
    finished: str


@dataclass(frozen=True)
class Snapshot:
    """The evidence of one host.

    Every property may raise :class:`GarbledEvidenceError`.
    """

    target: str
    collection: CollectionInfo
    sections: Mapping[str, Section] = field(repr=False)

    def section(self, name: str) -> Section:
        """The section of that name.

        Raises:
            GarbledEvidenceError: the probe brought no such section.
        """
        try:
            return self.sections[name]
        except KeyError:
            raise GarbledEvidenceError(name, "the probe did not bring it") from None

    def with_sections(self, *sections: Section) -> Snapshot:
        """The same with more sections, in the place of those of their names.

        They are dated like the last that was there: by it the time of all evidence is reckoned.
        """
        more = {one.name: replace(one, at=self._last) for one in sections}
        return replace(self, sections={**self.sections, **more}) if more else self

    @cached_property
    def host(self) -> Host:
        """Which machine and which boot this was."""
        return Host(self.section("host"))

    @cached_property
    def account(self) -> Account:
        """Whom the probe ran as."""
        return Account(self.section("identity"))

    @cached_property
    def kernel(self) -> Kernel:
        """Its kernel."""
        return parse_kernel(self.host)

    @cached_property
    def module(self) -> Module:
        """The state of ip_vs."""
        return parse_module(self.section("module"))

    @cached_property
    def next_boot(self) -> NextBoot:
        """What its next boot will find."""
        return parse_next_boot(self.section("next-boot"), self.kernel.release)

    @cached_property
    def loaders(self) -> Loaders:
        """What applies settings and loads modules there."""
        loaders = parse_loaders(self.section("loaders"))
        with suppress(GarbledEvidenceError):
            if self.census.container and not loaders.other_root:
                why = (
                    f"{self.census.container}; the files that it read need not be those that the"
                    " host boots with. Audit the host itself, from outside"
                )
                return replace(loaders, other_root=why)
        return loaders

    @cached_property
    def programs(self) -> Programs:
        """What hooks and udev rules name, and who else loads modules."""
        return parse_programs(self.sections)

    @cached_property
    def host_answers(self) -> HostAnswers:
        """What its own programs say that they would do."""
        return parse_host_answers(self.section("asked"))

    @cached_property
    def readers(self) -> StatisticsReaders:
        """Who reads IPVS statistics there, or may."""
        return parse_readers(self.section(READERS))

    @cached_property
    def census(self) -> Census:
        """Its network namespaces."""
        census = parse_census(self.section("netns"), self.module.kthreads)
        if census.host.raw is not None and not self.module.loaded:
            raise GarbledEvidenceError(
                "module", "it shows no loaded ip_vs, and run_estimation can be read"
            )
        return census

    @cached_property
    def counters(self) -> Counters:
        """By namespace inode; empty where nothing was sampled, as without rules."""
        return parse_counters(self.sections["counters"]) if "counters" in self.sections else {}

    @cached_property
    def config(self) -> ConfigTree:
        """The files that decide whether the value persists."""
        return parse_config_files(self.sections)

    @cached_property
    def boot_files(self) -> BootFiles:
        """What else sets the key, and the units that its loaders boot with."""
        return parse_boot_files(self.section(LATE_WRITERS))

    @cached_property
    def exposure(self) -> Exposure:
        """How much work estimation is there."""
        return exposure_of(self.host, self.module, self.census, self.estimator_runs)

    @cached_property
    def latency(self) -> round_trips.RoundTrips | None:
        """Round trips to it; None where they were not measured."""
        return self._trace(round_trips.SECTION)

    @cached_property
    def latency_before(self) -> round_trips.RoundTrips | None:
        """The same before remediation; None without it, or where nothing was measured."""
        return self._trace(round_trips.BEFORE)

    @cached_property
    def estimator_runs(self) -> estimator.EstimatorRuns | None:
        """The estimator's own runs; None where nobody asked for them."""
        return self._runs(estimator.SECTION)

    @cached_property
    def estimator_runs_before(self) -> estimator.EstimatorRuns | None:
        """The same before remediation."""
        return self._runs(estimator.BEFORE)

    def _runs(self, name: str) -> estimator.EstimatorRuns | None:
        return estimator.parse(self.sections[name]) if name in self.sections else None

    def _trace(self, name: str) -> round_trips.RoundTrips | None:
        return round_trips.decode(self.sections[name]) if name in self.sections else None

    def evidence(self, name: str) -> Evidence | None:
        """What a section shows, for people; None where the probe did not bring it.

        Its time is the controller's: the host's clock is not to be trusted.
        """
        if name not in self._shown and (section := self.sections.get(name)) is not None:
            most = (
                TRACE_LENGTH
                if name in (round_trips.SECTION, round_trips.BEFORE)
                else EVIDENCE_LENGTH
            )
            self._shown[name] = Evidence(
                section=name,
                output=section.output[:most],
                status=section.status,
                user=self._user,
                at=self._time_of(section),
                cut=max(0, len(section.output) - most),
            )
        return self._shown.get(name)

    @cached_property
    def _shown(self) -> dict[str, Evidence]:
        """Evidence made before: several controls show the same section."""
        return {}

    @cached_property
    def _user(self) -> str:
        try:
            return self.account.user
        except GarbledEvidenceError:
            return "unknown"

    @cached_property
    def _last(self) -> float:
        return max((one.at for one in self.sections.values()), default=0.0)

    def _time_of(self, section: Section) -> str:
        """When it was taken: as long before the end as the host's uptime says."""
        info = self.collection
        return _moment(info.started, info.finished, self._last - section.at)


# A host's sections are of a few moments.
@lru_cache(maxsize=256)
def _moment(started: str, finished: str, before: float) -> str:
    """When something was taken, that long before the end and not before the start."""
    try:
        begun, ended = datetime.fromisoformat(started), datetime.fromisoformat(finished)
        at = max(begun, ended - timedelta(seconds=before))
    except (ValueError, TypeError, OverflowError):
        return started
    return stamp(at)
