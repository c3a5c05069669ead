"""Waivers set over a run's hosts: what each covers, and what became of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from ipvs_audit.inventory import InventoryError
from ipvs_audit.inventory.ansible_isolation import captured_output
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.model.waiver import Waiver, WaiverState, WaiverUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from ipvs_audit.model.results import HostResult


class Waivers:
    """The waivers of a run, matched against its hosts once."""

    def __init__(self, hosts: Mapping[Waiver, Iterable[str]], day: date, sha256: str = "") -> None:
        """Hold what is matched.

        Args:
            hosts: the names of the hosts that each waiver selects, waivers in the file's order: the
                first that holds is the one that covers.
            day: UTC day on which the run began.
            sha256: of the file.
        """
        self.sha256 = sha256
        self._day = day
        self._hosts = {waiver: frozenset(names) for waiver, names in hosts.items()}

    @classmethod
    def read(cls, path: Path | None, groups: Mapping[str, Sequence[str]], day: date) -> Waivers:
        """Read a file and match it; without a file there are no waivers.

        Args:
            path: the file.
            groups: inventory groups by the name of the host.
            day: UTC day on which the run began.

        Raises:
            WaiverError: naming file and line.
        """
        if path is None:
            return cls({}, day)
        from ipvs_audit.model.waiver_file import load_waivers  # noqa: PLC0415  # few runs have some

        waivers, sha256 = load_waivers(path)
        return cls(matched(waivers, groups), day, sha256)

    def apply(self, host: str, result: Result) -> Result:
        """The result, with the waiver that covers it where it is a raw fail."""
        if result.verdict is not Verdict.FAIL:
            return result
        for waiver, hosts in self._hosts.items():
            if waiver.control == result.control and host in hosts and waiver.holds(self._day):
                return replace(result, waiver=waiver.text)
        return result

    def uses(self, hosts: Sequence[HostResult], warning_days: int) -> tuple[WaiverUse, ...]:
        """What became of each waiver, in the file's order."""
        return tuple(
            self._one(waiver, [host for host in hosts if host.name in names], warning_days)
            for waiver, names in self._hosts.items()
        )

    def _one(self, waiver: Waiver, hosts: list[HostResult], warning_days: int) -> WaiverUse:
        results = [host.result(waiver.control) for host in hosts]
        found = Counter(result.verdict.value for result in results if result is not None)
        holds = waiver.holds(self._day)
        state = state_of(found, holds=holds)
        soon = holds and waiver.days_left(self._day) <= warning_days
        return WaiverUse(waiver, state, len(hosts), dict(sorted(found.items())), ends_soon=soon)


def state_of(found: Mapping[str, int], *, holds: bool) -> WaiverState:
    """What became of a waiver, from what its control came out as: raw verdict -> hosts."""
    if not holds:
        return WaiverState.EXPIRED
    if not found:
        return WaiverState.UNMATCHED
    return WaiverState.IN_FORCE if found.get("fail") else WaiverState.NOT_NEEDED


def matched(
    waivers: Sequence[Waiver], groups: Mapping[str, Sequence[str]]
) -> dict[Waiver, list[str]]:
    """The hosts that each waiver selects.

    Raises:
        WaiverError: for a pattern that is none, naming its file and line.
    """
    if not waivers:
        return {}
    from ipvs_audit.model.waiver_file import WaiverError  # noqa: PLC0415  # as above

    with captured_output():
        patterns = import_module("ipvs_audit.inventory.patterns").Patterns(groups)
    found = {}
    for waiver in waivers:
        try:
            with captured_output():
                found[waiver] = patterns.select(waiver.hosts)
        except InventoryError as wrong:
            raise WaiverError(f"{waiver.place}: hosts: {wrong}") from None
    return found
