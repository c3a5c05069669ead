"""Work on several hosts at a time, until all are done or a request to stop has run out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ipvs_audit.model.limits import INTERRUPT_CHECK, STOP_VERIFY_SHARE
from ipvs_audit.probe.thread_per_call import ThreadPerCallExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from ipvs_audit.remedy.host_access import HostAccess
    from ipvs_audit.remedy.operator import Operator


def for_each_host(
    work: Callable[[str], None],
    hosts: Sequence[str],
    *,
    forks: int,
    access: HostAccess,
    operator: Operator,
) -> None:
    """Call ``work`` for each host, on at most ``forks`` of them at a time; from the main thread.

    Once a stop is requested, no other host is started. Those under way have the grace period: what
    is not verified in the first part of it is cut off, so that it can be reverted in the rest. At
    its end they are not waited for, and nothing more is done on them.

    Raises:
        Exception: what ``work`` raised first, when all others are done.
    """
    stop = operator.stop
    waiting = deque(hosts)
    running: dict[Future[None], str] = {}
    cut: set[str] = set()
    fault: BaseException | None = None
    threads = ThreadPerCallExecutor()
    while True:
        while waiting and len(running) < max(1, forks) and not stop.requested:
            try:
                future = threads.submit(work, waiting[0])
            except RuntimeError:  # this machine cannot start more threads
                if not running:
                    raise
                break
            running[future] = waiting.popleft()
            future.add_done_callback(lambda _: operator.wake())
        if not running or stop.left() <= 0:
            break
        if stop.left(STOP_VERIFY_SHARE) <= 0:
            _cut(_late(running.values(), operator) - cut, access)
            cut.update(running.values())
        operator.serve(INTERRUPT_CHECK)
        for future in [one for one in running if one.done()]:
            del running[future]
            fault = fault or future.exception()
    _cut(running.values(), access)
    threads.shutdown()
    operator.serve(0)
    if fault is not None:
        raise fault


def _late(hosts: Iterable[str], operator: Operator) -> set[str]:
    """The hosts that should be verified by now."""
    phases = {host: operator.phase_of(host) for host in hosts}
    return {host for host, phase in phases.items() if phase and phase.reverted_when_late}


def _cut(hosts: Iterable[str], access: HostAccess) -> None:
    for host in hosts:
        access.cut(host)
