"""Changing many hosts: in batches, each verified before the next; what did not help is put back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted
from ipvs_audit.remedy.batches import batches
from ipvs_audit.remedy.plan_steps import SetLive, WriteFile
from ipvs_audit.remedy.remediate_host import Treated, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipvs_audit.remedy.batches import Size
    from ipvs_audit.remedy.improvement import Judged
    from ipvs_audit.remedy.journal import Journal
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.remediate_host import Door, Judge

INTERRUPTED = "the run was interrupted"


def campaign(
    plans: Mapping[str, Plan],
    before: Mapping[str, Judged],
    door: Door,
    judge: Judge,
    journal: Journal,
    *,
    sizes: Sequence[Size],
    max_failures: int,
    forks: int,
    unreachable: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Treated]:
    """Do the plans that are ready.

    A batch starts only when the one before it is done and verified. No host is begun once more
    than ``max_failures`` hosts have failed, be it within a batch; those under way are ended. A
    host that is lost on the way counts as failed, and so do those that were ``unreachable`` from
    the start: who cannot see them cannot know. Interrupted (Ctrl-C), it ends the hosts under way
    and begins no other; a second time, it does not wait for them and says so.

    Returns:
        what became of each host of ``plans``.
    """
    done = {host: Treated(plan, plan.status) for host, plan in plans.items() if not plan.ready}
    ready = [host for host, plan in plans.items() if plan.ready]
    work = Work(
        plans=plans,
        before=before,
        door=door,
        judge=judge,
        journal=journal,
        most=max_failures,
        failures=unreachable,
        tell=lambda host, treated: tell(line(host, treated)),
        stopped=too_many_unreachable(unreachable, max_failures),
    )
    left: list[str] = []
    for number, batch in enumerate(batches(ready, sizes), 1):
        if not work.stopped:
            tell(f"batch {number}: {counted(len(batch), 'host')} of {len(ready):,}")
            try:
                _together(work, batch, forks)
            except KeyboardInterrupt:
                work.stopped = INTERRUPTED
        for host in batch:
            done[host] = work.done.get(host) or (
                work.unfinished(host) if host in work.begun else work.leave(host, work.stopped)
            )
            if host not in work.begun:
                left.append(host)
            elif host not in work.done:
                tell(line(host, done[host]))
    if left:
        tell(f"not attempted, as {work.stopped}: {', '.join(map(one_line, left))}")
    return {host: done[host] for host in plans}


def too_many_unreachable(count: int, most: int) -> str:
    """Why no host may be changed where so many cannot be reached; empty where some may."""
    if count <= most:
        return ""
    hosts = "1 host is" if count == 1 else f"{count} hosts are"
    return (
        f"{hosts} unreachable and --max-failures is {most} (raise it, or leave "
        f"{'it' if count == 1 else 'them'} out with --limit)"
    )


def line(host: str, treated: Treated) -> str:
    """One host and what became of it, for a terminal: what a host said cannot steer it."""
    why = f": {one_line(treated.message)}" if treated.message else ""
    return f"  {one_line(host)}: {treated.status}{why}"


def _together(work: Work, batch: Sequence[str], forks: int) -> None:
    pool = ThreadPoolExecutor(max_workers=max(1, min(forks, len(batch))))
    try:
        list(pool.map(work.treat, batch))
    except KeyboardInterrupt:
        work.stopped = INTERRUPTED
        raise
    finally:
        # Interrupted: what is under way ends in its own time, within its deadline.
        pool.shutdown(wait=True, cancel_futures=True)


def tally(plans: Mapping[str, Plan]) -> dict[str, int]:
    """What a summary says before anything is done: hosts, files, namespaces, held back."""
    ready = [plan for plan in plans.values() if plan.ready]
    steps = [step for plan in ready for step in plan.steps]
    return {
        "hosts": len(ready),
        "files": sum(isinstance(step, WriteFile) for step in steps),
        "namespaces": sum(isinstance(step, SetLive) for step in steps),
        "held back": sum(plan.status == "held back" for plan in plans.values()),
        "not possible": sum(plan.status == "not possible" for plan in plans.values()),
        "nothing to do": sum(plan.status == "nothing to do" for plan in plans.values()),
    }
