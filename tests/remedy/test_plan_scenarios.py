"""Every scenario folder, planned for: what a plan promises, the checks confirm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from configured import SCENARIOS, scenario
from made import verdict
from planned import file_steps, scenario_host, then

from ipvs_audit.model.verdict import Verdict
from ipvs_audit.remedy.file_edits import MARKER, lines_of
from ipvs_audit.remedy.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.remedy.plan_steps import Plan

FOLDERS = sorted(folder for folder in SCENARIOS.iterdir() if folder.is_dir())


@pytest.mark.parametrize("remedy", ["auto", "recipe", "drop-in"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_is_planned_passes_and_leaves_the_rest_alone(folder: Path, remedy: str) -> None:
    evidence, policy = scenario(folder)
    policy = policy.model_copy(update={"remedy": remedy})
    evidence = scenario_host(evidence, folder)
    made = make_plan(evidence, policy)
    if made.blocked or evidence.module.state == "absent":
        return
    after = then(evidence, made)
    if evidence.census.host.raw is not None:
        for control in ("EST-2", "EST-3"):
            result = verdict(control, after, policy)
            assert result.verdict is Verdict.PASS, f"{result.message}\n{_shown(made)}"
    assert not make_plan(after, policy).steps, _shown(make_plan(after, policy))
    for step in file_steps(made):
        assert step.path.startswith("/etc/")
        _only_ours_changed(step.before or b"", step.after)


def _only_ours_changed(before: bytes, after: bytes) -> None:
    """Every line that is gone concerned the key; all others are there, in their order.

    A hook may have got a command more.
    """
    left = [line.removeprefix(MARKER.encode()).strip() for line in lines_of(after)]
    for line in lines_of(before):
        if line.strip() in left:
            left = left[left.index(line.strip()) + 1 :]
        elif line.startswith(b"install"):
            assert any(each.startswith(line.strip()) for each in left), line
        else:
            assert b"run_estimation" in line, line


def _shown(made: Plan) -> str:
    return "\n".join([made.status, *(step.detail for step in made.steps)])
