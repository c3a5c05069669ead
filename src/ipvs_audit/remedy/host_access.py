"""Access to the hosts of a run: collect, change and undo, each over a connection of its own."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ipvs_audit.model.limits import STEP_SECONDS, UNDO_SECONDS
from ipvs_audit.model.operator_name import operator_name
from ipvs_audit.probe.collect_host import Job, collect_one
from ipvs_audit.remedy.run_script import apply_plan, undo_run
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.target import Target
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.script_answers import ScriptResult
    from ipvs_audit.snapshot import Failure, Snapshot
    from ipvs_audit.transport.settings import Settings

#: Dies at this point of the changing or the undoing script: only the tests' fault sweep sets it.
HALT = "IPVS_AUDIT_TEST_HALT"
HALT_UNDO = "IPVS_AUDIT_TEST_HALT_UNDO"


class HostAccess(Protocol):
    """What a remediation does with hosts; tests put doubles in its place."""

    def collect(self, host: str) -> Snapshot | Failure:
        """A new snapshot, with the editable files."""

    def apply(self, host: str, plan: Plan) -> ScriptResult:
        """Carry out a plan.

        Raises:
            TransportError: what was done is not known.
        """

    def undo(self, host: str, run: str = "", by: str = "") -> ScriptResult:
        """Undo what this run did, or another one, which ``by`` made.

        Raises:
            TransportError: what was undone is not known.
        """


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

    def collect(self, host: str) -> Snapshot | Failure:
        """See :meth:`HostAccess.collect`."""
        policy = self.policies[host]
        return collect_one(
            Job(
                self.targets[host],
                self.settings,
                open_connection,
                every_namespace=policy.namespaces == "every",
                span=policy.sample_seconds,
                editable_files=True,
            )
        )

    def apply(self, host: str, plan: Plan) -> ScriptResult:
        """See :meth:`HostAccess.apply`."""
        connection = open_connection(self.targets[host], self.settings)
        try:
            seconds = self.settings.limits.deadline + STEP_SECONDS * len(plan.steps)
            halt = int(os.environ.get(HALT, "0"))
            return apply_plan(connection, plan, self.run, who=self.who, timeout=seconds, halt=halt)
        finally:
            connection.close()

    def undo(self, host: str, run: str = "", by: str = "") -> ScriptResult:
        """See :meth:`HostAccess.undo`."""
        connection = open_connection(self.targets[host], self.settings)
        try:
            return undo_run(
                connection,
                run or self.run,
                who=self.who,
                by=by or self.who,
                timeout=self.settings.limits.deadline + UNDO_SECONDS,
                halt=int(os.environ.get(HALT_UNDO, "0")),
            )
        finally:
            connection.close()


def initiator() -> str:
    """Operator, controller and process, as journals name who made a run."""
    return f"{operator_name()}@{socket.gethostname()} process {os.getpid()}"
