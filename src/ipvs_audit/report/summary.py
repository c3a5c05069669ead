"""What a run says in a sentence, and the order in which reports list it: shared by all readers.

Every host of the inventory has one standing, so that the standings add up to the inventory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.text import counted
from ipvs_audit.model.verdict import Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.model.results import HostResult, Run


class Standing(StrEnum):
    """How a cell or a host stands, waivers counted. Worst first: the order of reports."""

    FAIL = "fail"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    WAIVED = "waived"
    PASS = "pass"  # noqa: S105  # a verdict, not a password
    NOT_APPLICABLE = "not_applicable"
    NOT_JUDGED = "not_judged"
    EXCLUDED = "excluded"

    @property
    def word(self) -> str:
        """As people read it: one of the five verdicts, waived fail, not judged or excluded."""
        return "waived fail" if self is Standing.WAIVED else self.value.replace("_", " ")


#: The controls that prove the policy together. A run that leaves one out proves less, and says so.
PROVING = ("EST-1", "EST-2", "EST-3", "EST-4", "EST-5", "EST-6")
_ORDER = {standing: place for place, standing in enumerate(Standing)}
_STANDING = {verdict: Standing(verdict.value) for verdict in Verdict}


def standing(result: Result | None) -> Standing:
    """How one control stands on one host; None stands for a control that was not judged."""
    if result is None:
        return Standing.NOT_JUDGED
    return Standing.WAIVED if result.waived else _STANDING[result.verdict]


def host_standing(host: HostResult) -> Standing:
    """The worst of a host's controls; a host with nothing but not applicable is that."""
    if host.state == "excluded":
        return Standing.EXCLUDED
    if not host.controls:
        return Standing.ERROR if host.state == "unreachable" else Standing.NOT_JUDGED
    return min(map(standing, host.controls), key=_ORDER.__getitem__)


def why_unjudged(host: HostResult) -> str:
    """Why a host has no verdict, in words."""
    if host.state == "excluded":
        return f"excluded: {host.reason}"
    return "not judged in this run"


def badness(host: HostResult) -> tuple[int, ...]:
    """Sorts hosts failing first, those with more failures before those with fewer."""
    found = [standing(result) for result in host.controls]
    return _ORDER[host_standing(host)], *(-found.count(one) for one in Standing)


