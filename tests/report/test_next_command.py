"""What is offered as the next command is taken by the audit, and speaks of the same hosts."""

from __future__ import annotations

from dataclasses import replace

import sample_run

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.results import RemedyResult
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report.next_command import next_command

DIRECTORY = "reports/2026-11-23T02-00-00Z"
BASE = "pytest --inventory inventories/lab.yml"
REMEDIABLE = tuple(replace(one, remediable=one.id != "EST-1") for one in sample_run.CONTROLS)


def of(*hosts: sample_run.HostResult, argv: tuple[str, ...] | None = None) -> str:
    run = replace(sample_run.run(hosts), controls=REMEDIABLE)
    return next_command(replace(run, argv=argv or run.argv), DIRECTORY)[1]


FAILING = sample_run.host("web1", sample_run.result("EST-4", Verdict.FAIL))
OLD = sample_run.host("old", sample_run.result("EST-1", Verdict.FAIL))
GOOD = sample_run.host("good")
DOWN = sample_run.lab_hosts()[-1]


def test_a_failure_that_can_be_remediated_leads_to_the_plan() -> None:
    assert of(FAILING, GOOD) == f"{BASE} --limit web1 --remediate-plan"
    assert of(FAILING) == f"{BASE} --remediate-plan"


def test_one_that_cannot_leads_to_another_audit() -> None:
    assert of(OLD, GOOD) == f"{BASE} --limit old"
    assert of(OLD, FAILING, GOOD) == f"{BASE} --limit web1 --remediate-plan"


def test_hosts_that_could_not_be_reached_are_audited_again() -> None:
    assert of(DOWN, GOOD) == f"{BASE} --limit down"


def test_where_all_passes_there_is_nothing_to_type() -> None:
    assert of(GOOD) == ""


def test_many_hosts_keep_the_limit_that_was_given() -> None:
    hosts = [replace(FAILING, name=f"web{number}") for number in range(2000)]
    argv = ("ipvs-audit", "audit", "-q", "--inventory=prod.yml", "--limit", "a:&b", "--format=csv")
    wanted = "ipvs-audit audit --inventory prod.yml --limit 'a:&b' --remediate-plan"
    assert of(*hosts, GOOD, argv=argv) == wanted


def test_a_host_named_like_a_pattern_is_no_limit() -> None:
    assert of(replace(FAILING, name="a:!b; reboot"), GOOD) == f"{BASE} --remediate-plan"


def test_a_plan_leads_to_doing_just_that() -> None:
    planned = replace(FAILING, remedy=RemedyResult(RemediationStatus.PLANNED))
    assert of(planned, GOOD) == f"{BASE} --limit web1 --remediate --approved-plan {DIRECTORY}"


def test_saved_evidence_and_merged_runs_name_no_hosts_to_reach() -> None:
    assert of(FAILING, argv=("pytest", "--from-snapshots", "reports/latest")) == ""
    assert of(FAILING, argv=("ipvs-audit", "merge", "a", "b")) == ""


def test_a_machine_without_ip_vs_leads_to_an_inventory() -> None:
    not_here = [
        sample_run.result(one.id, Verdict.NOT_APPLICABLE, "ip_vs is not present on this host")
        for one in REMEDIABLE
    ]
    lone = sample_run.host("localhost", *not_here)
    assert of(lone, argv=("ipvs-audit", "audit")) == "ipvs-audit audit --inventory FILE"
