"""Whether a run's results follow from its evidence: every snapshot judged again, and compared."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ipvs_audit.audit.evidence_age import recent_enough
from ipvs_audit.audit.host_result import collected_host
from ipvs_audit.audit.waiver_matching import Waivers, matched
from ipvs_audit.controls.control import control_of, judge, on_request, was_requested
from ipvs_audit.controls.discovery import needs_host
from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.policy import Policy, PolicyError, policy_for
from ipvs_audit.model.shard import Shard
from ipvs_audit.model.target import Target
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.model.waiver_file import WaiverError
from ipvs_audit.report.errors import ReportError
from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ipvs_audit.controls.control import Check
    from ipvs_audit.model.results import HostResult, Run

_OF_UNREACHABLE = ("verdict", "message")
_COMPARED = ("verdict", "severity", "message", "expected", "observed", "evidence", "waiver")
#: What follows from a host's evidence besides its verdicts, and what to say where it does not.
_FROM_EVIDENCE = {
    "facts": "its facts are not those of the evidence",
    "kernel": "its facts are not those of the evidence",
    "started": "when it was collected is not what the evidence says",
    "finished": "when it was collected is not what the evidence says",
    "reason": "the reason for its state is not what the evidence says",
    "latency": "its latency is not that of the evidence",
    "latency_before": "its latency is not that of the evidence",
}
_QUIET = (Verdict.PASS, Verdict.NOT_APPLICABLE)


@dataclass(slots=True)
class Rejudgement:
    """What came of judging again.

    Attributes:
        results: how many results follow from the evidence.
        wrong: what does not, in words, each with its host and control.
        skipped: what the evidence cannot show, in words.
    """

    results: int = 0
    wrong: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)

    def skip(self, why: str) -> None:
        """Count a result that the evidence cannot show."""
        self.skipped[why] = self.skipped.get(why, 0) + 1


def rejudge(
    run: Run,
    evidence: Iterable[Snapshot | Failure],
    checks: Mapping[str, Check],
    before: Iterable[Snapshot | Failure] = (),
) -> Rejudgement:
    """Judge a run's evidence again by its own policy, and compare with its results.

    Args:
        run: the results.
        evidence: what they should follow from.
        checks: by the id of their control.
        before: what was collected before remediation, where it changed something.

    Raises:
        PolicyError: the run does not say by which policy it was judged.
        ReportError: its waivers, or the day on which it began, cannot be read.
    """
    found = Rejudgement()
    policy = _policy(run)
    if policy.estimation != run.estimation:
        found.wrong.append(f"run.estimation is {run.estimation}, its policy {policy.estimation}")
    waivers = _waivers(run)
    by_host = {one.target: one for one in evidence}
    earlier = {one.target: one for one in before}
    known = {host.name for host in run.hosts}
    found.wrong += [
        f"{name}: is in the evidence, but not in the results" for name in by_host.keys() - known
    ]
    found.wrong += _controls(run, policy, checks)
    for control in _left_out_of_run(run, checks, by_host.values()):
        found.skip(f"control was not evaluated in this run: {control}")
    for host in run.hosts:
        if not host.contacted:
            found.wrong += _not_contacted(host, by_host)
        elif host.name in by_host:
            own = policy_for(policy, Target(host.name, policy=host.policy))
            found.wrong += _state(host, by_host[host.name], own)
            again = _judging(run, by_host[host.name], own, waivers)
            _host(found, host, checks, again)
            _left_out(found, run, host, checks, again)
            was = earlier.get(host.name)
            changed = was is not None and was != by_host[host.name]
            then = _judging(run, was, own, waivers) if was is not None and changed else None
            found.wrong += _before(host, checks, then)
        else:
            _without(found, host)
    found.wrong += _accounts(run, waivers)
    return found


def _left_out_of_run(
    run: Run, checks: Mapping[str, Check], evidence: Iterable[Snapshot | Failure]
) -> Iterator[str]:
    """Ids of controls that the run did not evaluate, though the evidence would have allowed it."""
    snapshots = [one for one in evidence if isinstance(one, Snapshot)]
    for name in checks.keys() - {control.id for control in run.controls}:
        control = control_of(checks[name])
        if control is not None and (
            not on_request(control) or any(was_requested(control, one) for one in snapshots)
        ):
            yield name


def _not_contacted(host: HostResult, by_host: Mapping[str, Snapshot | Failure]) -> Iterator[str]:
    if host.controls:
        yield f"{host.name}: is {host.state.word}, yet has results"
    if host.name in by_host:
        yield f"{host.name}: is {host.state.word} in the results, yet there is evidence of it"


def _left_out(
    found: Rejudgement,
    run: Run,
    host: HostResult,
    checks: Mapping[str, Check],
    again: Callable[[Check], Result],
) -> None:
    """A control that was asked elsewhere, and is not in this host's results: what would it be?"""
    for control in run.controls:
        check = checks.get(control.id)
        if host.result(control.id) is not None:
            continue
        if check is None or needs_host(check) or again(check).verdict in _QUIET:
            found.skip(f"of {control.id} are not in the results of hosts that were collected")
        else:
            found.wrong.append(
                f"{host.name} {control.id}: is not in the results, and the evidence gives"
                f" {again(check).verdict.word}"
            )


