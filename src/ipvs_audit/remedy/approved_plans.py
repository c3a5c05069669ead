"""Plans that somebody has approved, as the run that made them reported them.

>>> ApprovedPlans("r1", sha256, {"web1": plan_sha256(plan)}).check(plan) == plan  # doctest: +SKIP
True
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.remedy.journal import step_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.remedy.plan_steps import Plan


def plan_sha256(plan: Plan) -> str:
    """Of what the plan does: equal for two plans that change the same things in the same way.

    The contents of each file before and after count, and each running value with its namespace. The
    order does not: of namespaces it is that in which the probe found them.
    """
    entries = sorted(json.dumps(step_entry(step), sort_keys=True) for step in plan.steps)
    return hashlib.sha256("\n".join(entries).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ApprovedPlans:
    """What an operator has read and approved.

    Attributes:
        run: the id of the run that made the plans.
        results_sha256: of its results.json.
        plans: the digest of each plan that could be carried out, by host.
    """

    run: str
    results_sha256: str
    plans: Mapping[str, str]

    @property
    def entry(self) -> dict[str, str]:
        """What a journal keeps of it."""
        return {"approved_plan": self.run, "approved_results_sha256": self.results_sha256}

    def check(self, plan: Plan) -> Plan:
        """The plan, or the same as one that needs approval where another was approved, or none."""
        if not plan.ready or self.plans.get(plan.target) == plan_sha256(plan):
            return plan
        why = (
            "this is not the plan that was approved"
            if plan.target in self.plans
            else "no plan was approved for this host"
        )
        return replace(
            plan, needs_approval=f"{why} (run {self.run}); approve a new --remediate-plan run"
        )
