"""Collecting many hosts at a time, each within its deadline, none able to end the run."""

from __future__ import annotations

import itertools
import queue
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.model.policy import Policy
from ipvs_audit.probe.collect_host import Handle, Job, collect_one, failure
from ipvs_audit.probe.connection_slots import ConnectionSlots
from ipvs_audit.probe.thread_per_call import ThreadPerCallExecutor
from ipvs_audit.transport.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from ipvs_audit.model.target import Target
    from ipvs_audit.snapshot import Failure, Snapshot
    from ipvs_audit.transport import Connection
    from ipvs_audit.transport.settings import Settings


@dataclass(frozen=True, slots=True)
class _Running:
    job: Job
    handle: Handle
    deadline: Deadline
    started: str


def collect(
    targets: Iterable[Target],
    *,
    settings: Settings,
    open_connection: Callable[[Target, Settings], Connection],
    policies: Mapping[str, Policy] | None = None,
    forks: int = limits.FORKS,
    under_way: int | None = None,
    editable_files: bool = False,
    keep: Callable[[Target, Connection], bool] | None = None,
    executor: Executor | None = None,
    overrun: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Snapshot | Failure, None, None]:
    """Collect every target; exactly one snapshot or failure for each, as they come in.

    At most ``forks`` hosts are being connected to at a time. A host that is connected makes room
    for the next one, where its connection is :attr:`~ipvs_audit.transport.Connection.direct`; in
    all at most ``under_way`` are under way, and no more than that is held in memory.
    Interrupted (Ctrl-C), it closes what is open, gives a failure of the kind ``interrupted`` for
    every host that is not done, and raises KeyboardInterrupt again after the last.

    Args:
        targets: the hosts.
        settings: how to connect, and the limits of each host.
        open_connection: opens a connection to one of them.
        policies: by inventory name; they say which namespaces to sample.
        forks: hosts that are being connected to at a time.
        under_way: hosts under way at a time, connected or not, where that is more than ``forks``.
            Another executor does not say when a host is connected: there it changes nothing.
        editable_files: bring the files that a plan may change, whole.
        keep: called, in the collecting thread, with the connection to each host that was collected;
            true keeps it open. Only with the executor left out.
        executor: runs the collecting; None starts a thread per host. Another one should have
            ``forks`` workers: a host's deadline counts from when it is submitted.
        overrun: seconds beyond its deadline after which a host is given up; None for
            :data:`~ipvs_audit.model.limits.DEADLINE_OVERRUN`. An executor that restarts the hosts
            of a lost worker needs more.
        stop: asked all the time; true interrupts it, as Ctrl-C does.
    """
    usual = Policy()

    def job(target: Target) -> Job:
        policy = (policies or {}).get(target.name, usual)
        return Job(
            target,
            settings,
            open_connection,
            every_namespace=policy.namespaces == "every",
            span=policy.sample_seconds,
            editable_files=editable_files,
            keep=keep if executor is None else None,
        )

    run = _Run(
        map(job, targets),
        executor,
        forks=max(1, forks),
        under_way=max(1, forks, under_way or 0),
        overrun=limits.DEADLINE_OVERRUN if overrun is None else overrun,
        stop=stop,
    )
    return run.evidence()