def _before(
    host: HostResult, checks: Mapping[str, Check], then: Callable[[Check], Result] | None
) -> Iterator[str]:
    """The verdicts before remediation, against what was collected before it."""
    for said in host.controls:
        check = checks.get(said.control)
        if check is None or needs_host(check) or not said.evaluated:
            continue
        was = None if then is None else then(check).verdict
        if said.before is not was:
            told = "nothing" if said.before is None else f"'{said.before.value}'"
            gives = "nothing was changed" if was is None else f"the evidence gives '{was.value}'"
            yield f"{host.name} {said.control}: before remediation it was {told}, {gives}"


def _accounts(run: Run, waivers: Waivers) -> Iterator[str]:
    """The states of the waivers, against the results."""
    again = waivers.uses(run.hosts, 0)
    if len(again) != len(run.waivers):
        yield "waivers: a waiver is listed twice"
        return
    for said, one in zip(run.waivers, again, strict=True):
        if (said.state, said.matched, said.found) != (one.state, one.matched, one.found):
            yield (
                f"waiver {said.waiver.ticket} ({said.waiver.place}): its state is"
                f" {said.state.value}, but the results give {one.state.value}"
            )


def _controls(run: Run, policy: Policy, checks: Mapping[str, Check]) -> Iterator[str]:
    for said in run.controls:
        about = control_of(checks.get(said.id))
        if about is not None:
            # The folder of checks may have another name here.
            own = policy.references.get(said.id, ())
            about = replace(about.with_references(own), file=said.file)
        if about is not None and about != said:
            yield f"{said.id}: the metadata of the control is not that of its check"
    for name, check in checks.items():
        about = control_of(check)
        if about is not None and about.required and name not in run.required:
            yield f"{name}: is required, and the results do not say so"


def _policy(run: Run) -> Policy:
    if not run.policy:
        raise PolicyError("results.json does not hold the policy: an older version wrote it")
    try:
        return Policy.model_validate(dict(run.policy))
    except ValidationError as wrong:
        raise PolicyError(f"results.json: run.policy: {wrong.errors()[0]['msg']}") from None


def _waivers(run: Run) -> Waivers:
    groups = {host.name: host.groups for host in run.hosts}
    waivers = [account.waiver for account in run.waivers]
    try:
        for waiver in waivers:
            date.fromisoformat(waiver.expires)
        return Waivers(matched(waivers, groups), datetime.fromisoformat(run.started).date())
    except (ValueError, WaiverError) as wrong:
        raise ReportError(f"results.json: run.started or run.waivers: {wrong}") from None


def _judging(
    run: Run, evidence: Snapshot | Failure, policy: Policy, waivers: Waivers
) -> Callable[[Check], Result]:
    recent = recent_enough(evidence, policy, _started(run, evidence.target))
    return lambda check: bounded(waivers.apply(evidence.target, judge(check, recent, policy)))


def _started(run: Run, host: str) -> str:
    """When the run that judged a host began: of a merged run, the run of its shard."""
    for one in run.merged:
        with contextlib.suppress(ValueError):
            if Shard.parse(one.shard).holds(host):
                return one.started
    return run.started


def _state(host: HostResult, evidence: Snapshot | Failure, policy: Policy) -> list[str]:
    """What the results say of the host besides its verdicts, against its evidence."""
    target = Target(host.name, groups=host.groups, policy=host.policy)
    again = bounded(collected_host(target, host.id, evidence, policy, ()))
    if again.state is not host.state:
        return [f"{host.name}: is {host.state} in the results, {again.state} in the evidence"]
    wrong = [name for name in _FROM_EVIDENCE if getattr(host, name) != getattr(again, name)]
    return [f"{host.name}: {_FROM_EVIDENCE[wrong[0]]}"] if wrong else []


def _host(
    found: Rejudgement,
    host: HostResult,
    checks: Mapping[str, Check],
    again: Callable[[Check], Result],
) -> None:
    for said in host.controls:
        check = checks.get(said.control)
        if not said.evaluated:
            found.skip("were not evaluated: the run stopped first")
        elif check is None:
            found.skip(f"of {said.control}, for which there is no check here")
        elif needs_host(check) and host.state == "assessed":
            found.skip(f"of {said.control}, whose check connects to the host")
        else:
            fields = _OF_UNREACHABLE if host.state == "unreachable" else _COMPARED
            differing = list(_differing(said, again(check), fields))
            found.wrong += [f"{host.name} {said.control}: {one}" for one in differing]
            found.results += not differing


def _without(found: Rejudgement, host: HostResult) -> None:
    """A host of which nothing was collected can only be in error."""
    if host.state == "assessed" and host.controls:
        found.wrong.append(f"{host.name}: is assessed in the results, without any evidence")
    for said in host.controls:
        if said.verdict is Verdict.ERROR:
            found.skip("are errors of hosts that were not collected")
        else:
            found.wrong.append(
                f"{host.name} {said.control}: {said.verdict.word} without any evidence"
            )


def _differing(said: Result, again: Result, fields: tuple[str, ...]) -> Iterator[str]:
    for name in fields:
        one, other = getattr(said, name), getattr(again, name)
        if one != other:
            shown = (
                "" if name == "evidence" else f" {str(one)!r}, the evidence gives {str(other)!r}"
            )
            yield f"{name} is{shown}" if shown else "the evidence shown is not what was collected"
            return
