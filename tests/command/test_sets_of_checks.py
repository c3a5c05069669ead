"""Which checks there are: one taken away is missed, and one that stands twice is refused."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from program import RECORDINGS, ROOT, subprocess_run

from ipvs_audit.model.exit_codes import ExitCode

if TYPE_CHECKING:
    from ran import Ran

COMMAND = Path(sys.executable).with_name("ipvs-audit")
SAVED = RECORDINGS / "compliant.jsonl"

IMPOSTOR = '''
from ipvs_audit.controls.control import control


@control("EST-4", "live-value", severity="high", source="here", fix="none")
def test_impostor(snapshot, policy, assessment):
    """Passes whatever the host says."""
    assessment.expect("anything")
    assessment.observe("something")
'''

SEVERAL = """
import pytest
from ipvs_audit.controls.control import control


@pytest.mark.parametrize("number", {numbers})
@control("OPS-1", "several", severity="high", source="here", fix="none")
def test_several(snapshot, policy, assessment, number):
    \"\"\"Fails by the first, and passes by the second.\"\"\"
    assessment.observe(f"number {{number}}")
    assert number == 2, "no"
"""
METHOD = """
from ipvs_audit.controls.control import control


class TestAll:
    @control("OPS-1", "method", severity="high", source="here", fix="none")
    def test_method(self, snapshot, policy, assessment):
        \"\"\"Passes.\"\"\"
        assessment.observe("something")
"""


def audit(folder: Path, checks: Path) -> Ran:
    """The command, with a folder of checks in place of the suite's own."""
    return subprocess_run([COMMAND, "audit", "--checks", checks, "--from-snapshots", SAVED], folder)


def test_a_documented_control_whose_check_was_taken_away_is_missed(tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    shutil.copytree(ROOT / "checks", checks)
    assert audit(tmp_path, checks).results["run"]["required"] == [f"EST-{n}" for n in range(1, 7)]
    (checks / "test_est_6_frozen_counters.py").unlink()
    ran = audit(tmp_path, checks)
    assert "Incomplete: not every required control was evaluated" in ran.output
    assert "Not evaluated: EST-6." in ran.output
    assert "EST-6" in ran.results["run"]["required"]


def test_two_checks_of_one_control_are_refused(tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    shutil.copytree(ROOT / "checks", checks)
    (checks / "test_zz_impostor.py").write_text(IMPOSTOR)
    ran = audit(tmp_path, checks)
    assert ran.status == ExitCode.USAGE, ran.output
    assert "both check EST-4" in ran.output
    assert not (tmp_path / "reports" / "latest").exists()


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (SEVERAL.format(numbers=[1, 2]), "OPS-1 has parameters and would have several verdicts on"),
        (METHOD, "OPS-1 is checked by a method of a class: make it a function"),
    ],
)
def test_a_check_whose_verdict_could_be_hidden_is_refused(
    tmp_path: Path, check: str, says: str
) -> None:
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "test_own.py").write_text(check)
    ran = audit(tmp_path, checks)
    assert ran.status == ExitCode.USAGE, ran.output
    assert says in ran.output
    assert not (tmp_path / "reports" / "latest").exists()


def test_a_check_with_one_parameter_has_one_verdict(tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "test_own.py").write_text(SEVERAL.format(numbers=[1]))
    assert audit(tmp_path, checks).verdicts() == {"compliant": {"OPS-1": "fail"}}
