"""Every folder under tests/scenarios gives the verdict that its name says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from configured import SCENARIOS, scenario
from made import verdict

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = sorted(folder for folder in SCENARIOS.iterdir() if folder.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scenario(folder: Path) -> None:
    control, _, shows = (folder / "README").read_text().partition(": ")
    evidence, policy = scenario(folder)
    result = verdict(control, evidence, policy)
    told = f"{shows}\n{result.message}\n{result.observed}"
    assert result.verdict.value == folder.name.rpartition(".")[2], told
