"""Only the plan that somebody approved is carried out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sample_run
from changing import running_value, write
from pretended_runs import changed, unattended

from ipvs_audit.audit.remediation import ApprovedPlanError, load_approved
from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.remedy.approved_plans import ApprovedPlans, plan_sha256
from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.report.write import write_reports

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.remedy.plan_steps import Step

FILE = write("/etc/sysctl.conf", b"a = 1\n", b"a = 1\nb = 0\n")
NEW = write("/etc/modprobe.d/ipvs.conf", None, b"install ip_vs x\n")
OWN = running_value(1, 1, 0, own=True)
POD = running_value(7, 1, 0)
APPROVED = Plan("web1", (FILE, NEW, OWN, POD))


@pytest.mark.parametrize(
    "steps",
    [
        (FILE, NEW, OWN),
        (FILE, NEW, OWN, POD, running_value(8, 1, 0)),
        (replace(FILE, after=b"a = 1\nb = 0"), NEW, OWN, POD),
        (replace(FILE, before=b"a = 1"), NEW, OWN, POD),
        (replace(FILE, path="/etc/sysctl.d/x.conf"), NEW, OWN, POD),
        (FILE, replace(NEW, before=b""), OWN, POD),
        (FILE, NEW, replace(OWN, before=2), POD),
        (FILE, NEW, replace(OWN, after=1), POD),
        (FILE, NEW, OWN, replace(POD, inode=8)),
        (FILE, NEW, OWN, replace(POD, name="another")),
        (FILE, NEW, OWN, replace(POD, own=True)),
    ],
)
def test_any_other_change_is_another_plan(steps: tuple[Step, ...]) -> None:
    approved = ApprovedPlans("r1", "", {"web1": plan_sha256(APPROVED)})
    found = approved.check(Plan("web1", steps))
    assert not found.ready
    assert found.status is RemediationStatus.NEEDS_APPROVAL
    assert found.needs_approval.startswith("this is not the plan that was approved (run r1)")


def test_what_changes_the_same_is_the_same_plan() -> None:
    other = Plan(
        "web1", (FILE, NEW, POD, replace(OWN, inode=9, reason="x")), notes=("other words",)
    )
    approved = ApprovedPlans("r1", "", {"web1": plan_sha256(APPROVED)})
    assert approved.check(other) is other


def test_another_hosts_plan_approves_nothing() -> None:
    approved = ApprovedPlans("r1", "", {"web2": plan_sha256(APPROVED)})
    assert "no plan was approved for this host" in approved.check(APPROVED).needs_approval


def test_what_cannot_be_done_keeps_its_reason() -> None:
    blocked = replace(APPROVED, blocked="read-only")
    assert ApprovedPlans("r1", "", {}).check(blocked) is blocked


@pytest.mark.slow
def test_a_host_whose_plan_differs_from_the_approved_one_is_skipped(tmp_path: Path) -> None:
    planned = unattended(tmp_path, "--remediate-plan")
    approved = (tmp_path / "reports" / "latest").resolve()
    assert f"--remediate --approved-plan {approved}" in planned.stdout.replace("\n", "")

    arguments = ("--remediate", "--yes", "--approved-plan", str(approved))
    done = unattended(
        tmp_path, *arguments, IPVS_AUDIT_TEST_EDITED="web1", IPVS_AUDIT_TEST_WORKS="1"
    )
    assert changed(tmp_path) == "web2: 3 steps\n", done.stdout
    assert done.returncode == 1
    latest = tmp_path / "reports" / "latest"
    for name in ("index.html", "results.json", "junit.xml"):
        assert "this is not the plan that was approved" in (latest / name).read_text(), name
    started = json.loads((latest / "journal.jsonl").read_text().partition("\n")[0])
    assert started["approved_plan"] == approved.name


def test_a_run_without_plans_or_with_changed_results_approves_nothing(tmp_path: Path) -> None:
    made = sample_run.run((sample_run.host("web1"),))
    write_reports(made, None, tmp_path / "r1")
    with pytest.raises(ApprovedPlanError, match="name a --remediate-plan run"):
        load_approved(tmp_path / "r1")
    with (tmp_path / "r1" / "results.json").open("a") as results:
        results.write(" ")
    with pytest.raises(ApprovedPlanError, match="differs from the digest in the manifest"):
        load_approved(tmp_path / "r1")
    (tmp_path / "r1" / "manifest.sha256").unlink()
    with pytest.raises(ApprovedPlanError, match=r"no manifest\.sha256 .* names results\.json"):
        load_approved(tmp_path / "r1")
