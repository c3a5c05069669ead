"""What Heimdall says of results.hdf.json, by its own library."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.report import hdf

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

INSPECJS = Path(__file__).parents[2] / ".cache" / "inspecjs-2.12.6" / "package"
LAB = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))
COUNT = """
const {convertFile, hdfWrapControl} = require(process.argv[1]);
const read = convertFile(require("fs").readFileSync(process.argv[2], "utf8"), false);
const controls = read["1_0_ExecJson"].profiles.flatMap((profile) => profile.controls);
const counts = controls.map((control) => [control.id, hdfWrapControl(control).status]);
console.log(JSON.stringify(counts));
"""


def statuses(run: Run, tmp_path: Path) -> dict[str, str]:
    """Each control of the file, with the status that Heimdall gives it."""
    if not INSPECJS.is_dir() and not os.environ.get("CI"):
        pytest.skip("run tools/test-packages.sh, which fetches what Heimdall counts with")
    hdf.write(bounded(run.completed()), tmp_path / "made")
    node = subprocess.run(
        ["node", "-e", COUNT, str(INSPECJS), str(tmp_path / "made")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
        timeout=300,
    )
    return dict(json.loads(node.stdout))


@pytest.mark.parametrize("run", [LAB, sample_run.hostile_run()], ids=["lab", "hostile"])
def test_heimdalls_counts_are_ours(run: Run, tmp_path: Path) -> None:
    ours = run.completed().verdicts()
    judged = sum(ours.values()) - ours["waived"]
    not_evaluated = len(run.hosts) * len(run.controls) - judged
    assert Counter(statuses(run, tmp_path).values()) == Counter(
        {
            "Passed": ours["pass"],
            "Failed": ours["fail"] - ours["waived"],
            "Profile Error": ours["error"],
            "Not Reviewed": ours["inconclusive"] + ours["waived"] + not_evaluated,
            "Not Applicable": ours["not_applicable"],
        }
    )


def test_an_unreachable_host_hides_no_failure_of_another(tmp_path: Path) -> None:
    said = statuses(LAB, tmp_path)
    assert said["EST-4 drifted"] == "Failed"
    assert said["EST-4 down"] == "Profile Error"
    assert said["EST-4 compliant"] == "Passed"


def test_inconclusive_waived_and_excluded_are_not_reviewed(tmp_path: Path) -> None:
    said = statuses(LAB, tmp_path)
    assert {said["EST-6 idle"], said["EST-5 namespaced"], said["EST-4 spare"]} == {"Not Reviewed"}
