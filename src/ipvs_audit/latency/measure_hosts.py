"""Measuring many hosts, a few at a time, each within its deadline, none able to end the run."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.latency import estimator_trace
from ipvs_audit.latency.echo import Echo, EchoError, Schedule, measure
from ipvs_audit.latency.method import icmp_echo, ssh_echo
from ipvs_audit.model.limits import (
    ICMP_ANSWER_TIMEOUT,
    INTERRUPT_CHECK,
    LATENCY_OVERRUN,
    SSH_ANSWER_TIMEOUT,
)
from ipvs_audit.probe.collect_host import Handle
from ipvs_audit.probe.thread_per_call import ThreadPerCallExecutor
from ipvs_audit.snapshot.round_trips import RoundTrips, Via, encode
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ipvs_audit.latency.options import MethodChoice
    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.target import Target
    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.transport import Connection
    from ipvs_audit.transport.settings import Settings

_ANSWER_TIMEOUT: Mapping[Via, float] = {"icmp": ICMP_ANSWER_TIMEOUT, "ssh": SSH_ANSWER_TIMEOUT}
#: Seconds after which Python lets another thread run, while round trips are timed.
_SWITCH = 0.0005


@dataclass(frozen=True, slots=True)
class Job:
    """One host to measure.

    Attributes:
        snapshot: its evidence, which the trace will join.
        target: how to reach it.
        settings: how to connect.
        policy: how long and how often.
        want: ``auto``, ``icmp`` or ``ssh``.
        connection: one that is open already; it stays open.
        trace: time the estimator's own runs afterwards.
    """

    snapshot: Snapshot
    target: Target
    settings: Settings
    policy: Policy
    choice: MethodChoice
    connection: Connection | None = None
    trace: bool = False

    @property
    def longest(self) -> float:
        """Seconds after which it is given up."""
        connect = self.settings.limits.connect
        longest = (
            2 * connect
            + self.policy.latency_seconds
            + max(_ANSWER_TIMEOUT.values())
            + LATENCY_OVERRUN
        )
        return longest + (connect + estimator_trace.TIMEOUT + LATENCY_OVERRUN if self.trace else 0)

    def schedule(self, via: Via) -> Schedule:
        """How to measure that way."""
        policy = self.policy
        each = policy.latency_icmp_ms if via == "icmp" else policy.latency_ssh_ms
        return Schedule(each / 1000, policy.latency_seconds, _ANSWER_TIMEOUT[via])


def measure_all(jobs: Iterable[Job], at_once: int) -> Iterator[Snapshot]:
    """Measure every host; each one's snapshot comes back with its trace, as they are done.

    Nothing else should run in this process meanwhile. Interrupted (Ctrl-C), it closes what is open
    and raises KeyboardInterrupt; what was not given by then was not measured.
    """
    waiting = deque(jobs)
    running: dict[Future[Snapshot], tuple[Job, Handle, Deadline]] = {}
    threads = ThreadPerCallExecutor()
    with _undisturbed():
        try:
            while waiting or running:
                while waiting and len(running) < max(1, at_once):
                    job, handle = waiting.popleft(), Handle()
                    future = threads.submit(measure_one, job, handle)
                    running[future] = (job, handle, Deadline.after(job.longest))
                done, _ = wait(running, timeout=INTERRUPT_CHECK, return_when=FIRST_COMPLETED)
                for future in done:
                    del running[future]
                    yield future.result()
                for future, (job, handle, deadline) in list(running.items()):
                    if deadline.over():
                        del running[future]
                        handle.abandon()
                        if job.connection is not None:
                            job.connection.close()
                        yield _unmeasured(job, "it was not done within its deadline")
        finally:
            for _, handle, _ in running.values():
                handle.abandon()


def measure_one(job: Job, handle: Handle | None = None) -> Snapshot:
    """Measure one host. Raises nothing: why there is no trace is in the trace."""
    handle = handle or Handle()
    try:
        return _measured(job, handle)
    except (EchoError, TransportError) as why:
        return _unmeasured(job, str(why))
    except Exception as error:  # noqa: BLE001  # one host's surprise must not end the run
        return _unmeasured(job, one_line(f"unforeseen {type(error).__name__}: {error}"))


def _measured(job: Job, handle: Handle) -> Snapshot:
    with contextlib.ExitStack() as stack:
        opened = [job.connection] if job.connection is not None else []

        def attach(connection: Connection) -> None:
            stack.callback(connection.close)
            opened.append(connection)
            handle.attach(connection)

        echo: Echo
        found = icmp_echo(job.target, job.settings, job.choice)
        if found is not None:
            echo, command = found
        else:
            echo, command = ssh_echo(job.target, job.settings, job.connection, attach)
        stack.callback(echo.close)
        schedule = job.schedule(echo.via)
        trace = measure(echo, schedule)
        about = f"every {1000 * schedule.interval:g} ms for {schedule.duration:g} s"
        evidence = job.snapshot.with_sections(encode(trace, command=f"{command}  # {about}"))
        if not job.trace:
            return evidence
        echo.close()
        if trace.ended:
            return estimator_trace.unmeasured(evidence)
        return estimator_trace.with_runs(
            evidence, lambda: opened[0] if opened else _connected(job, attach)
        )


def _connected(job: Job, attach: Callable[[Connection], None]) -> Connection:
    connection = open_connection(job.target, job.settings)
    attach(connection)
    return connection


def _none(job: Job, why: str) -> RoundTrips:
    via: Via = "icmp" if job.choice == "icmp" else "ssh"
    schedule = job.schedule(via)
    return RoundTrips(via, schedule.interval, (), (), schedule.limit, ended=why)


def _unmeasured(job: Job, why: str) -> Snapshot:
    evidence = job.snapshot.with_sections(encode(_none(job, why), command="round trips"))
    return estimator_trace.unmeasured(evidence) if job.trace else evidence


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Python's own pauses out: the garbage collector, and threads that wait for each other."""
    collecting, switching = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(switching)
        if collecting:
            gc.enable()
