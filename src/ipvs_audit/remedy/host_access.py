"""Access to the hosts of a run: collect, change and undo, each over a connection of its own."""

from __future__ import annotations

import math
import os
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.model.limits import STEP_SECONDS, UNDO_SECONDS
from ipvs_audit.model.operator_name import operator_name
from ipvs_audit.probe.collect_host import Handle, Job, collect_one, failure
from ipvs_audit.remedy.run_script import apply_plan, undo_run
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.target import Target
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.script_answers import ScriptResult
    from ipvs_audit.snapshot import Failure, Snapshot
    from ipvs_audit.transport import Connection
    from ipvs_audit.transport.settings import Settings

#: Dies at this point of the changing or the undoing script: only the tests' fault sweep sets it.
HALT = "IPVS_AUDIT_TEST_HALT"
HALT_UNDO = "IPVS_AUDIT_TEST_HALT_UNDO"


class HostAccess(Protocol):
    """What a remediation does with hosts; tests put doubles in its place.

    ``within`` is the time that is left, in seconds, where the run was asked to stop.
    """

    def collect(self, host: str, within: float = math.inf) -> Snapshot | Failure:
        """A new snapshot, with the editable files."""

    def apply(self, host: str, plan: Plan, within: float = math.inf) -> ScriptResult:
        """Carry out a plan.

        Raises:
            TransportError: what was done is not known.
        """

    def undo(
        self, host: str, run: str = "", by: str = "", within: float = math.inf
    ) -> ScriptResult:
        """Undo what this run did, or another one, which ``by`` made.

        Raises:
            TransportError: what was undone is not known.
        """

    def cut(self, host: str) -> None:
        """End what another thread is doing with a host: its connection is closed."""


@dataclass(frozen=True, slots=True)
class HostConnections:
    """The hosts themselves; see :class:`HostAccess`.

    Attributes:
        targets: by name.
        policies: by name.
        settings: of each connection.
        run: this run's id.
        who: makes it; see :func:`initiator`.
    """

    targets: Mapping[str, Target]
    policies: Mapping[str, Policy]
    settings: Settings
    run: str
    who: str
    _handles: dict[str, Handle] = field(default_factory=dict)

    def collect(self, host: str, within: float = math.inf) -> Snapshot | Failure:
        """See :meth:`HostAccess.collect`."""
        started = utc_timestamp()
        try:
            settings = self._settings(within)
        except TransportError as late:
            return failure(self.targets[host], late.kind, late.message, started)
        policy = self.policies[host]
        job = Job(
            self.targets[host],
            settings,
            open_connection,
            every_namespace=policy.namespaces == "every",
            span=policy.sample_seconds,
            editable_files=True,
        )
        return collect_one(job, self._handle(host))

    def apply(self, host: str, plan: Plan, within: float = math.inf) -> ScriptResult:
        """See :meth:`HostAccess.apply`."""
        connection = self._connect(host, within)
        try:
            seconds = self.settings.limits.deadline + STEP_SECONDS * len(plan.steps)
            return apply_plan(
                connection,
                plan,
                self.run,
                who=self.who,
                host=host,
                timeout=min(seconds, within),
                halt=int(os.environ.get(HALT, "0")),
            )
        finally:
            connection.close()

    def undo(
        self, host: str, run: str = "", by: str = "", within: float = math.inf
    ) -> ScriptResult:
        """See :meth:`HostAccess.undo`."""
        connection = self._connect(host, within)
        try:
            return undo_run(
                connection,
                run or self.run,
                who=self.who,
                by=by or self.who,
                host=host,
                timeout=min(self.settings.limits.deadline + UNDO_SECONDS, within),
                halt=int(os.environ.get(HALT_UNDO, "0")),
            )
        finally:
            connection.close()

    def cut(self, host: str) -> None:
        """See :meth:`HostAccess.cut`."""
        if (handle := self._handles.get(host)) is not None:
            handle.abandon()

    def _handle(self, host: str) -> Handle:
        self._handles[host] = handle = Handle()
        return handle

    def _connect(self, host: str, within: float) -> Connection:
        settings, handle = self._settings(within), self._handle(host)
        connection = open_connection(self.targets[host], settings)
        handle.attach(connection)
        return connection

    def _settings(self, within: float) -> Settings:
        """Settings that keep to the time that is left.

        Raises:
            TransportError: none is.
        """
        if within <= 0:
            raise TransportError("interrupted", "the run was asked to stop, and its time is up")
        usual = self.settings.limits
        fewer = replace(
            usual, connect=min(usual.connect, within), deadline=min(usual.deadline, within)
        )
        return replace(self.settings, limits=fewer)


def initiator() -> str:
    """Operator, controller and process, as journals name who made a run."""
    return f"{operator_name()}@{socket.gethostname()} process {os.getpid()}"
