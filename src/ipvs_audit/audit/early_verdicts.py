"""Verdicts ahead of the tests: all checks of a host at once, as soon as its evidence is there.

A host's evidence is then taken apart only once, and whether it fails is known while others are
still being collected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.audit.host_facts import facts_of
from ipvs_audit.controls.control import control_of, judge_quietly
from ipvs_audit.controls.discovery import needs_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.audit.session import AuditSession
    from ipvs_audit.controls.control import Check
    from ipvs_audit.model.verdict import Result
    from ipvs_audit.snapshot import Failure, Snapshot


@dataclass(frozen=True, slots=True)
class _Judged:
    evidence: Snapshot | Failure
    results: dict[Check, Result | None]


class EarlyVerdicts:
    """The verdicts of the hosts that were judged, until their tests ask for them."""

    def __init__(self, audit: AuditSession, needed: Mapping[str, set[str]]) -> None:
        """Nothing is judged yet.

        Args:
            audit: the policies, the waivers, and where facts are kept.
            needed: the ids of the controls that are asked of each host; it may still grow.
        """
        self._audit = audit
        self._needed = needed
        self._checks: dict[Check, str] = {}
        self._hosts: dict[str, _Judged] = {}

    def add_check(self, check: Check | None) -> None:
        """A selected test asks this check."""
        control = control_of(check)
        if check is not None and control is not None and not needs_host(check):
            self._checks.setdefault(check, control.id)

    def fails(self, evidence: Snapshot | Failure) -> bool | None:
        """Whether a host that was collected fails a check; None where no check is known here."""
        if not self._checks:
            return None
        found = self._of(evidence.target, evidence).values()
        return any(one and one.verdict.bad and not one.waived for one in found)

    def result(self, host: str, check: Check, evidence: Snapshot | Failure) -> Result | None:
        """A check's verdict on a host, once; None where it breaks, prints or warns."""
        return self._of(host, evidence).pop(check, None)

    def judge(self, host: str, check: Check, evidence: Snapshot | Failure) -> Result | None:
        """The same of one check alone."""
        return self._judge(host, [check], evidence)[check]

    def _judge(
        self, host: str, checks: list[Check], evidence: Snapshot | Failure
    ) -> dict[Check, Result | None]:
        recent = self._audit.recent_enough(host, evidence)
        results = judge_quietly(checks, recent, self._audit.policies[host])
        waivers = self._audit.waivers
        return {
            check: result and waivers.apply(host, result)
            for check, result in zip(checks, results, strict=True)
        }

    def _of(self, host: str, evidence: Snapshot | Failure) -> dict[Check, Result | None]:
        """All verdicts on a host; evaluated again where its evidence has changed."""
        judged = self._hosts.get(host)
        if judged is None or judged.evidence is not evidence:
            # Taken apart in a copy, so that the evidence is kept only as it came.
            apart = replace(evidence)
            needed = self._needed[host]
            checks = [check for check, control in self._checks.items() if control in needed]
            found = self._judge(host, checks, apart)
            judged = self._hosts[host] = _Judged(evidence, found)
            self._audit.facts[host] = evidence, facts_of(apart)
        return judged.results
