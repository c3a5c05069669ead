"""Plans and what became of them, in lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import one_line, visible
from ipvs_audit.model.text import counted
from ipvs_audit.remedy.rollout import tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ipvs_audit.remedy.plan_steps import Plan

#: Different plans shown; the report holds all.
_MOST = 20
_NAMES = 8
_STEPS = 12


def named(hosts: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    names = ", ".join(map(one_line, hosts[:_NAMES]))
    more = f" and {len(hosts) - _NAMES} more" if len(hosts) > _NAMES else ""
    return names + more


def plan_lines(plans: Mapping[str, Plan]) -> Iterator[str]:
    """Each different plan once, with the hosts that share it."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for host, plan in plans.items():
        steps = tuple((step.title, step.detail) for step in plan.steps)
        key = (plan.status, plan.impossible, plan.held_back, plan.notes, steps)
        alike.setdefault(key, []).append(host)
    for shown, hosts in enumerate(alike.values()):
        if shown == _MOST:
            yield f"and {len(alike) - _MOST} other plans in the report"
            return
        yield from _one(plans[hosts[0]], hosts)


def _one(plan: Plan, hosts: list[str]) -> Iterator[str]:
    yield f"{plan.status} on {named(hosts)}"
    for why in (plan.impossible, plan.held_back):
        if why:
            yield f"    {one_line(why)}"
    for note in plan.notes:
        yield f"    note: {one_line(note)}"
    for number, step in enumerate(plan.steps[:_STEPS], 1):
        yield f"  {number}. {one_line(step.title)} ({step.control}): {one_line(step.reason)}"
        yield from (f"     {line}" for line in visible(step.detail).split("\n") if line)
    if len(plan.steps) > _STEPS:
        yield f"  and {len(plan.steps) - _STEPS} more steps like the last, in the report"
    yield ""


def question(plans: Mapping[str, Plan]) -> str:
    """The summary that stands before the question."""
    count = tally(plans)
    return (
        f"{counted(count['hosts'], 'host')} to change: {counted(count['files'], 'file')},"
        f" {counted(count['namespaces'], 'running value')};"
        f" {count['held back']} held back, {count['not possible']} not possible,"
        f" {count['nothing to do']} with nothing to do"
    )
