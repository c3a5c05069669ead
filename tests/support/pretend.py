"""A pytest plugin, for tests of the question only: a host that drifted, reached without a network.

What would be done to it is appended to the file that ``IPVS_AUDIT_TEST_DONE`` names. Where
``IPVS_AUDIT_TEST_UNMEASURED`` is set, the change succeeds for the running value, and measuring the
latency after it raises what the variable names. ``IPVS_AUDIT_TEST_WORKS`` only lets it succeed.
``IPVS_AUDIT_TEST_HOLD`` names a phase that lasts until the file ``go`` lies beside the first: then
the file ``held`` does.
``IPVS_AUDIT_TEST_EDITED`` names a host whose /etc/sysctl.conf holds one line more.
``IPVS_AUDIT_TEST_CHANGED`` lets each host have changed since its plan was made, the first time.
"""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from made import census, netns
from planned import host

from ipvs_audit.audit import latency
from ipvs_audit.plugin import run
from ipvs_audit.remedy import remediation
from ipvs_audit.remedy.host_access import HostConnections
from ipvs_audit.remedy.rollout import roll_out
from ipvs_audit.remedy.script_answers import Note, NoteKind, ScriptResult, StepAnswer, StepOutcome
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.snapshot import Snapshot

DONE = Path(os.environ["IPVS_AUDIT_TEST_DONE"])


UNMEASURED = os.environ.get("IPVS_AUDIT_TEST_UNMEASURED")
WORKS = UNMEASURED or "IPVS_AUDIT_TEST_WORKS" in os.environ
#: Not empty where hosts have changed; then also the names of those that were tried.
CHANGED = ["-"] if "IPVS_AUDIT_TEST_CHANGED" in os.environ else []
RAISED = {"OSError": OSError(28, "No space left on device"), "ValueError": ValueError("odd")}


def _snapshot(name: str, raw: str = "1") -> Snapshot:
    conf = "vm.swappiness = 7\n" if name == os.environ.get("IPVS_AUDIT_TEST_EDITED") else ""
    made = host({"/etc/sysctl.conf": conf}, census=census(netns(raw=raw)))
    when = (
        replace(made.collection, finished="2026-01-01T00:00:01.000Z")
        if raw == "0"
        else made.collection
    )
    found = replace(made, target=name, collection=when)
    own = ("target", "collection")
    found.__dict__.update({key: one for key, one in made.__dict__.items() if key not in own})
    return found


def _collect_evidence(audit: Any, names: set[str], into: Path, *_rest: Any, **_more: Any) -> None:
    with store.Writer(into) as saved:
        for name in sorted(names):
            audit.add_evidence([_snapshot(name)])
            saved.write(_snapshot(name))


def _hold(phase: str) -> None:
    if os.environ.get("IPVS_AUDIT_TEST_HOLD") != phase:
        return
    DONE.with_name("held").touch()
    while not DONE.with_name("go").exists():
        time.sleep(0.05)


def _collect(_self: HostConnections, name: str, _within: float = 0) -> Snapshot:
    _hold("collect")
    return _snapshot(name, "0" if WORKS and DONE.exists() else "1")


def _time(*_: Any) -> bool:
    if DONE.exists():
        raise RAISED[UNMEASURED or ""]
    return False


def _apply(_self: HostConnections, name: str, plan: Plan, _within: float = 0) -> ScriptResult:
    if CHANGED and name not in CHANGED:
        CHANGED.append(name)
        return ScriptResult(
            (StepAnswer(1, StepOutcome.CHANGED, "it has changed since the plan was made"),),
            (Note(NoteKind.UNCHANGED, "nothing was changed"),),
            complete=True,
        )
    with DONE.open("a") as done:
        done.write(f"{name}: {len(plan.steps)} steps\n")
    _hold("apply")
    if WORKS:
        steps = range(1, len(plan.steps) + 1)
        return ScriptResult(tuple(StepAnswer(one, StepOutcome.SET) for one in steps), complete=True)
    return ScriptResult(
        (StepAnswer(1, StepOutcome.FAILED, "this host is only pretended"),), complete=True
    )


def _undo(_self: HostConnections, *_rest: object, **_more: object) -> ScriptResult:
    _hold("undo")
    return ScriptResult((StepAnswer(1, StepOutcome.RESTORED),), complete=True)


def _cut_short(*given: Any, **named: Any) -> Any:
    """The rollout, and then a disk or a terminal that fails."""
    roll_out(*given, **named)
    raise OSError(errno.EIO, "Input/output error")


run.collect_evidence = _collect_evidence
if "IPVS_AUDIT_TEST_CUT_SHORT" in os.environ:
    remediation.roll_out = _cut_short
if UNMEASURED:
    latency.measure_latency = _time
HostConnections.collect, HostConnections.apply, HostConnections.undo = _collect, _apply, _undo  # type: ignore[method-assign, assignment]
