"""The audit of the embedded fleet: the designed verdicts, in every report alike."""

from __future__ import annotations

import html.parser
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ipvs_audit.cli.main import main
from ipvs_audit.probe.printed import Printed
from lab import expected_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.guest import Guest

ROOT = Path(__file__).parents[2]
#: An emulated guest on a busy machine takes longer than a host does.
PATIENT = ("--connect-timeout", "120", "--deadline", "600")
CONTROLS = [f"EST-{number}" for number in range(1, 7)]


@dataclass(frozen=True)
class AuditRun:
    status: int
    output: str
    folder: Path

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        document = json.loads((self.folder / "results.json").read_text())
        return {host["name"]: host for host in document["hosts"]}

    def verdict(self, host: str, control: str) -> str:
        (found,) = [one for one in self.hosts[host]["controls"] if one["id"] == control]
        return str(found["verdict"])


def audit(reports: Path, *arguments: str | Path) -> AuditRun:
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest"), "--reports", reports, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        env=os.environ | {"COLUMNS": "100"},
        check=False,
    )
    return AuditRun(done.returncode, done.stdout, reports / "latest")


def as_audit(fleet: Path) -> dict[str, Any]:
    """The fleet's inventory, logging in as the account that is not root."""
    document: dict[str, Any] = yaml.safe_load((fleet / "inventory.yml").read_text())
    document["all"].setdefault("vars", {})["ansible_user"] = "audit"
    for host in document["all"].get("hosts", {}).values():
        host.pop("ansible_user", None)
    return document


