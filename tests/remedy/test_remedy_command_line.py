"""The remedy as an operator types it: what is refused before any host is contacted, and reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from planned import host

from ipvs_audit.remedy.editable_files import SECTION
from ipvs_audit.remedy.journal import Event, Journal
from ipvs_audit.snapshot import store

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def audit(reports: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--reports", str(reports), *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--remediate"], "no terminal to ask for confirmation: add --yes"),
        (["--rollback", "r1"], "no terminal to ask for confirmation: add --yes"),
        (["--rollback", "r1", "--yes"], "no such journal"),
        (["--remediate", "--yes", "--resume", "latest"], "hosts are changed from new evidence"),
        (["--rollback", "", "--yes"], "name the run to undo"),
        (["--remediate", "--yes", "--max-failures", "-1"], "--max-failures: give a number"),
        (["--remediate", "--yes", "--grace", "1e300"], "--grace: give a number of seconds, 0 to"),
        (["--remediate", "--remediate-plan"], "use only one of"),
        (["--plan-format", "shell"], "add --remediate-plan"),
        (["--remediate-plan", "--approved-plan", "r1"], "--approved-plan is for --remediate"),
        (["--remediate", "--yes", "--approved-plan", "none"], "none: No such file or directory"),
        (["--remediate", "--yes", "--from-snapshots", "x"], "has no hosts to change"),
        (["--remediate", "--yes", "--batches", "1,x"], "--batches: 'x' is not a number of hosts"),
        (["--remediate", "--yes", "-n", "2"], "remove -n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_and_exits_4(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = audit(tmp_path / "reports", *arguments)
    assert said in done.stdout, done.stdout
    assert done.returncode == 4


def test_a_rollback_of_a_rollback_is_refused_before_any_host_is_contacted(tmp_path: Path) -> None:
    with Journal(tmp_path / "reports/r2/journal.jsonl", run="r2", who="ops") as journal:
        journal.record(Event.ROLLBACK_STARTED, of="r1")
    done = audit(tmp_path / "reports", "--rollback", "r2", "--yes")
    assert "r2 is itself a rollback" in done.stdout, done.stdout
    assert "--rollback r1" in done.stdout
    assert done.returncode == 4


def test_a_host_with_nothing_to_do_is_not_touched(tmp_path: Path) -> None:
    done = audit(tmp_path / "reports", "--remediate", "--yes")
    assert done.returncode == 0, done.stdout
    results = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    assert results["hosts"][0]["remedy"]["status"] in ("already_compliant", "cannot_be_remediated")
    assert not (tmp_path / "reports" / "latest" / "journal.jsonl").exists()


def test_plans_of_saved_evidence_stand_in_terminal_and_page(tmp_path: Path) -> None:
    evidence = tmp_path / "snapshots.jsonl"
    [saved] = store.read(ROOT / "tests" / "recordings" / "drifted.jsonl")
    sections = {**saved.sections, **host({"/etc/sysctl.conf": ""}).sections}  # type: ignore[union-attr]
    conf = saved.config.files.get("/etc/sysctl.conf")  # type: ignore[union-attr]
    text = sections[SECTION].output
    if conf is not None and conf.sha256:
        empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        text = text.replace(empty, conf.sha256)
    sections[SECTION] = type(sections[SECTION])(SECTION, "od", text, None, 1.0)
    saved = type(saved)(saved.target, saved.collection, sections)  # type: ignore[call-arg, union-attr]
    store.write(evidence, [saved])
    done = audit(
        tmp_path / "reports",
        *("--remediate-plan", "--plan-format", "shell", "--from-snapshots", evidence),
    )
    assert done.returncode == 1, done.stdout
    assert "+net.ipv4.vs.run_estimation = 0" in done.stdout
    assert "1 host to change: 2 files, 1 running value;" in done.stdout
    [script] = (tmp_path / "reports" / "plans").glob("*/*.sh")
    assert f"{script.parent} holds 1 script" in done.stdout
    assert "/etc/sysctl.conf" in script.read_text()
    page = (tmp_path / "reports" / "latest" / "index.html").read_text()
    assert "Remediation: planned" in page
    assert "+net.ipv4.vs.run_estimation = 0" in page
