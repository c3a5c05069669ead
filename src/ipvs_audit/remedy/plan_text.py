"""Plans and what became of hosts, in lines for a terminal; what a host said cannot steer it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.sanitise import one_line, visible
from ipvs_audit.model.text import counted, some_of
from ipvs_audit.remedy.plan_steps import WriteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ipvs_audit.remedy.plan_steps import Plan

#: Different plans, names of hosts, and steps shown at most; the report holds all.
_MAX_PLANS = 20
MAX_NAMES = 8
_MAX_STEPS = 12


def name_hosts(hosts: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    return some_of([one_line(host) for host in hosts], MAX_NAMES)


def status_line(host: str, status: RemediationStatus, message: str) -> str:
    """One host and what became of it."""
    why = f": {one_line(message)}" if message else ""
    return f"  {one_line(host)}: {status.word}{why}"


def format_plans(plans: Mapping[str, Plan]) -> Iterator[str]:
    """Each different plan once, with the hosts that share it."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for host, plan in plans.items():
        steps = tuple((step.title, step.detail) for step in plan.steps)
        key = (plan.status, plan.blocked, plan.needs_approval, plan.notes, steps)
        alike.setdefault(key, []).append(host)
    for number, hosts in enumerate(alike.values()):
        if number == _MAX_PLANS:
            yield f"and {len(alike) - _MAX_PLANS} other plans in the report"
            return
        yield from _format_plan(plans[hosts[0]], hosts)


def _format_plan(plan: Plan, hosts: list[str]) -> Iterator[str]:
    yield f"{plan.status.word}: {name_hosts(hosts)}"
    for why in (plan.blocked, plan.needs_approval):
        if why:
            yield f"    {one_line(why)}"
    for note in plan.notes:
        yield f"    note: {one_line(note)}"
    if plan.steps and plan.status.about_steps:
        yield f"    {plan.status.about_steps}"
    for number, step in enumerate(plan.steps[:_MAX_STEPS], 1):
        yield f"  {number}. {one_line(step.title)} ({step.control}): {one_line(step.reason)}"
        yield from (f"     {line}" for line in visible(step.detail).split("\n") if line)
    if len(plan.steps) > _MAX_STEPS:
        yield f"  and {len(plan.steps) - _MAX_STEPS} more steps like the last, in the report"
    yield ""


def format_summary(plans: Mapping[str, Plan]) -> str:
    """How many hosts, files and running values are to be changed, and what is with the others."""
    steps = [step for plan in plans.values() if plan.ready for step in plan.steps]
    files = sum(isinstance(step, WriteFile) for step in steps)
    status = Counter(plan.status for plan in plans.values())
    others = (
        RemediationStatus.NEEDS_APPROVAL,
        RemediationStatus.CANNOT_BE_REMEDIATED,
        RemediationStatus.ALREADY_COMPLIANT,
    )
    return (
        f"{counted(status[RemediationStatus.PLANNED], 'host')} to change:"
        f" {counted(files, 'file')}, {counted(len(steps) - files, 'running value')}; "
        + ", ".join(f"{status[one]} {one.word}" for one in others)
    )
