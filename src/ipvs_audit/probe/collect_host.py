"""Collecting one host: connect, run the probe, parse; again where that can help."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.probe import framing, script
from ipvs_audit.snapshot import CollectionInfo, Failure, Snapshot
from ipvs_audit.transport import Connection, FailureKind, Retry, TransportError
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from ipvs_audit.model.target import Target
    from ipvs_audit.probe.connection_slots import ConnectionSlots
    from ipvs_audit.transport.settings import Settings


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with one host. Without ``keep`` it can cross a process boundary.

    Attributes:
        target: the host.
        settings: how to connect, and the limits.
        open_connection: opens one.
        every_namespace: sample namespaces without IPVS rules too.
        span: seconds over which the counters are sampled.
        editable_files: bring the files that a plan may change, whole.
        keep: called with the connection after a success; true keeps it open.
    """

    target: Target
    settings: Settings
    open_connection: Callable[[Target, Settings], Connection]
    every_namespace: bool = False
    span: int = limits.SHORTEST_SPAN
    editable_files: bool = False
    keep: Callable[[Target, Connection], bool] | None = None


@dataclass(slots=True, eq=False)
class Handle:
    """Lets another thread end an attempt that is under way.

    Attributes:
        slots: limit the hosts that are being connected to; None where there is no limit.
        abandoned: nobody waits for the attempt any more.
    """

    slots: ConnectionSlots | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _connection: Connection | None = None
    abandoned: bool = False

    def attach(self, connection: Connection) -> None:
        """Take note of an open connection; one that nobody waits for is closed at once.

        A direct one releases the host's connection slot for the next host.
        """
        with self._lock:
            self._connection = connection
            abandoned = self.abandoned
        if abandoned:
            connection.close()
        elif connection.direct:
            self.release_slot()

    def detach(self) -> bool:
        """Let go of the connection; false where somebody has ended the attempt."""
        with self._lock:
            self._connection = None
            return not self.abandoned

    def acquire_slot(self, timeout: float) -> bool:
        """Get a connection slot within ``timeout`` seconds; false where none became free."""
        if self.slots is None:
            return not self.abandoned
        return self.slots.acquire(self, timeout, lambda: self.abandoned)

    def release_slot(self) -> None:
        """Give the connection slot back."""
        if self.slots is not None:
            self.slots.release(self)

    def abandon(self) -> None:
        """End the attempt: nobody waits for it any more."""
        with self._lock:
            self.abandoned = True
            connection = self._connection
        self.release_slot()
        if connection is not None:
            connection.close()


def failure(target: Target, kind: FailureKind, message: str, started: str) -> Failure:
    """A host that could not be collected, as of now."""
    return Failure(target.name, kind, message, started, utc_timestamp())


def collect_one(job: Job, handle: Handle | None = None) -> Snapshot | Failure:
    """Bring the evidence of one host, or tell why it cannot be had. Raises nothing.

    Hosts too busy to speak to us are tried again after growing pauses, lost connections once,
    everything else never; all within the deadline.
    """
    handle = handle or Handle()
    started = utc_timestamp()
    deadline = Deadline.after(job.settings.limits.deadline)
    tries: dict[Retry, int] = {"never": 0, "once": 0, "backoff": 0}
    while True:
        try:
            return _attempt(job, handle, deadline, started)
        except TransportError as error:
            pause = _pause(error.retry, tries)
            if (
                pause is None
                or handle.abandoned
                or deadline.left() < pause + limits.SHORTEST_ATTEMPT
            ):
                return failure(job.target, error.kind, error.message, started)
            time.sleep(pause)
            if not handle.acquire_slot(deadline.left() - limits.SHORTEST_ATTEMPT):
                return failure(job.target, error.kind, error.message, started)
        except Exception as error:  # noqa: BLE001  # one host's surprise must not end the run
            text = one_line(f"{type(error).__name__}: {error}", _secrets(job.target))
            return failure(
                job.target, "protocol", f"{job.target.name}: unexpected error: {text}", started
            )


def _pause(retry: Retry, tries: dict[Retry, int]) -> float | None:
    """Seconds to wait before the next try; None where none is due."""
    count = tries[retry]
    tries[retry] += 1
    if retry == "once" and count == 0:
        return limits.RETRY_FIRST_PAUSE
    if retry == "backoff" and count < limits.RETRIES_WHEN_BUSY:
        longest = min(limits.RETRY_FIRST_PAUSE * 2.0**count, limits.RETRY_LONGEST_PAUSE)
        return longest * random.uniform(0.5, 1)  # noqa: S311  # spreads load, guards nothing
    return None


def _attempt(job: Job, handle: Handle, deadline: Deadline, started: str) -> Snapshot:
    connection = job.open_connection(job.target, job.settings)
    kept = False
    try:
        handle.attach(connection)
        snapshot = _probe(job, connection, deadline, started)
        if handle.detach() and job.keep is not None:
            kept = job.keep(job.target, connection)
    finally:
        if not kept:
            connection.close()
    return snapshot


def _probe(job: Job, connection: Connection, deadline: Deadline, started: str) -> Snapshot:
    nonce = script.new_nonce()
    output = connection.run_script(
        script.render(
            nonce,
            span=job.span,
            every_namespace=job.every_namespace,
            editable_files=job.editable_files,
        ),
        timeout=deadline.left(),
        max_output=job.settings.limits.output,
    )
    try:
        found = framing.parse(output.stdout, nonce, stderr=output.stderr)
        sections = framing.of_a_probe(found)
    except TransportError as error:
        message = one_line(f"{job.target.name}: {error.message}", _secrets(job.target), length=500)
        raise TransportError(error.kind, message) from None
    collection = CollectionInfo(
        started=started,
        finished=utc_timestamp(),
        via=connection.via,
        fingerprint=connection.fingerprint,
        probe=script.digest(),
        openssh_for=connection.openssh_for,
    )
    return Snapshot(target=job.target.name, collection=collection, sections=sections)


def _secrets(target: Target) -> tuple[SecretStr | None, ...]:
    return (target.password, target.become.password if target.become else None)
