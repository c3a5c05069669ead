"""What a run says in a sentence, and the order in which reports list it: shared by all readers.

Every host of the inventory has one status, so that the statuses add up to the inventory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.results import HostState
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted
from ipvs_audit.model.verdict import Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.model.results import HostResult, Run


class Status(StrEnum):
    """Of a control on a host, or of a host, waivers counted; worst first, as reports list them."""

    FAIL = "fail"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    WAIVED = "waived"
    PASS = "pass"  # noqa: S105  # a verdict, not a password
    NOT_APPLICABLE = "not_applicable"
    NOT_EVALUATED = "not_evaluated"
    NOT_SELECTED = "not_selected"
    EXCLUDED = "excluded"

    @property
    def word(self) -> str:
        """As people read it, e.g. ``waived fail``, ``not selected``."""
        return "waived fail" if self is Status.WAIVED else self.value.replace("_", " ")


#: Statuses of hosts with nothing to report.
QUIET = frozenset({Status.PASS, Status.NOT_APPLICABLE, Status.NOT_SELECTED, Status.EXCLUDED})
#: What keeps a run without a fail from being complete, worst first.
_OPEN = (Status.ERROR, Status.NOT_EVALUATED, Status.INCONCLUSIVE, Status.NOT_SELECTED)
_DATE = len("2026-11-23")
_ORDER = {status_of: place for place, status_of in enumerate(Status)}
_OF_VERDICT = {verdict: Status(verdict.value) for verdict in Verdict}


def status_of(result: Result | None) -> Status:
    """The status of one control on one host; None is a control that was not evaluated."""
    if result is None:
        return Status.NOT_EVALUATED
    return Status.WAIVED if result.waived else _OF_VERDICT[result.verdict]


def host_status(host: HostResult) -> Status:
    """The worst of a host's controls; a host with nothing but not applicable is that."""
    if not host.contacted:
        return Status(host.state.value)
    if not host.controls:
        return Status.ERROR if host.state == "unreachable" else Status.NOT_EVALUATED
    return min(map(status_of, host.controls), key=_ORDER.__getitem__)


def why_not_evaluated(host: HostResult) -> str:
    """Why a host has no verdict, in words."""
    if not host.contacted:
        return f"{host.state.word}: {host.reason}"
    return "not evaluated in this run"


def worst_first(host: HostResult) -> tuple[int, ...]:
    """Sorts hosts failing first, those with more failures before those with fewer."""
    found = [status_of(result) for result in host.controls]
    return _ORDER[host_status(host)], *(-found.count(one) for one in Status)


