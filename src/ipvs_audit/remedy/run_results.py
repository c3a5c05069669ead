"""What a remediation adds to a run's results: what was before, and what was done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.model.results import RemedyResult, StepResult
from ipvs_audit.remedy.approved_plans import plan_sha256

if TYPE_CHECKING:
    from ipvs_audit.model.results import HostResult, Run
    from ipvs_audit.remedy.remediate_host import HostRemediation
    from ipvs_audit.remedy.remediation import Remediation


def with_remediation(run: Run, remediation: Remediation) -> Run:
    """The run's results with each host's remediation, and its verdicts before."""
    return replace(run, hosts=tuple(_host(host, remediation) for host in run.hosts))


def _host(host: HostResult, remediation: Remediation) -> HostResult:
    done = remediation.hosts.get(host.name)
    if done is None:
        return host
    before = remediation.before.get(host.name, {}) if done.after is not None else {}
    controls = tuple(
        replace(one, before=before[one.control].verdict) if one.control in before else one
        for one in host.controls
    )
    return replace(host, controls=controls, remedy=_remedy(done))


def _remedy(done: HostRemediation) -> RemedyResult:
    plan = done.plan
    return RemedyResult(
        status=done.status,
        message=done.message or plan.blocked or plan.needs_approval,
        notes=plan.notes,
        plan_sha256=plan_sha256(plan) if plan.steps else "",
        steps=tuple(
            StepResult(
                control=step.control,
                title=step.title,
                reason=step.reason,
                detail=step.detail,
                outcome=done.outcomes.get(number, ""),
            )
            for number, step in enumerate(plan.steps, 1)
        ),
    )