def count_standings(hosts: Iterable[HostResult]) -> dict[Standing, int]:
    """How many hosts stand how; zero counts left out; they add up to the hosts given."""
    found = [host_standing(host) for host in hosts]
    return {one: count for one in Standing if (count := found.count(one))}


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict on the run.

    Attributes:
        standing: what it is, for shape and colour.
        claim: the sentence's first words, e.g. ``Not compliant``.
        rest: the sentence's other words, e.g. ``4 of 7 hosts fail ...``.
    """

    standing: Standing
    claim: str
    rest: str

    @property
    def sentence(self) -> str:
        """All of it."""
        return f"{self.claim}: {self.rest}"


def headline(run: Run) -> Headline:
    """The verdict on a run in one sentence, whose numbers add up to the inventory."""
    count = count_standings(run.hosts)
    total = len(run.hosts)
    if not total:
        return Headline(Standing.NOT_JUDGED, "Nothing audited", "the inventory names no host.")
    if Standing.FAIL in count:
        failing = count.pop(Standing.FAIL)
        lead = f"{failing:,} of {_hosts(total)} {_verb(failing, 'fails', 'fail')} the policy"
        return _headline(run, Standing.FAIL, "Not compliant", lead, count)
    for unproven in (Standing.ERROR, Standing.NOT_JUDGED, Standing.INCONCLUSIVE):
        if unproven in count:
            lead = f"no host fails the policy, but not every one of {_hosts(total)} is proven"
            return _headline(run, unproven, "Not proven", lead, count)
    if _unasked(run):
        lead = f"not all that the policy demands was asked of {_hosts(total)}"
        return _headline(run, Standing.NOT_JUDGED, "Not proven", lead, count)
    return _proven(run, count)


def _proven(run: Run, count: dict[Standing, int]) -> Headline:
    """The headline where all was asked, and nothing fails or is left open."""
    total = len(run.hosts)
    if Standing.WAIVED in count:
        lead = f"what fails on {_hosts(count.pop(Standing.WAIVED))} of {total:,} is waived"
        return _headline(run, Standing.WAIVED, "Compliant with waivers", lead, count)
    aside = sum(map(_only_measured, run.hosts))
    right = count.pop(Standing.PASS, 0) - aside
    if right:
        count[Standing.NOT_APPLICABLE] = count.get(Standing.NOT_APPLICABLE, 0) + aside
        count = {one: hosts for one, hosts in count.items() if hosts}
        scope = _all(total) if right == total else f"{right:,} of {_hosts(total)}"
        lead = f"IPVS estimation is {run.estimation}, proven on {scope}"
        return _headline(run, Standing.PASS, "Compliant", lead, count)
    count.pop(Standing.NOT_APPLICABLE, 0)
    lead = f"no check concerns any of {_hosts(total)}"
    if aside:
        lead = f"no check of estimation concerns any of {_hosts(total)}"
    return _headline(run, Standing.NOT_APPLICABLE, "Nothing to prove", lead, count)


def _only_measured(host: HostResult) -> bool:
    """Whether all that passes there is EST-7: steady round trips prove nothing of estimation."""
    passed = {one.control for one in host.controls if one.verdict is Verdict.PASS}
    return host_standing(host) is Standing.PASS and passed == {"EST-7"}


def _headline(
    run: Run, stands: Standing, claim: str, lead: str, rest: dict[Standing, int]
) -> Headline:
    others = [_CLAUSES[one](count) for one, count in rest.items()]
    sentence = f"{lead}; {_listed(others)}." if others else f"{lead}."
    sentence = " ".join((sentence, *_unasked(run), *_left_out(run)))
    if run.interrupted:
        return Headline(stands, f"Interrupted. {claim}", sentence)
    return Headline(stands, claim, sentence)


def _unasked(run: Run) -> list[str]:
    """What was not asked at all, or not of every host that was assessed; empty where all was."""
    asked = {about.id for about in run.controls}
    said = []
    if missing := [control for control in PROVING if control not in asked]:
        said.append(f"Not asked: {', '.join(missing)}.")
    if partly := sum(bool(host.controls) and len(host.controls) < len(asked) for host in run.hosts):
        said.append(f"Not every control was asked of {_hosts(partly)}.")
    return said


def _left_out(run: Run) -> list[str]:
    if not run.left_out:
        return []
    return [f"{_hosts(run.left_out)} of the inventory {_verb(run.left_out, 'is', 'are')} left out."]


_CLAUSES = {
    Standing.ERROR: lambda n: f"{n:,} could not be judged",
    Standing.INCONCLUSIVE: lambda n: f"{n:,} {_verb(n, 'is', 'are')} inconclusive",
    Standing.WAIVED: lambda n: f"{n:,} {_verb(n, 'fails', 'fail')} under a waiver",
    Standing.PASS: lambda n: f"{n:,} {_verb(n, 'passes', 'pass')}",
    Standing.NOT_APPLICABLE: lambda n: f"{n:,} {_verb(n, 'is', 'are')} not concerned",
    Standing.NOT_JUDGED: lambda n: f"{n:,} {_verb(n, 'was', 'were')} not judged",
    Standing.EXCLUDED: lambda n: f"{n:,} {_verb(n, 'is', 'are')} excluded",
}


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _hosts(count: int) -> str:
    return counted(count, "host")


def _all(count: int) -> str:
    return "the one host" if count == 1 else f"all {_hosts(count)}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def reconciliation(run: Run) -> str:
    """The sum that shows that no host is missing.

    ``7 hosts in the inventory = 6 assessed + 1 unreachable + 0 excluded``; what ``--limit`` and
    ``--shard`` leave out comes to it where they do.
    """
    parts = " + ".join(f"{count:,} {state}" for state, count in accounted(run).items())
    return f"{_hosts(run.whole)} in the inventory = {parts}"


def accounted(run: Run) -> dict[str, int]:
    """Where every host of the inventory went; they add up to it."""
    left_out = {"left out by --limit or --shard": run.left_out} if run.left_out else {}
    return run.states() | left_out


def collected(run: Run) -> tuple[str, str] | None:
    """When the first host was begun and the last was done with; None where none was collected.

    It is not when the run was, where saved evidence is judged again.
    """
    spans = [(host.started, host.finished) for host in run.hosts if host.started]
    if not spans:
        return None
    return min(start for start, _ in spans), max(end for _, end in spans)


def tally(run: Run) -> dict[Standing, int]:
    """Control results by standing, waived fails apart from the others; adds up to all results."""
    raw = run.verdicts()
    waived = raw["waived"]
    found = {Standing(verdict.value): raw[verdict.value] for verdict in Verdict}
    found[Standing.FAIL] -= waived
    found[Standing.WAIVED] = waived
    return {one: found[one] for one in Standing if one in found}


def remediation_lines(run: Run, name: str) -> list[str]:
    """``remediation: 2 remediated, 1 needs approval``; nothing in an audit.

    Where the run of that name may have changed something, also how to undo it.
    """
    found = [host.remedy.status for host in run.hosts if host.remedy is not None]
    if not found:
        return []
    each = ", ".join(
        f"{found.count(one):,} {one.word}" for one in RemediationStatus if one in found
    )
    undo = any(one.may_have_changed for one in found)
    return [f"remediation: {each}" + (f"; undo with: --rollback {name}" if undo else "")]


_MANY_GROUPS = 40
_TORN = 0.5  # groups for each host; above it, a partition says nothing
_FEW_HOSTS = 4


def grouped(hosts: Iterable[HostResult]) -> dict[str, list[HostResult]]:
    """Hosts by inventory group, each host once, failing first.

    A host in several groups stands under all their names together. Where that would tear the
    fleet to pieces, it stands under its first group; where that would too, all stand together.
    """
    ordered = sorted(hosts, key=badness)
    for key in (_all_groups, _first_group):
        parts: dict[str, list[HostResult]] = {}
        for host in ordered:
            parts.setdefault(key(host), []).append(host)
        if len(parts) <= min(max(_FEW_HOSTS, len(ordered) * _TORN), _MANY_GROUPS):
            return parts
    return {"all hosts": ordered}


def _all_groups(host: HostResult) -> str:
    return " + ".join(host.groups) or "ungrouped"


def _first_group(host: HostResult) -> str:
    return host.groups[0] if host.groups else "ungrouped"