@pytest.fixture(scope="module")
def ran(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> AuditRun:
    return audit(
        tmp_path_factory.mktemp("reports"),
        "--inventory",
        fleet / "inventory.yml",
        *PATIENT,
    )


def test_every_verdict_is_the_designed_one(ran: AuditRun) -> None:
    assert expected_verdicts.differences(ran.folder / "results.json") == []
    assert ran.status == 1


def test_the_terminal_shows_the_same_verdicts(ran: AuditRun) -> None:
    for name, host in ran.hosts.items():
        (line,) = [row for row in ran.output.splitlines() if row.split(" ")[0] == name]
        words = re.split(r"\s{2,}", line.strip())[1:]
        assert words == [one["verdict"].replace("_", " ") for one in host["controls"]]


def test_junit_shows_the_same_verdicts(ran: AuditRun) -> None:
    suites = ET.parse(ran.folder / "junit.xml").getroot().iter("testsuite")  # noqa: S314  # ours
    seen: dict[tuple[str, str], str] = {}
    for suite in suites:
        for case in suite.iter("testcase"):
            control = str(case.get("name")).split(" ")[0]
            told = "pass"
            for kind in ("failure", "error", "skipped"):
                if (element := case.find(kind)) is not None:
                    told = {"failure": "fail", "error": "error"}.get(kind) or str(
                        element.get("message")
                    ).split(":")[0].replace(" ", "_")
            seen[str(suite.get("name")), control] = told
    assert seen == {
        (name, one["id"]): one["verdict"]
        for name, host in ran.hosts.items()
        for one in host["controls"]
    }


class _Matrix(html.parser.HTMLParser):
    """Reads the rows of the page's host x control table as a person would: word by word."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += f" {data.strip()}"


def test_the_page_shows_the_same_verdicts(ran: AuditRun) -> None:
    matrix = _Matrix()
    matrix.feed((ran.folder / "index.html").read_text())
    words = "pass|fail|error|inconclusive|not applicable"
    for name, host in ran.hosts.items():
        rows = [
            row
            for row in matrix.rows
            if len(row) == len(CONTROLS) + 1 and row[0].split()[:1] == [name]
        ]
        assert len(rows) == 1, (name, rows)
        shown = [re.search(words, cell) for cell in rows[0][1:]]
        assert [one and one[0].replace(" ", "_") for one in shown] == [
            one["verdict"] for one in host["controls"]
        ]


def test_every_judged_verdict_brings_evidence(ran: AuditRun) -> None:
    for name, host in ran.hosts.items():
        for one in host["controls"]:
            if one["verdict"] in ("pass", "fail"):
                assert one["evidence"], (name, one["id"])
                assert all(shown["user"] == "root (uid 0)" for shown in one["evidence"])
                assert all(shown["at"].endswith("Z") for shown in one["evidence"])


def test_the_host_that_is_down_is_one_error_within_its_timeout(ran: AuditRun) -> None:
    down = ran.hosts["down"]
    assert down["reachable"] is False
    assert {one["message"] for one in down["controls"]} == {down["reason"]}
    assert "efused" in down["reason"]


def test_saved_evidence_gives_the_same_without_the_hosts(ran: AuditRun, tmp_path: Path) -> None:
    again = audit(tmp_path, "--from-snapshots", ran.folder.resolve())
    assert again.hosts == ran.hosts
    assert again.status == ran.status


def test_a_printed_probe_gives_the_verdicts_of_the_same_guests_over_ssh(
    ran: AuditRun, guest: Callable[[str], Guest], tmp_path: Path
) -> None:
    printed = Printed.now(span=5, every_namespace=False)
    (tmp_path / "probe.sh").write_bytes(printed.script())
    one = guest("compliant").ssh("sh -s", stdin=printed.script())
    (tmp_path / "compliant.txt").write_text(one.stdout)
    for command in (commands := printed.commands(20_000)):
        other = guest("namespaced").ssh("sh -s", stdin=command.encode())
    assert len(commands) > 1
    (tmp_path / "namespaced.txt").write_text(other.stdout)
    assert guest("namespaced").ssh("ls -d /run/ipvs-audit-*", check=False).stdout == ""
    answers = (str(tmp_path / f"{name}.txt") for name in ("compliant", "namespaced"))
    evidence = tmp_path / "evidence"
    assert (
        main(["import", "--script", str(tmp_path / "probe.sh"), "--into", str(evidence), *answers])
        == 0
    )
    imported = audit(tmp_path, "--from-snapshots", evidence)
    for name in ("compliant", "namespaced"):
        for control in CONTROLS:
            assert imported.verdict(name, control) == ran.verdict(name, control)


def test_without_root_the_audit_says_what_it_could_not_see(fleet: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(as_audit(fleet)))
    unprivileged = audit(tmp_path, "--inventory", path, *PATIENT, "--limit", "namespaced:compliant")
    assert unprivileged.verdict("compliant", "EST-4") == "pass"
    assert unprivileged.verdict("compliant", "EST-2") == "pass"
    # Namespaces of other users' processes are hidden from it: nothing is proven, nothing passed.
    assert unprivileged.verdict("compliant", "EST-5") == "inconclusive"
    assert unprivileged.verdict("compliant", "EST-6") == "inconclusive"
    assert unprivileged.verdict("namespaced", "EST-5") == "inconclusive"
    assert "audit (uid" in json.dumps(unprivileged.hosts)


def test_become_sees_what_root_sees(fleet: Path, tmp_path: Path) -> None:
    document = as_audit(fleet)
    document["all"]["vars"]["ansible_become"] = True
    path = tmp_path / "become.json"
    path.write_text(json.dumps(document))
    ran = audit(tmp_path, "--inventory", path, *PATIENT, "--limit", "namespaced")
    assert ran.verdict("namespaced", "EST-5") == "fail"
    assert ran.verdict("namespaced", "EST-6") == "pass"


def test_the_other_direction_turns_the_live_verdicts_round(ran: AuditRun, tmp_path: Path) -> None:
    turned = audit(tmp_path, "--from-snapshots", ran.folder.resolve(), "--estimation", "enabled")
    assert turned.verdict("compliant", "EST-4") == "fail"
    assert turned.verdict("compliant", "EST-6") == "fail"
    assert turned.verdict("drifted", "EST-4") == "pass"
    assert turned.verdict("drifted", "EST-6") == "pass"
