from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.audit.baseline import BaselineError, compare, find_baseline, load_baseline
from ipvs_audit.model.comparison import kind_of
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report.write import point_latest, write_reports

if TYPE_CHECKING:
    from ipvs_audit.model.results import HostResult, Run


def since(tmp_path: Path, before: Run, now: Run) -> dict[str, object]:
    shutil.rmtree(tmp_path / "before", ignore_errors=True)
    write_reports(before, None, tmp_path / "before")
    found = compare(load_baseline(tmp_path / "before"), now)
    kinds = ("newly_failing", "fixed", "still_failing", "unproven")
    return {
        name: [(one.host, one.control, one.was, one.now) for one in getattr(found, name)]
        for name in kinds
    } | {"appeared": found.appeared, "gone": found.gone, "notes": found.notes}


def web(verdict: Verdict, name: str = "web1", waiver: str | None = None) -> HostResult:
    return sample_run.host(name, sample_run.result("EST-4", verdict, "x", waiver=waiver))


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ("pass", "fail", "newly_failing"),
        ("", "fail", "newly_failing"),
        ("inconclusive", "fail", "newly_failing"),
        ("fail", "fail", "still_failing"),
        ("fail", "pass", "fixed"),
        ("fail", "error", "unproven"),
        ("fail", "inconclusive", "unproven"),
        ("fail", "not_applicable", "unproven"),
        ("fail", "", "unproven"),
        ("pass", "error", "unproven"),
        ("pass", "not_applicable", ""),
        ("pass", "pass", ""),
        ("error", "error", ""),
        ("error", "pass", ""),
    ],
)
def test_each_change_has_its_kind(was: str, now: str, kind: str) -> None:
    assert kind_of(was, now) == kind


def test_a_host_that_cannot_be_asked_is_not_fixed(tmp_path: Path) -> None:
    down = replace(sample_run.lab_hosts()[-1], name="web1")
    found = since(tmp_path, sample_run.run((web(Verdict.FAIL),)), sample_run.run((down,)))
    assert found["fixed"] == []
    assert ("web1", "EST-4", "fail", "error") in found["unproven"]  # type: ignore[operator]


def test_a_waiver_mends_nothing(tmp_path: Path) -> None:
    waived = sample_run.run((web(Verdict.FAIL, waiver="OPS-1"),))
    for before, now in ((waived, sample_run.run((web(Verdict.FAIL),))), (waived, waived)):
        assert since(tmp_path, before, now)["still_failing"] == [("web1", "EST-4", "fail", "fail")]


def test_hosts_appear_and_go(tmp_path: Path) -> None:
    before = sample_run.run((web(Verdict.PASS, "old"), web(Verdict.PASS)))
    now = sample_run.run((web(Verdict.PASS), web(Verdict.FAIL, "new")))
    found = since(tmp_path, before, now)
    assert (found["appeared"], found["gone"]) == (("new",), ("old",))
    assert found["newly_failing"] == [("new", "EST-4", "", "fail")]


def test_what_was_not_asked_is_not_compared_and_said_so(tmp_path: Path) -> None:
    now = sample_run.run((replace(web(Verdict.PASS), controls=()),))
    now = replace(now, controls=now.controls[:1], policy_sha256="0" * 64)
    found = since(tmp_path, sample_run.run((web(Verdict.FAIL),)), now)
    assert found["unproven"] == []
    assert "EST-2, EST-3, EST-4, EST-5, EST-6" in str(found["notes"])
    assert "The policy differs" in str(found["notes"])


def test_latest_is_the_last_run_and_missing_at_first(tmp_path: Path) -> None:
    assert find_baseline(Path("latest"), tmp_path) is None
    write_reports(sample_run.run(), None, tmp_path / "one")
    point_latest(tmp_path, tmp_path / "one")
    found = find_baseline(Path("latest"), tmp_path)
    assert found is not None
    assert found.verdicts["drifted"]["EST-4"] == "fail"


def test_a_baseline_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"none: No such file.*name a run's directory"):
        load_baseline(tmp_path / "none")
    write_reports(sample_run.run(), None, tmp_path / "run")
    results = tmp_path / "run" / "results.json"
    text = results.read_text()
    results.write_text(text.replace("jenkins", "eve"))
    with pytest.raises(BaselineError, match="differs from the digest in the manifest"):
        load_baseline(tmp_path / "run")
    results.write_text("{}")
    with pytest.raises(BaselineError, match=r"--baseline: .*schema is None"):
        load_baseline(tmp_path / "run")
