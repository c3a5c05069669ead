"""The ``ipvs-audit`` command from an empty folder, and from folders that other people own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from typing import TYPE_CHECKING

import pytest
from program import PYTEST, ROOT

from ipvs_audit.cli.main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

STRANGER = {
    "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
    "conftest.py": "raise SystemExit('the conftest of a stranger was read')\n",
    "test_stranger.py": "def test_stranger(): assert False\n",
    "inventories/policy.yml": "estimation: enabled\n",
    "inventories/localhost.yml": "all: {hosts: {stranger: }}\n",
}


def ipvs_audit(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "ipvs_audit", *arguments)


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"COLUMNS": "100"},
        check=False,
    )


def test_alone_it_audits_this_machine_whatever_lies_in_the_folder(tmp_path: Path) -> None:
    for name, text in STRANGER.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    done = ipvs_audit(tmp_path)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    results = json.loads((tmp_path / "reports/latest/results.json").read_text())
    assert [host["name"] for host in results["hosts"]] == ["localhost"]
    assert [one["id"] for one in results["hosts"][0]["controls"]] == results["run"]["required"]
    assert "EST-6" in results["run"]["required"]
    assert results["run"]["argv"] == ["ipvs-audit", "audit"]
    assert results["run"]["inventory"] == ["this machine"]
    assert results["run"]["policy"]["estimation"] == "disabled"
    verified = ipvs_audit(tmp_path, "verify", "reports/latest")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_options_of_pytest_and_ours_work_together(tmp_path: Path, saved: Path) -> None:
    saved = saved.rename(tmp_path / "saved.jsonl")
    done = ipvs_audit(
        tmp_path, *("audit", "--from-snapshots", saved), *("-n", "2", "-k", "live_value")
    )
    assert done.returncode == 1, done.stdout + done.stderr
    results = json.loads((tmp_path / "reports/latest/results.json").read_text())
    assert {tuple(c["id"] for c in host["controls"]) for host in results["hosts"]} == {("EST-4",)}
    again = ipvs_audit(tmp_path, *("audit", "--from-snapshots", saved), "--lf", "--collect-only")
    assert "test_live_value[drifted]" in again.stdout
    assert "test_live_value[compliant]" not in again.stdout


def test_other_checks_are_run_where_they_are_named(tmp_path: Path) -> None:
    checks = tmp_path / "mine"
    checks.mkdir()
    (checks / "test_mine.py").write_text("def test_mine(target): assert target.name\n")
    done = ipvs_audit(tmp_path, "audit", "--checks", "mine")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_in_a_checkout_it_is_what_pytest_is(tmp_path: Path) -> None:
    done = ipvs_audit(ROOT, "audit", "--collect-only", "--reports", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "configfile: pyproject.toml" in done.stdout
    assert "test_live_value[localhost]" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_refuses_what_it_does_not_know(
    command: str, tmp_path: Path
) -> None:
    done = ipvs_audit(tmp_path, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: ipvs-audit {command}")
    wrong = ipvs_audit(tmp_path, command, "--no-such-option")
    assert wrong.returncode == 4
    assert f"ipvs-audit {command} --help" in wrong.stderr
    assert not list(tmp_path.iterdir())


def test_help_of_the_command_and_of_pytest_name_the_sections(tmp_path: Path) -> None:
    own = ipvs_audit(tmp_path, "--help").stdout
    assert all(f"\n  {command} " in own for command in COMMANDS)
    assert "exit codes:" in own
    audit = ipvs_audit(tmp_path, "audit", "--help").stdout
    pytests = run(ROOT, PYTEST, "--help")
    assert pytests.returncode == 0, pytests.stderr
    for section in ("audit", "connection", "latency", "reports", "remediation"):
        assert f"\n{section}:\n" in audit
        assert f"\nipvs-audit: {section}:\n" in pytests.stdout
    assert "1,10%,100%" in pytests.stdout
    assert "1,10%,100%" in audit


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        (["verfy"], "the commands are audit, explain, verify, render, changes, history, merge"),
        (["verfy"], "did you mean verify? "),
        (["--inventory", "x.yml"], "ipvs-audit audit --inventory x.yml"),
        (["stage"], "to audit the hosts of an inventory: ipvs-audit audit --inventory stage; "),
        (["verify", "RUN", "--alowed-signers=f"], "; did you mean --allowed-signers? see: "),
        (["audit", "--inventry", "x.yml"], " --help; did you mean --inventory?\n"),
    ],
)
def test_an_unknown_command_or_option_is_exit_4_with_the_way_out(
    words: list[str], way_out: str, tmp_path: Path
) -> None:
    (tmp_path / "stage").mkdir()
    done = ipvs_audit(tmp_path, *words)
    assert (done.returncode, done.stdout) == (4, "")
    assert way_out in done.stderr


@pytest.mark.parametrize("word", ["hosts.yml", "lb1", "stage", "stage/prod", "empty"])
def test_an_inventory_or_host_without_its_option_is_exit_4_with_the_way_out(
    word: str, tmp_path: Path
) -> None:
    (tmp_path / "stage/prod/group_vars").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("hosts.yml", "stage/test.yml"):
        (tmp_path / name).write_text("all: {hosts: {lb1: }}\n")
    done = ipvs_audit(tmp_path, "audit", word)
    assert done.returncode == 4
    assert f"--inventory {word}; to choose hosts of it: --limit {word}" in done.stderr
    assert not (tmp_path / "reports/latest").exists()


def test_version(tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ipvs_audit(tmp_path, "--version").stdout == f"ipvs-audit {version}\n"


def test_pytest_outside_a_checkout_says_the_way_out(tmp_path: Path) -> None:
    done = run(tmp_path, PYTEST, "--inventory", "hosts.yml")
    assert done.returncode == 4
    assert "from any directory use: ipvs-audit audit" in done.stderr


def test_pytest_in_a_checkout_takes_an_inventory_from_anywhere(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: {here: {ansible_connection: local}}}\n")
    done = run(ROOT, PYTEST, "--inventory", inventory, "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_live_value[here]" in done.stdout


def test_the_package_configures_pytest_as_the_checkout_does() -> None:
    checkout = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    package = ConfigParser()
    package.read(ROOT / "src/ipvs_audit/plugin/pytest.ini")
    assert package["pytest"]["addopts"].split() == checkout["addopts"]
    assert package["pytest"]["minversion"] == checkout["minversion"]
