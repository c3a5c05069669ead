"""The way to the hosts of a run: a look, a change, and its undoing, each over a connection."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.probe.collect_host import Job, collect_one
from ipvs_audit.remedy.apply import Report, apply, undo
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.model.policy import Policy
    from ipvs_audit.model.target import Target
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.snapshot import Failure, Snapshot
    from ipvs_audit.transport.settings import Settings

#: Seconds that a step may take beside the host's deadline.
_STEP = 1.0
#: Dies at this point of the changing or the undoing script: only the tests' fault sweep sets it.
HALT = "IPVS_AUDIT_TEST_HALT"
HALT_UNDO = "IPVS_AUDIT_TEST_HALT_UNDO"


@dataclass(frozen=True, slots=True)
class LiveDoor:
    """The hosts themselves; see :class:`ipvs_audit.remedy.rollout.Door`."""

    targets: Mapping[str, Target]
    policies: Mapping[str, Policy]
    settings: Settings
    run: str
    who: str

    def look(self, host: str) -> Snapshot | Failure:
        """A new snapshot, with the originals."""
        policy = self.policies[host]
        return collect_one(
            Job(
                self.targets[host],
                self.settings,
                open_connection,
                every_namespace=policy.namespaces == "every",
                span=policy.sample_seconds,
                originals=True,
            )
        )

    def apply(self, host: str, plan: Plan) -> Report:
        """Do a plan."""
        connection = open_connection(self.targets[host], self.settings)
        try:
            seconds = self.settings.limits.deadline + _STEP * len(plan.steps)
            halt = int(os.environ.get(HALT, "0"))
            return apply(connection, plan, self.run, who=self.who, timeout=seconds, halt=halt)
        finally:
            connection.close()

    def undo(self, host: str, run: str = "", by: str = "") -> Report:
        """Take back what this run did, or another one, which ``by`` made."""
        connection = open_connection(self.targets[host], self.settings)
        try:
            seconds = self.settings.limits.deadline + 60
            halt = int(os.environ.get(HALT_UNDO, "0"))
            return undo(
                connection,
                run or self.run,
                who=self.who,
                by=by or self.who,
                timeout=seconds,
                halt=halt,
            )
        finally:
            connection.close()
