"""The Jenkinsfile's control flow, in a stand-in for Jenkins (pipeline.groovy) that runs no step.

What it cannot show is what Jenkins itself checks: the declarative syntax and plugins' parameters.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from program import ROOT

#: Groovy comes with the linter of the Jenkinsfile, see tools/lint-jenkinsfile.sh.
GROOVY = ROOT / ".cache/npm-groovy-lint/node_modules/npm-groovy-lint/lib/java/groovy/lib"
FINDINGS = {"match": "^audit: fleet", "status": 1}
CHANGED = {"match": "^what changed.*fleet", "stdout": "1 newly failing\n\nNot compliant: ...\n"}
PLANNED = {"match": "^what changed.*plan", "stdout": "remediation: 2 planned\n"}
REPORTED = "published/fleet/results.json"
APPLY = {"REMEDIATE": "apply", "MAIL_TO": "sre@example.com"}
SCENARIOS: dict[str, dict[str, Any]] = {
    "healthy": {"params": {"MAIL_TO": "sre@example.com"}, "files": [REPORTED]},
    "first": {"first": True},
    "another agent": {"number": "40", "files": [REPORTED, "kept/12/results", "kept/39/results"]},
    "no history": {"files": [REPORTED], "sh": [{"match": "^draw the history", "status": 4}]},
    "changed": {"params": {"MAIL_TO": "sre@example.com"}, "sh": [FINDINGS, CHANGED]},
    "nobody to tell": {"sh": [FINDINGS, CHANGED]},
    "no mail server": {"params": {"MAIL_TO": "x@y"}, "sh": [CHANGED], "mail": "down"},
    "wrong inventory": {
        "params": {"MAIL_TO": "sre@example.com"},
        "sh": [{"match": "^audit", "status": 4}],
    },
    "aborted": {"sh": [{"match": "^audit", "abort": True}]},
    "shards": {"params": {"SHARDS": "3", "RECORD_ISSUES": True}},
    "bad shards": {"params": {"SHARDS": "1; id"}},
    "plan": {"params": {"REMEDIATE": "plan"}},
    "approved": {"params": APPLY, "input": "alice", "sh": [FINDINGS, PLANNED]},
    "not approved": {"params": APPLY, "sh": [FINDINGS, PLANNED]},
}


@dataclass(frozen=True)
class Build:
    result: str
    events: list[dict[str, Any]]

    def of(self, kind: str) -> list[Any]:
        return [event["what"] for event in self.events if event["kind"] == kind]

    def event(self, kind: str) -> dict[str, Any]:
        (one,) = (event for event in self.events if event["kind"] == kind)
        return one

    @property
    def audits(self) -> list[str]:
        """What each audit was told: ``RUN_NAME=fleet RUN_SHARD=``."""
        return [
            " ".join(word for word in step["environment"] if word.startswith("RUN_"))
            for step in self.of("sh")
            if step["told"].startswith("audit:")
        ]

    @property
    def stages(self) -> list[str]:
        return [stage["name"] for stage in self.of("stage")]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Build]:
    if os.environ.get("CI") != "true" and not (GROOVY.is_dir() and shutil.which("java")):
        pytest.skip("no Java, or no Groovy: make lint installs it where Node and Java are")
    given = tmp_path_factory.mktemp("pipeline") / "scenarios.json"
    given.write_text(json.dumps(list(SCENARIOS.values())))
    done = subprocess.run(
        [
            *("java", "-XX:TieredStopAtLevel=1", "-cp", f"{GROOVY}/*", "groovy.ui.GroovyMain"),
            *(Path(__file__).with_name("pipeline.groovy"), ROOT / "Jenkinsfile", given),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads(done.stdout)
    return {
        name: Build(answer["result"], answer["events"])
        for name, answer in zip(SCENARIOS, answers, strict=True)
    }


def test_an_unchanged_night_is_published_and_mailed_to_nobody(builds: dict[str, Build]) -> None:
    build = builds["healthy"]
    assert build.result == "SUCCESS"
    assert build.stages == ["Nightly", "Audit"]
    assert build.of("skipped") == ["Plan", "Approve", "Remediate"]
    assert build.audits == ["RUN_NAME=fleet RUN_SHARD="]
    assert build.of("junit") == ["published/fleet/junit*.xml"]
    assert build.of("publishHTML") == ["published/fleet", "published/history"]
    assert build.of("archiveArtifacts") == ["published/fleet/**"]
    assert not build.of("mail")
    assert not build.of("recordIssues")
    assert not any(event["locks"] for event in build.events)
    assert {"disableConcurrentBuilds", "buildDiscarder", "timestamps"} <= set(
        build.of("options")[0]
    )


def test_the_first_build_of_a_job_audits_with_the_defaults(builds: dict[str, Build]) -> None:
    """It has its parameters, but not in the environment: JENKINS-41929."""
    (audit,) = [step for step in builds["first"].of("sh") if step["told"].startswith("audit:")]
    assert {"INVENTORY=hosts.yml", "LIMIT="} <= set(audit["environment"])
    (audit,) = [step for step in builds["healthy"].of("sh") if step["told"].startswith("audit:")]
    assert "INVENTORY=hosts.yml" not in audit["environment"]


def test_the_history_takes_from_the_artifacts_what_the_workspace_lacks(
    builds: dict[str, Build],
) -> None:
    baseline, *nights = builds["another agent"].of("copyArtifacts")
    assert baseline["selector"] == "lastSuccessful"
    lacking = [number for number in range(10, 40) if number not in (12, 39)]
    assert [night["selector"] for night in nights] == [str(number) for number in lacking]
    assert [night["target"] for night in nights] == [f"kept/{number}" for number in lacking]
    for night in nights:
        assert night["filter"] == baseline["filter"]
        assert night["flatten"]
        assert night["optional"]
    assert len(builds["healthy"].of("copyArtifacts")) == 12  # the baseline, and builds 1 to 11


def test_a_night_without_results_is_not_in_the_history(builds: dict[str, Build]) -> None:
    build = builds["wrong inventory"]
    assert not [step for step in build.of("sh") if "history" in step["told"]]
    assert build.of("publishHTML") == ["published/fleet"]


def test_a_history_that_cannot_be_drawn_takes_no_report_away(builds: dict[str, Build]) -> None:
    build = builds["no history"]
    assert build.result == "UNSTABLE"
    assert build.of("publishHTML") == ["published/fleet"]


def test_findings_make_a_build_unstable_and_what_changed_is_mailed(
    builds: dict[str, Build],
) -> None:
    build = builds["changed"]
    assert build.result == "UNSTABLE"
    (mail,) = build.of("mail")
    assert mail["to"] == "sre@example.com"
    assert mail["subject"] == "IPVS audit: 1 newly failing"
    assert "Not compliant: ..." in mail["body"]
    assert "https://ci.example.com/job/ipvs-audit/12/IPVS_20fleet/" in mail["body"]
    assert not builds["nobody to tell"].of("mail")


def test_a_mail_server_that_is_down_takes_no_report_away(builds: dict[str, Build]) -> None:
    build = builds["no mail server"]
    assert build.result == "UNSTABLE"
    assert build.of("publishHTML") == ["published/fleet"]


def test_a_run_that_went_wrong_fails_the_build_and_says_so(builds: dict[str, Build]) -> None:
    build = builds["wrong inventory"]
    assert build.result == "FAILURE"
    (ended,) = build.of("ended")
    assert "the audit ended with 4" in ended
    (mail,) = build.of("mail")
    assert mail["subject"] == "IPVS audit: run failed: ipvs-audit"
    assert build.event("mail")["nodes"] == 0


def test_an_aborted_audit_is_published_and_goes_no_further(builds: dict[str, Build]) -> None:
    build = builds["aborted"]
    assert build.result == "ABORTED"
    assert build.of("publishHTML") == ["published/fleet"]
    assert build.stages == ["Nightly", "Audit"]
    assert not build.of("mail")


def test_shards_are_audited_and_merged_before_anything_is_published(
    builds: dict[str, Build],
) -> None:
    build = builds["shards"]
    assert build.audits == [f"RUN_NAME=fleet RUN_SHARD={number}/3" for number in (1, 2, 3)]
    told = [step["told"].split()[0] for step in build.of("sh")]
    assert told.index("merge") > max(at for at, word in enumerate(told) if word == "audit:")
    assert build.of("recordIssues") == ["published/fleet/*.sarif"]
    assert builds["bad shards"].result == "FAILURE"
    assert not builds["bad shards"].audits


def test_a_plan_is_published_and_changes_nothing(builds: dict[str, Build]) -> None:
    build = builds["plan"]
    assert build.audits == ["RUN_NAME=fleet RUN_SHARD=", "RUN_NAME=plan RUN_SHARD="]
    assert build.of("publishHTML") == ["published/fleet", "published/plan"]
    assert build.of("skipped") == ["Approve", "Remediate"]


def test_no_executor_and_no_lock_is_held_while_somebody_thinks(builds: dict[str, Build]) -> None:
    build = builds["approved"]
    asked = build.event("input")
    assert (asked["nodes"], asked["locks"]) == (0, 0)
    assert "remediation: 2 planned" in asked["what"]["message"]
    options = {stage["name"]: stage["options"] for stage in build.of("stage")}
    assert "timeout" in options["Approve"]


def test_what_was_approved_is_done_under_a_lock_of_its_own_and_named(
    builds: dict[str, Build],
) -> None:
    build = builds["approved"]
    assert build.of("echo") == ["approved by alice"]
    assert build.of("stash") == ["published/plan/results.json, published/plan/manifest.sha256"]
    assert build.of("unstash") == ["plan"]
    assert build.audits[-1] == "RUN_NAME=remedy RUN_SHARD="
    last = [event for event in build.events if event["kind"] == "sh"][-1]
    assert (last["nodes"], last["locks"]) == (1, 1)
    options = {stage["name"]: stage["options"] for stage in build.of("stage")}
    assert options["Remediate"] == ["lock", "timeout"]
    assert "reports/remedy/**/journal.jsonl" in build.of("archiveArtifacts")


def test_without_approval_nothing_is_changed(builds: dict[str, Build]) -> None:
    build = builds["not approved"]
    assert build.result == "ABORTED"
    assert "Remediate" not in build.stages
    assert not any("remedy" in told for told in build.audits)


def test_no_value_of_a_parameter_stands_in_the_text_of_a_command(builds: dict[str, Build]) -> None:
    """Nor do they reach the shell by the Jenkinsfile's own strings: only by the environment."""
    for build in builds.values():
        assert not [step for step in build.of("sh") if "sre@example.com" in step["told"]]
    text = (ROOT / "Jenkinsfile").read_text()
    assert not re.findall(r"\$\{?params\.(?!SHARDS)", text)
