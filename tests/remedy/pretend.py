"""A pytest plugin, for tests of the question only: a host that drifted, reached without a network.

What would be done to it is appended to the file that ``IPVS_AUDIT_TEST_DONE`` names.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from made import census, netns
from planned import host

from ipvs_audit import pytest_run
from ipvs_audit.remedy.apply import Answer, Report
from ipvs_audit.remedy.door import LiveDoor
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from ipvs_audit.remedy.steps import Plan
    from ipvs_audit.snapshot import Snapshot

DONE = Path(os.environ["IPVS_AUDIT_TEST_DONE"])


def _taken(name: str) -> Snapshot:
    made = host({"/etc/sysctl.conf": ""}, census=census(netns(raw="1")))
    found = replace(made, target=name)
    found.__dict__.update({key: one for key, one in made.__dict__.items() if key != "target"})
    return found


def _gather(audit: Any, names: set[str], into: Path, *_rest: Any, **_more: Any) -> None:
    with store.Writer(into) as saved:
        for name in sorted(names):
            audit.hold([_taken(name)])
            saved.write(_taken(name))


def _look(_self: LiveDoor, name: str) -> Snapshot:
    return _taken(name)


def _apply(_self: LiveDoor, name: str, plan: Plan) -> Report:
    with DONE.open("a") as done:
        done.write(f"{name}: {len(plan.steps)} steps\n")
    return Report((Answer(1, "failed", "this host is only pretended"),), whole=True)


def _undo(_self: LiveDoor, *_rest: object) -> Report:
    return Report((Answer(1, "restored", ""),), whole=True)


pytest_run.gather = _gather
LiveDoor.look, LiveDoor.apply, LiveDoor.undo = _look, _apply, _undo  # type: ignore[method-assign, assignment]
