"""A pytest plugin, for tests of the question only: a host that drifted, reached without a network.

What would be done to it is appended to the file that ``IPVS_AUDIT_TEST_DONE`` names. Where
``IPVS_AUDIT_TEST_UNMEASURED`` is set, the change succeeds for the running value, and measuring the
latency after it raises what the variable names.
"""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from made import census, netns
from planned import host

from ipvs_audit.plugin import run
from ipvs_audit.remedy import remediation
from ipvs_audit.remedy.apply import Answer, Report
from ipvs_audit.remedy.host_access import LiveDoor
from ipvs_audit.remedy.rollout import campaign
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.snapshot import Snapshot

DONE = Path(os.environ["IPVS_AUDIT_TEST_DONE"])


UNMEASURED = os.environ.get("IPVS_AUDIT_TEST_UNMEASURED")
RAISED = {"OSError": OSError(28, "No space left on device"), "ValueError": ValueError("odd")}


def _taken(name: str, raw: str = "1") -> Snapshot:
    made = host({"/etc/sysctl.conf": ""}, census=census(netns(raw=raw)))
    when = (
        replace(made.collection, finished="2026-01-01T00:00:01.000Z")
        if raw == "0"
        else made.collection
    )
    found = replace(made, target=name, collection=when)
    own = ("target", "collection")
    found.__dict__.update({key: one for key, one in made.__dict__.items() if key not in own})
    return found


def _gather(audit: Any, names: set[str], into: Path, *_rest: Any, **_more: Any) -> None:
    with store.Writer(into) as saved:
        for name in sorted(names):
            audit.hold([_taken(name)])
            saved.write(_taken(name))


def _look(_self: LiveDoor, name: str) -> Snapshot:
    return _taken(name, "0" if UNMEASURED and DONE.exists() else "1")


def _time(*_: Any) -> bool:
    if DONE.exists():
        raise RAISED[UNMEASURED or ""]
    return False


def _apply(_self: LiveDoor, name: str, plan: Plan) -> Report:
    with DONE.open("a") as done:
        done.write(f"{name}: {len(plan.steps)} steps\n")
    if UNMEASURED:
        steps = range(1, len(plan.steps) + 1)
        return Report(tuple(Answer(one, "set", "") for one in steps), whole=True)
    return Report((Answer(1, "failed", "this host is only pretended"),), whole=True)


def _undo(_self: LiveDoor, *_rest: object) -> Report:
    return Report((Answer(1, "restored", ""),), whole=True)


def _cut_short(*given: Any, **named: Any) -> Any:
    """The campaign, and then a disk or a terminal that fails."""
    campaign(*given, **named)
    raise OSError(errno.EIO, "Input/output error")


run.gather = _gather
if "IPVS_AUDIT_TEST_CUT_SHORT" in os.environ:
    remediation.campaign = _cut_short
if UNMEASURED:
    run.time_hosts = _time
LiveDoor.look, LiveDoor.apply, LiveDoor.undo = _look, _apply, _undo  # type: ignore[method-assign, assignment]
