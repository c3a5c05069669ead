"""A remedied run in the reports: before and after, plan and outcome, in every one of them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from sample_run import host, run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.results import RemedyResult, Run, StepResult
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report import junit, results_json
from ipvs_audit.report.html import index_page
from ipvs_audit.report.terminal import render_summary

NASTY = "<script>alert(1)</script>\x1b[31m & \u202e"
STEP = StepResult("EST-2", f"change /etc/{NASTY}", NASTY, f"+{NASTY}", "written")
REMEDY = RemedyResult(RemediationStatus.REMEDIATED, NASTY, (NASTY,), (STEP,))


def remedied() -> Run:
    made = host("web1")
    controls = tuple(replace(one, before=Verdict.FAIL) for one in made.controls)
    return bounded(run((replace(made, controls=controls, remedy=REMEDY),)).completed())


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (RemediationStatus.NEEDS_APPROVAL, "Not done. With approval, these steps are taken:"),
        (RemediationStatus.CANNOT_BE_REMEDIATED, "Not done. These steps would be needed:"),
        (RemediationStatus.NOT_ATTEMPTED, "Not done. These steps were planned:"),
        (RemediationStatus.REMEDIATED, ""),
    ],
)
def test_the_page_says_of_steps_that_they_were_not_done(
    tmp_path: Path, status: RemediationStatus, said: str
) -> None:
    made = remedied()
    done = replace(REMEDY, status=status)
    index_page.write(replace(made, hosts=(replace(made.hosts[0], remedy=done),)), tmp_path)
    page = "".join(path.read_text() for path in tmp_path.rglob("*.html"))
    assert ("Not done. " in page) == bool(said)
    assert said in page


def test_results_json_comes_back_as_it_was(tmp_path: Path) -> None:
    made = remedied()
    results_json.write(made, tmp_path / "results.json")
    found = results_json.load(tmp_path / "results.json")
    assert found.hosts == made.hosts
    assert found.hosts[0].remedy == made.hosts[0].remedy
    assert found.hosts[0].controls[0].before is Verdict.FAIL


def test_junit_tells_what_was_before(tmp_path: Path) -> None:
    junit.write(remedied(), tmp_path / "junit.xml")
    text = (tmp_path / "junit.xml").read_text()
    assert 'name="remediation"' in text
    assert 'name="before remediation"' in text
    assert "EST-2 fail" in text
    assert "\x1b" not in text


def test_the_page_shows_before_and_after_and_the_steps_inert(tmp_path: Path) -> None:
    index_page.write(remedied(), tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "Remediation: remediated" in page
    assert "fail →" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("remediated", "remediation: 1 remediated; undo with: --rollback r1\n"),
        ("reverted", "remediation: 1 reverted\n"),
        ("planned", "remediation: 1 planned\n"),
        ("rolled_back", "remediation: 1 rolled back\n"),
        ("rollback_failed", "remediation: 1 rollback failed\n"),
    ],
)
def test_the_terminal_says_how_many_hosts_became_what_and_the_way_back(
    status: str, told: str
) -> None:
    out, made = io.StringIO(), remedied()
    hosts = tuple(
        replace(host, remedy=replace(REMEDY, status=RemediationStatus(status)))
        for host in made.hosts
    )
    render_summary(replace(made, hosts=hosts), Path("reports/r1"), Console(file=out, width=100))
    assert told in out.getvalue()
