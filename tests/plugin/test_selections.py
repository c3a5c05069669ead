"""pytest's selection with the audit's options: what is left out is said, and is never a verdict.

Each case is a run of its own in a child of this process, on the evidence of two healthy hosts.
"""

from __future__ import annotations

import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ran import Ran

import ipvs_audit.plugin.hooks  # noqa: F401  # the children need not import it
from ipvs_audit.plugin.selection import marker_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LIVE = "checks/test_est_4_live_value.py"
ALL = frozenset(f"EST-{number}" for number in range(1, 7))
_RECORDED = ROOT / "tests" / "recordings" / "compliant.jsonl"


def told(ran: Ran) -> dict[str, frozenset[str]]:
    """The controls that have a verdict, by host; of hosts that were assessed."""
    hosts = ran.results["hosts"]
    assert all(
        one["verdict"] in ("pass", "not_applicable") for host in hosts for one in host["controls"]
    )
    return {
        host["name"]: frozenset(one["id"] for one in host["controls"])
        for host in hosts
        if host["state"] == "assessed"
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The evidence of a healthy host, under two names."""
    line = _RECORDED.read_text().strip()
    named = '"target":"compliant"'
    assert line.count(named) == 1
    path = tmp_path / "snapshots.jsonl"
    both = (line.replace(named, f'"target":"{name}"') for name in ("lb1", "lb2"))
    path.write_text("".join(f"{one}\n" for one in both))
    return path


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yml"
    path.write_text("all:\n  hosts:\n    lb1:\n    lb2:\n")
    return path


@pytest.fixture
def audit(tmp_path: Path) -> Callable[..., Ran]:
    def run(*arguments: str | Path) -> Ran:
        reports, output = tmp_path / "reports", tmp_path / "output"
        words = ["-c", "pyproject.toml", "-W", "ignore", "--reports", str(reports)]
        # In pytest's own place it would tidy up what is left of other runs.
        words += [f"--basetemp={tmp_path}/inner", "-o", f"cache_dir={tmp_path}/cache"]
        words += map(str, arguments)
        child = os.fork()
        if not child:
            _run(words, output)
        _, status = os.waitpid(child, 0)
        return Ran(os.waitstatus_to_exitcode(status), output.read_text(), reports)

    return run


def _run(words: list[str], output: Path) -> None:
    """Be pytest; the plugin is imported already, so this takes no second to start."""
    status = 70
    try:
        os.chdir(ROOT)
        os.environ["COLUMNS"] = "200"
        os.environ.pop("PYTEST_CURRENT_TEST", None)
        with output.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout = sys.stderr = file
            status = int(pytest.main(words))
    finally:
        os._exit(status)


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (["-k", "lb1"], {"lb1": ALL}),
        (["-k", "not lb1"], {"lb2": ALL}),
        (["-k", "lb1 and live_value"], {"lb1": {"EST-4"}}),
        ([f"{LIVE}::test_live_value[lb2]"], {"lb2": {"EST-4"}}),
        ([LIVE], {"lb1": {"EST-4"}, "lb2": {"EST-4"}}),
        (["-m", "est1"], {"lb1": {"EST-1"}, "lb2": {"EST-1"}}),
        (["-m", "est1 or est4", "-k", "lb1"], {"lb1": {"EST-1", "EST-4"}}),
        (["-m", "not est4"], {"lb1": ALL - {"EST-4"}, "lb2": ALL - {"EST-4"}}),
        (["-m", "high or medium or low"], {"lb1": ALL, "lb2": ALL}),
        (["--ignore", LIVE], {"lb1": ALL - {"EST-4"}, "lb2": ALL - {"EST-4"}}),
        (["--deselect", f"{LIVE}::test_live_value[lb1]"], {"lb1": ALL - {"EST-4"}, "lb2": ALL}),
        (["--deselect", LIVE, "-k", "lb2"], {"lb2": ALL - {"EST-4"}}),
        (["--limit", "lb2", "-m", "est4"], {"lb2": {"EST-4"}}),
        (["--limit", "lb1", "-k", "lb1"], {"lb1": ALL}),
        (["-n", "2", "-k", "lb1"], {"lb1": ALL}),
        (["-n", "2", "-m", "est4"], {"lb1": {"EST-4"}, "lb2": {"EST-4"}}),
        (["--remediate-plan", "-k", "lb1"], {"lb1": ALL}),
        (["--lf"], {"lb1": ALL, "lb2": ALL}),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, list) else "",
)
def test_what_is_left_out_is_a_state_of_its_own(
    audit: Callable[..., Ran],
    saved: Path,
    inventory: Path,
    selection: list[str],
    wanted: dict[str, set[str]],
) -> None:
    ran = audit("--from-snapshots", saved, "--inventory", inventory, *selection)
    assert ran.status == 0, ran.output
    assert told(ran) == wanted
    counts = ran.results["run"]["counts"]["hosts"]
    limited = int("--limit" in selection)
    assert counts == {
        "inventory": 2,
        "assessed": len(wanted),
        "unreachable": 0,
        "excluded": 0,
        "not_selected": 2 - limited - len(wanted),
        "left_out": limited,
    }
    (verdict,) = re.findall(r"^(?:Compliant|Incomplete): .*$", ran.output, re.MULTILINE)
    assert verdict.startswith("Compliant") == all(one == ALL for one in wanted.values()) * (
        not counts["not_selected"]
    )
    assert ("1 of 2 hosts was not selected" in verdict) == bool(counts["not_selected"])


def test_a_host_that_was_left_out_is_told_in_every_format(
    audit: Callable[..., Ran], saved: Path, inventory: Path
) -> None:
    formats = ("--format", "csv,sarif,hdf,prometheus")
    ran = audit("--from-snapshots", saved, "--inventory", inventory, "-k", "lb1", *formats)
    latest = ran.reports / "latest"
    assert (
        "2 hosts in the inventory = 1 assessed + 0 unreachable + 0 excluded + 1 not selected"
        in (ran.output)
    )
    assert re.search(r"^lb2 +not selected *$", ran.output, re.MULTILINE)
    (host,) = (one for one in ran.results["hosts"] if one["name"] == "lb2")
    assert (host["state"], host["reachable"], host["verdict"], host["controls"]) == (
        *("not_selected", None, None),
        [],
    )
    why = "not selected: no check was selected for it"
    assert why in (latest / "index.html").read_text()
    assert why in (latest / "results.sarif").read_text()
    hdf = json.loads((latest / "results.hdf.json").read_text())
    of_lb2 = [
        one
        for control in hdf["profiles"][0]["controls"]
        for one in control["results"]
        if one["code_desc"].startswith("lb2:")
    ]
    assert {(one["status"], one["message"]) for one in of_lb2} == {("skipped", why)}
    assert ",lb2,ungrouped,not_selected," in (latest / "results.csv").read_text() or (
        ",lb2,,not_selected," in (latest / "results.csv").read_text()
    )
    metrics = (latest / "results.prom").read_text()
    assert 'ipvs_audit_hosts{state="not_selected"} 1' in metrics
    assert 'ipvs_audit_hosts_by_verdict{verdict="not_selected"} 1' in metrics
    (case,) = (
        one
        for one in ET.parse(latest / "junit.xml").iter("testcase")  # noqa: S314  # our own
        if one.get("classname") == "ipvs_audit.lb2"
    )
    (skipped,) = case
    assert (skipped.tag, skipped.get("type")) == ("skipped", "not selected")


def test_evidence_of_a_selection_is_evaluated_again_as_one(
    audit: Callable[..., Ran], saved: Path, inventory: Path
) -> None:
    first = audit("--from-snapshots", saved, "--inventory", inventory, "-k", "lb1")
    run = (first.reports / "latest").resolve()
    again = audit("--from-snapshots", run)
    assert again.status == 0, again.output
    assert again.results["run"]["counts"] == first.results["run"]["counts"]
    assert told(again) == {"lb1": ALL}


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_selection_of_nothing_says_so(
    audit: Callable[..., Ran], saved: Path, more: tuple[str, ...]
) -> None:
    ran = audit("--from-snapshots", saved, "-k", "nosuch", *more)
    assert ran.status == 5, ran.output
    assert "ipvs-audit: no check was selected by -k 'nosuch': no host was contacted" in ran.output
    assert not ran.reports.exists()


def test_a_control_by_its_id_is_shown_the_marker(audit: Callable[..., Ran], saved: Path) -> None:
    ran = audit("--from-snapshots", saved, "-k", "EST-4 or est-1")
    assert ran.status == 5, ran.output
    assert "no report was written; select controls with: -m 'est1 or est4'" in ran.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--setup-plan"], "--setup-plan runs no check"),
        (["--setup-only"], "--setup-only runs no check"),
        (["--setup-plan", "--remediate", "--yes"], "--setup-plan runs no check"),
        (["--setup-only", "--rollback", "RUN", "--yes"], "--setup-only runs no check"),
        (["--collect-only", "--remediate", "--yes"], "--collect-only lists checks"),
        (["--collect-only", "--rollback", "RUN", "--yes"], "--collect-only lists checks"),
        (["--co", "-q", "--remediate-plan"], "--collect-only lists checks"),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, list) else "",
)
def test_what_would_run_no_check_is_refused_before_any_host_is_contacted(
    audit: Callable[..., Ran], inventory: Path, words: list[str], said: str
) -> None:
    ran = audit("--inventory", inventory, *words)
    assert ran.status == 4, ran.output
    assert said in ran.output
    assert "collecting" not in ran.output
    assert not ran.reports.exists()


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "workers"])
def test_an_unknown_marker_is_refused_before_any_host_is_contacted(
    audit: Callable[..., Ran], saved: Path, more: tuple[str, ...]
) -> None:
    ran = audit("--from-snapshots", saved, "-m", "est1 or hihg", *more)
    assert ran.status == 4, ran.output
    assert "no check has the marker hihg; there are: est1, est2" in ran.output
    assert "collected 2 of 2 hosts" not in ran.output
    assert not ran.reports.exists()


@pytest.mark.parametrize("words", [["-x"], ["--maxfail", "1"], ["--stepwise"]], ids="-".join)
def test_what_a_run_that_stopped_early_did_not_look_at_is_an_error(
    audit: Callable[..., Ran], saved: Path, words: list[str]
) -> None:
    ran = audit("--from-snapshots", saved, "--estimation", "enabled", *words)
    assert ran.status in (1, 2), ran.output
    hosts = ran.results["hosts"]
    assert {host["name"] for host in hosts} == {"lb1", "lb2"}
    left = [one for host in hosts for one in host["controls"] if not one["evaluated"]]
    assert left
    assert {one["verdict"] for one in left} == {"error"}
    assert ran.results["run"]["counts"]["verdicts"]["error"] == len(left)
    assert "Compliant:" not in ran.output


def test_last_failures_are_the_last_failures_of_that_selection(
    audit: Callable[..., Ran], saved: Path
) -> None:
    on = ("--from-snapshots", saved, "--estimation", "enabled", "-k", "lb1 and live_value")
    assert audit(*on).status == 1
    again = audit("--from-snapshots", saved, "--lf")
    assert again.status == 0, again.output
    assert told(again) == {"lb1": {"EST-4"}}


def test_a_second_run_takes_files_that_the_first_one_wrote(
    audit: Callable[..., Ran], saved: Path, tmp_path: Path
) -> None:
    words = ("--from-snapshots", saved, "--junitxml", tmp_path / "own.xml", "-k", "lb1")
    assert [audit(*words).status for _ in range(2)] == [0, 0]


def test_a_marker_is_the_control_or_its_severity() -> None:
    assert [marker_of(one) for one in ("EST-1", "MY_RULE-2")] == ["est1", "myrule2"]