class _Run:
    """The hosts under way, oldest first."""

    def __init__(
        self,
        jobs: Iterator[Job],
        executor: Executor | None,
        *,
        forks: int,
        under_way: int,
        overrun: float,
        stop: Callable[[], bool],
    ) -> None:
        self._jobs = jobs
        self._stop = stop
        self._own = executor is None
        self._executor = executor or ThreadPerCallExecutor()
        self._most = under_way
        self._all_started = False
        self._overrun = overrun
        self._running: dict[Future[Snapshot | Failure], _Running] = {}
        #: Taken from the jobs, and not yet under way: an interrupt must not lose it.
        self._starting: tuple[Job, Handle] | None = None
        #: A future that is done, or None where a connection slot may be free.
        self._news: queue.SimpleQueue[Future[Snapshot | Failure] | None] = queue.SimpleQueue()
        self._slots = ConnectionSlots(forks, lambda: self._news.put(None))

    def evidence(self) -> Generator[Snapshot | Failure, None, None]:
        """What each host gave, as it comes."""
        try:
            while self._fill():
                yield from self._next()
                if self._stop():
                    raise KeyboardInterrupt  # noqa: TRY301  # as Ctrl-C does, in this very place
        except KeyboardInterrupt:
            yield from self._interrupted()
            raise
        finally:
            self._abandon_all()
            if self._own:
                self._executor.shutdown(wait=False)

    def _fill(self) -> bool:
        """Start hosts while there is room; false where none is left under way."""
        while not self._all_started and len(self._running) < self._most:
            handle = Handle(self._slots)
            if not self._slots.try_acquire(handle):
                break
            job = next(self._jobs, None)
            if job is None:
                self._all_started = True  # or each release of a slot would ask for another host
                self._slots.release(handle)
                break
            self._starting = job, handle
            started = self._start(job, handle)
            self._starting = None
            if not started:
                self._slots.release(handle)
                break
        return bool(self._running)

    def _start(self, job: Job, handle: Handle) -> bool:
        """Submit a host; false where it must wait, where this machine cannot start more threads."""
        until = Deadline.after(job.settings.limits.deadline + self._overrun)
        started = _Running(job, handle, until, utc_timestamp())
        arguments = (job, handle) if self._own else (job,)
        try:
            future = self._executor.submit(collect_one, *arguments)
        except RuntimeError:
            if not self._own or not self._running:
                raise
            self._most = len(self._running)
            self._jobs = itertools.chain([job], self._jobs)
            return False
        self._running[future] = started
        future.add_done_callback(self._news.put)
        return True

    def _next(self) -> Iterator[Snapshot | Failure]:
        """Wait a little for hosts to be done, and give up on those past their deadline."""
        oldest = next(iter(self._running.values()))
        try:
            future = self._news.get(
                timeout=min(oldest.deadline.left(), limits.INTERRUPT_CHECK) or 0.001
            )
        except queue.Empty:
            future = None
        if future is not None and (running := self._running.get(future)) is not None:
            self._slots.release(running.handle)
            result = _result(future, running)
            del self._running[future]  # as late as can be: an interrupt in between loses the host
            yield result
        while self._running:
            future, running = next(iter(self._running.items()))
            if future.done() or not running.deadline.over():
                break
            future.cancel()
            running.handle.abandon()
            seconds = running.job.settings.limits.deadline
            late = failure(
                running.job.target,
                "timeout",
                f"{running.job.target.name}: not finished within the deadline of {seconds:g} s, "
                "and could not be stopped (name resolution, a proxy command, or a library hangs)",
                running.started,
            )
            del self._running[future]
            yield late

    def _interrupted(self) -> Iterator[Snapshot | Failure]:
        under_way = [running.handle for running in self._running.values()]
        for future, running in list(self._running.items()):
            if future.done():
                del self._running[future]
                yield _result(future, running)
        self._abandon_all()
        for running in self._running.values():
            yield _not_done(running.job.target, running.started)
        self._running.clear()
        if self._starting is not None and self._starting[1] not in under_way:
            yield _not_done(self._starting[0].target, utc_timestamp())
        for job in self._jobs:
            yield _not_done(job.target, utc_timestamp())

    def _abandon_all(self) -> None:
        for future, running in self._running.items():
            future.cancel()
            running.handle.abandon()
        if self._starting is not None:
            self._starting[1].abandon()


def _not_done(target: Target, started: str) -> Failure:
    return failure(
        target,
        "interrupted",
        f"{target.name}: the run was interrupted before this host was finished",
        started,
    )


def _result(future: Future[Snapshot | Failure], running: _Running) -> Snapshot | Failure:
    try:
        return future.result()
    except (CancelledError, Exception) as error:  # noqa: BLE001  # an engine's own failure
        return failure(
            running.job.target,
            "protocol",
            f"{running.job.target.name}: the engine lost this host: {type(error).__name__}",
            running.started,
        )
