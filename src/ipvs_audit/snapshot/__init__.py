"""What the probe brought from one host, kept raw and read by pure functions.

A snapshot stores the probe's sections as they came. Everything else (kernel, module, namespaces,
counters, configuration) is parsed from them on first use, so that saved evidence and live
evidence take the same way, and a better parser can read old evidence again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from ipvs_audit.snapshot.counters import Counters, parse_counters
from ipvs_audit.snapshot.errors import GarbledEvidenceError
from ipvs_audit.snapshot.host import Consumer, Host, Loaders, parse_consumers, parse_host, parse_loaders
from ipvs_audit.snapshot.kernel import Kernel, Module, parse_kernel, parse_module
from ipvs_audit.snapshot.namespaces import Census, parse_census
from ipvs_audit.verdicts import Evidence

__all__ = ["Failure", "GarbledEvidenceError", "Section", "Snapshot", "Taken"]


@dataclass(frozen=True, slots=True)
class Section:
    """One thing that the probe looked at.

    Attributes:
        name: e.g. ``netns``.
        command: what ran, as a person would type it.
        output: what it printed; bytes that are not UTF-8 stand as ``\\xNN``.
        status: exit status; None where the shell itself read a file.
        at: seconds of the host's uptime when it was taken.
    """

    name: str
    command: str
    output: str
    status: int | None
    at: float


@dataclass(frozen=True, slots=True)
class Taken:
    """How the evidence came here, by the controller's clock.

    Attributes:
        started, finished: UTC, ISO 8601 with milliseconds and ``Z``.
        via: e.g. ``ssh root@10.0.0.5:22``, ``local``.
        fingerprint: the host key that was verified, ``SHA256:...``; empty without SSH.
        probe: sha256 of the probe script, first 12 digits.
    """

    started: str
    finished: str
    via: str
    fingerprint: str
    probe: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A host that could not be collected. Data, not an exception: reports show it.

    Attributes:
        target: inventory name.
        kind: one of :data:`ipvs_audit.transport.FailureKind`.
        message: what happened, where, and the way out.
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
    taken: Taken
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

    @cached_property
    def host(self) -> Host:
        return parse_host(self.section("host"), self.section("identity"))