def count_statuses(hosts: Iterable[HostResult]) -> dict[Status, int]:
    """How many hosts have which status; zero counts left out; they add up to the hosts given."""
    found = [host_status(host) for host in hosts]
    return {one: count for one in Status if (count := found.count(one))}


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict on the run.

    Attributes:
        status: what it is, for shape and colour.
        claim: the sentence's first words, e.g. ``Not compliant``.
        rest: the sentence's other words, e.g. ``4 of 7 hosts fail ...``.
    """

    status: Status
    claim: str
    rest: str

    @property
    def sentence(self) -> str:
        """All of it."""
        return f"{self.claim}: {self.rest}"


def headline(run: Run) -> Headline:
    """The verdict on a run in one sentence, whose numbers add up to the inventory."""
    count = count_statuses(run.hosts)
    total = len(run.hosts)
    if not total:
        return Headline(Status.NOT_EVALUATED, "Not evaluated", "the inventory has no hosts.")
    if Status.FAIL in count:
        failing = count.pop(Status.FAIL)
        lead = f"{failing:,} of {_hosts(total)} {_verb(failing, 'fails', 'fail')} the policy"
        return _headline(run, Status.FAIL, "Not compliant", lead, count)
    for open_ in _OPEN:
        if open_ in count:
            number = count.pop(open_)
            lead = _CLAUSES[open_](number).replace(
                f"{number:,}", f"{number:,} of {_hosts(total)}", 1
            )
            return _headline(run, open_, "Incomplete", lead, count)
    if _not_evaluated(run):
        lead = f"not every required control was evaluated on {_hosts(total)}"
        return _headline(run, Status.NOT_EVALUATED, "Incomplete", lead, count)
    return _proven(run, count)


def _proven(run: Run, count: dict[Status, int]) -> Headline:
    """The headline where all was evaluated, and nothing fails or is left open."""
    total = len(run.hosts)
    if Status.WAIVED in count:
        waived = count.pop(Status.WAIVED)
        lead = f"{waived:,} of {_hosts(total)} {_verb(waived, 'fails', 'fail')} under a waiver"
        return _headline(run, Status.WAIVED, "Compliant with waivers", lead, count)
    proven = [host for host in run.hosts if _is_proven(run, host)]
    passing = len(proven)
    aside = count.pop(Status.PASS, 0) - passing
    if passing:
        count[Status.NOT_APPLICABLE] = count.get(Status.NOT_APPLICABLE, 0) + aside
        count = {one: hosts for one, hosts in count.items() if hosts}
        scope = _all(total) if passing == total else f"{passing:,} of {_hosts(total)}"
        lead = f"IPVS estimation is {_direction(run, proven)}, proven on {scope}"
        return _headline(run, Status.PASS, "Compliant", lead, count)
    count.pop(Status.NOT_APPLICABLE, 0)
    if total == 1:
        lead = _why_not_applicable(run.hosts[0])
    else:
        lead = f"no required control applies to any of {_hosts(total)}"
    return _headline(run, Status.NOT_APPLICABLE, "Not applicable", lead, count)


def _why_not_applicable(host: HostResult) -> str:
    messages = (one.message for one in host.controls if one.verdict is Verdict.NOT_APPLICABLE)
    return one_line(next(messages, "none was evaluated").rstrip("."))


def _is_proven(run: Run, host: HostResult) -> bool:
    """Whether a host passes by a control that proves estimation: not by steady round trips."""
    proving = {control.id for control in run.controls if control.proves}
    passed = {one.control for one in host.controls if one.verdict is Verdict.PASS}
    return host_status(host) is Status.PASS and not passed.isdisjoint(proving)


def _direction(run: Run, hosts: list[HostResult]) -> str:
    """What these hosts' policies demand: the inventory can turn the run's policy for a host."""
    count = Counter(str(host.policy.get("estimation", run.estimation)) for host in hosts)
    if len(count) == 1:
        return next(iter(count))
    each = " and ".join(f"{word} on {number:,}" for word, number in sorted(count.items()))
    return f"as each host's policy demands ({each})"


def _headline(run: Run, status: Status, claim: str, lead: str, rest: dict[Status, int]) -> Headline:
    others = [_CLAUSES[one](count) for one, count in rest.items()]
    sentence = f"{lead}; {_listed(others)}" if others else lead
    sentence = " ".join((f"{sentence}{_old_evidence(run)}.", *_not_evaluated(run), *_left_out(run)))
    if run.interrupted:
        return Headline(status, f"Interrupted. {claim}", sentence)
    return Headline(status, claim, sentence)


def _not_evaluated(run: Run) -> list[str]:
    """What was not evaluated at all, or not on every assessed host; empty where all was."""
    evaluated = {control.id for control in run.controls}
    said = []
    if missing := [control for control in run.required if control not in evaluated]:
        said.append(f"Not evaluated: {', '.join(missing)}.")
    if partly := sum(
        bool(host.controls) and len(host.controls) < len(evaluated) for host in run.hosts
    ):
        said.append(f"Not every control was evaluated on {_hosts(partly)}.")
    return said


def _old_evidence(run: Run) -> str:
    """When the evidence was collected, where some is older than a day; it may hold no more."""
    begun = [host.started for host in run.hosts if host.started and host.controls]
    if not begun:
        return ""
    oldest, newest = min(begun)[:_DATE], max(begun)[:_DATE]
    try:
        days = (datetime.fromisoformat(run.started) - datetime.fromisoformat(min(begun))).days
    except ValueError:
        return ", on evidence of unknown age"
    if _after(run, max(begun)):
        return f", on evidence dated {newest}, after this run began: its age is not known"
    if days < 1:
        return ""
    when, most = (oldest, "") if oldest == newest else (f"from {oldest} to {newest}", "up to ")
    return f", on evidence collected {when}, {most}{counted(days, 'day')} before this run"


def _after(run: Run, begun: str) -> bool:
    """Whether evidence is dated more than a day after the run began."""
    try:
        return (datetime.fromisoformat(begun) - datetime.fromisoformat(run.started)).days >= 1
    except (ValueError, TypeError):
        return True


def _left_out(run: Run) -> list[str]:
    if not run.left_out:
        return []
    return [f"{_hosts(run.left_out)} of the inventory {_verb(run.left_out, 'is', 'are')} left out."]


_CLAUSES = {
    Status.ERROR: lambda n: f"{n:,} could not be evaluated",
    Status.INCONCLUSIVE: lambda n: f"{n:,} {_verb(n, 'is', 'are')} inconclusive",
    Status.WAIVED: lambda n: f"{n:,} {_verb(n, 'fails', 'fail')} under a waiver",
    Status.PASS: lambda n: f"{n:,} {_verb(n, 'passes', 'pass')}",
    Status.NOT_APPLICABLE: lambda n: f"{n:,} {_verb(n, 'is', 'are')} not applicable",
    Status.NOT_EVALUATED: lambda n: f"{n:,} {_verb(n, 'was', 'were')} not evaluated",
    Status.NOT_SELECTED: lambda n: f"{n:,} {_verb(n, 'was', 'were')} not selected",
    Status.EXCLUDED: lambda n: f"{n:,} {_verb(n, 'is', 'are')} excluded",
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
    ``--shard`` leave out is added where they do.
    """
    parts = " + ".join(f"{count:,} {state}" for state, count in accounted(run).items())
    return f"{_hosts(run.whole)} in the inventory = {parts}"


def accounted(run: Run) -> dict[str, int]:
    """Where every host of the inventory went; they add up to it."""
    left_out = {"left out by --limit or --shard": run.left_out} if run.left_out else {}
    states = {HostState(name).word: count for name, count in run.states().items()}
    if not run.states()[HostState.NOT_SELECTED]:
        del states[HostState.NOT_SELECTED.word]
    return states | left_out


def collected(run: Run) -> tuple[str, str] | None:
    """When the first host was begun and the last was done with; None where none was collected.

    It is not when the run was, where saved evidence is judged again.
    """
    spans = [(host.started, host.finished) for host in run.hosts if host.started]
    if not spans:
        return None
    return min(start for start, _ in spans), max(end for _, end in spans)


def tally(run: Run) -> dict[Status, int]:
    """Control results by status, waived fails apart from the others; adds up to all results."""
    raw = run.verdicts()
    waived = raw["waived"]
    found = {Status(verdict.value): raw[verdict.value] for verdict in Verdict}
    found[Status.FAIL] -= waived
    found[Status.WAIVED] = waived
    return {one: found[one] for one in Status if one in found}


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

    A host in several groups is listed under all their names together. Where that gives too many
    groups, it is listed under its first group; where that does too, all hosts are one group.
    """
    ordered = sorted(hosts, key=worst_first)
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
