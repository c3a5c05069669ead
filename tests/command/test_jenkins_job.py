"""What the Jenkinsfile runs, with the environment that it sets, in a workspace of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from pretended_runs import LONG, begin
from program import PYTEST, ROOT, connected

if TYPE_CHECKING:
    from pathlib import Path

JENKINSFILE = (ROOT / "Jenkinsfile").read_text()
#: The shell side, in order: what merges shards, a run of the audit, and the history of all nights.
MERGE, AUDIT, HISTORY = (
    script.replace("\\\\", "\\")
    for script in re.findall(r"script: '''(#!/bin/sh\n.+?)'''", JENKINSFILE, re.DOTALL)
)
INVENTORY = """\
all:
  hosts:
    here: {ansible_connection: local}
    down: {ansible_host: 127.0.0.1, ansible_port: 1}
    spare: {ipvs_audit_exclude: in the rack}
"""


@dataclass
class Workspace:
    """A checkout of an inventory's own repository; ipvs-audit is installed elsewhere."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def sh(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A step of the pipeline; its variables come on top of the pipeline's own."""
        file = self.folder / "step.sh"
        file.write_text(script)
        return subprocess.run(
            ["sh", file],
            cwd=self.folder,
            env=self.exported(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )

    def exported(self, **variables: str) -> dict[str, str]:
        """What a step finds in its environment: Jenkins leaves out what has no value."""
        told = os.environ | self.environment | variables
        return {name: value for name, value in told.items() if value}

    def audit(self, name: str, shard: str = "", **more: str) -> tuple[int, str]:
        ran = self.sh(AUDIT, RUN_NAME=name, RUN_SHARD=shard, **more)
        return ran.returncode, ran.stdout

    def clean(self, stage: str = "Audit") -> None:
        """What a stage does first."""
        text = JENKINSFILE.partition(f"stage('{stage}')")[2].partition("stage(")[0]
        (step,) = re.findall(r"sh '+(\s*rm [^']+)'", text)
        assert self.sh(f"set -e\n{step}").returncode == 0

    def keep_as_baseline(self) -> None:
        """What copyArtifacts brings of the last build."""
        (pattern,) = set(re.findall(r"filter: '([^']+)'", JENKINSFILE))
        assert pattern == "published/fleet/results.json, published/fleet/manifest.sha256"
        kept = self.folder / "copied"
        for path in [p for part in pattern.split(", ") for p in self.folder.glob(part)]:
            place = kept / path.relative_to(self.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
        self.clean()
        kept.rename(self.folder / "baseline")

    def results(self, name: str) -> dict[str, dict[str, object]]:
        made: dict[str, dict[str, object]] = json.loads(
            (self.folder / "published" / name / "results.json").read_text()
        )
        return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    for name in ("policy.yml", "waivers.yml"):
        shutil.copy(ROOT / "inventories" / name, tmp_path)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", tmp_path / "key"],
        check=True,
        timeout=20,
    )
    (tmp_path / "known_hosts").write_text("")
    (tmp_path / "allowed").write_text(f"ci {(tmp_path / 'key.pub').read_text()}")
    return Workspace(
        tmp_path,
        {
            "PATH": f"{PYTEST.parent}:{os.environ['PATH']}",
            "INVENTORY": "hosts.yml",
            "LIMIT": "",
            "POLICY": "policy.yml",
            "WAIVERS": "waivers.yml",
            "ACCEPT_STATISTICS_LOSS": "false",
            "ACCEPT_RECIPE_SIDE_EFFECTS": "false",
            "KNOWN_HOSTS_FILE": str(tmp_path / "known_hosts"),
            "SSH_USER": "audit",
            "SSH_KEY_FILE": str(tmp_path / "key"),
            "SIGNING_KEY": str(tmp_path / "key"),
            "BUILD_URL": "https://ci.example.com/job/ipvs-audit/12/",
        },
    )


def test_every_variable_that_the_steps_read_is_one_that_the_jenkinsfile_sets() -> None:
    read = {
        name
        for script in (AUDIT, MERGE, HISTORY)
        for name in re.findall(r"\$\{?([A-Z][A-Z_]+)", script)
    }
    assert {"INVENTORY", "RUN_NAME", "SIGNING_KEY"} <= read
    for name in read - {"BUILD_NUMBER"}:  # that one Jenkins sets
        assert re.search(rf"name: '{name}'|\"{name}=|[vV]ariable: '{name}'", JENKINSFILE), (
            f"{name} is not set"
        )


@pytest.mark.parametrize("script", [AUDIT, MERGE, HISTORY], ids=["audit", "merge", "history"])
def test_the_steps_pass_shellcheck(script: str, tmp_path: Path) -> None:
    (tmp_path / "step.sh").write_text(script)
    shellcheck = PYTEST.with_name("shellcheck")
    done = subprocess.run(
        [shellcheck, "-s", "sh", tmp_path / "step.sh"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_two_nights_and_the_second_is_compared_with_the_first(workspace: Workspace) -> None:
    status, said = workspace.audit("fleet")
    assert status == 1, said  # down is an error
    first = workspace.results("fleet")
    assert first["run"]["job"] == "https://ci.example.com/job/ipvs-audit/12/"
    assert first["run"]["baseline"] is None
    published = workspace.folder / "published" / "fleet"
    assert {"index.html", "junit-001.xml", "results.csv", "results.prom", "results.sarif"} <= {
        path.name for path in published.iterdir()
    }
    assert not any(path.is_symlink() for path in published.rglob("*"))
    assert published.stat().st_mode & 0o077 == 0
    assert not [path for path in published.rglob("*") if path.stat().st_mode & 0o077]
    verified = workspace.sh("ipvs-audit verify published/fleet --allowed-signers allowed")
    assert verified.returncode == 0, verified.stdout
    assert "signature: made by ci" in verified.stdout

    workspace.keep_as_baseline()
    for shard in ("1/2", "2/2"):
        status, said = workspace.audit("fleet", shard)
        assert status in (0, 1), said
        told = json.loads((workspace.folder / "shards" / shard[0] / "results.json").read_text())
        # They share the agent's cores.
        assert " ".join(told["run"]["argv"]).endswith(
            f"--shard {shard} --processes 1 --baseline baseline/published/fleet"
        )
    merged = workspace.sh(MERGE)
    assert merged.returncode == 0, merged.stdout
    second = workspace.results("fleet")
    assert second["run"]["baseline"]["id"] == first["run"]["id"]  # type: ignore[index]
    assert second["run"]["counts"]["hosts"] == {  # type: ignore[index]
        "inventory": 3,
        "assessed": 1,
        "unreachable": 1,
        "excluded": 1,
        "not_selected": 0,
        "left_out": 0,
    }
    # Nothing changed: no mail.
    changes = workspace.sh("ipvs-audit changes published/fleet")
    assert (changes.returncode, changes.stdout) == (0, "")


def test_the_history_has_this_night_and_those_before_it_up_to_ninety(workspace: Workspace) -> None:
    for build in ("7", "8", "97"):
        workspace.clean()
        status, said = workspace.audit("fleet", LIMIT="down")
        assert status == 1, said
        drawn = workspace.sh(HISTORY, BUILD_NUMBER=build)
        assert drawn.returncode == 0, drawn.stdout
    assert "History of 2 runs" in drawn.stdout
    assert {path.name for path in (workspace.folder / "kept").iterdir()} == {"8", "97"}
    page = workspace.folder / "published" / "history" / "index.html"
    assert "2 runs, " in page.read_text()
    assert not [path for path in page.parent.iterdir() if path.stat().st_mode & 0o077]


def test_nobody_else_on_the_agent_reads_what_copy_artifact_brings(workspace: Workspace) -> None:
    workspace.clean()
    for name in ("baseline", "kept"):
        assert (workspace.folder / name).stat().st_mode & 0o077 == 0


def test_a_plan_and_a_remedy_need_no_terminal_and_change_no_host_that_is_down(
    workspace: Workspace,
) -> None:
    status, said = workspace.audit("plan", LIMIT="down")
    assert status == 1, said
    assert workspace.results("plan")["hosts"][0]["remedy"]["status"] == "cannot_be_remediated"  # type: ignore[index]
    status, said = workspace.audit(
        "remedy",
        LIMIT="down",
        ACCEPT_STATISTICS_LOSS="true",
        ACCEPT_RECIPE_SIDE_EFFECTS="true",
    )
    assert status == 1, said
    argv = workspace.results("remedy")["run"]["argv"]
    assert argv[argv.index("--approved-plan") + 1] == "published/plan"  # type: ignore[attr-defined, index]
    accepted = {"--accept-statistics-loss", "--accept-recipe-side-effects"}
    assert {"--remediate", "--yes", *accepted} <= set(argv)  # type: ignore[call-overload]


def test_a_remedy_without_the_plan_that_was_approved_changes_nothing(workspace: Workspace) -> None:
    status, said = workspace.audit("remedy", LIMIT="down")
    assert status == 4, said
    assert "--approved-plan: published/plan: No such file or directory" in said


def test_an_aborted_build_has_the_reports_of_what_was_collected(
    workspace: Workspace, mute: int
) -> None:
    """Jenkins' abort sends SIGTERM to every process of the build, the step's shell included."""
    (workspace.folder / "hosts.yml").write_text(
        "all:\n  hosts:\n    here: {ansible_connection: local}\n"
        f"    mute: {{ansible_host: 127.0.0.1, ansible_port: {mute}}}\n"
    )
    (workspace.folder / "step.sh").write_text(AUDIT)
    process = begin(
        ["sh", "step.sh"],
        lambda: connected(mute),
        workspace.exported(RUN_NAME="fleet"),
        workspace.folder,
    )
    os.killpg(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=LONG)[0]
    assert process.returncode == 2, said
    results = workspace.results("fleet")
    assert results["run"]["interrupted"] is True  # type: ignore[call-overload]
    assert (workspace.folder / "published" / "fleet" / "index.html").is_file()


def test_a_remedy_that_was_killed_keeps_its_journal_in_the_next_build(workspace: Workspace) -> None:
    journal = workspace.folder / "reports/remedy/.r1.7.journal/journal.jsonl"
    stale = workspace.folder / "reports/fleet/r0/results.json"
    for path in (journal, stale):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    workspace.clean()
    workspace.clean("Remediate")
    assert journal.exists()
    assert not stale.exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"INVENTORY": "none.yml"},
        {"LIMIT": "nowhere*"},
        {"LIMIT": "here; touch pwned"},
        {"LIMIT": "$(touch pwned)`touch pwned`"},
        {"WAIVERS": "none.yml"},
        {"SIGNING_KEY": "none"},
    ],
    ids=" ".join,
)
def test_a_run_that_went_wrong_is_neither_success_nor_findings_and_publishes_nothing(
    bad: dict[str, str], workspace: Workspace
) -> None:
    stale = workspace.folder / "reports" / "fleet"
    (stale / "old").mkdir(parents=True)
    (stale / "latest").symlink_to("old")
    status, said = workspace.audit("fleet", **bad)
    assert status == 4, said
    assert not (workspace.folder / "published" / "fleet").exists()
    assert not (workspace.folder / "pwned").exists()
