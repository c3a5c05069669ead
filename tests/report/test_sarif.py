"""results.sarif as GitHub takes it: by the rules of its page "SARIF support for code scanning"."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sample_run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report import sarif

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.model.results import Run

LAB = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))
LEVELS = {"none", "note", "warning", "error"}


def files(run: Run, directory: Path) -> list[Any]:
    sarif.write(bounded(run.completed()), directory / "results.sarif")
    paths = [directory / "results.sarif", *sorted(directory.glob("results-*.sarif"))]
    return [json.loads(path.read_text()) for path in paths]


def results(run: Run, directory: Path) -> list[Any]:
    return [one for file in files(run, directory) for one in file["runs"][0]["results"]]


@pytest.mark.parametrize("run", [LAB, sample_run.hostile_run()], ids=["lab", "hostile"])
def test_github_takes_every_result(run: Run, tmp_path: Path) -> None:
    (file,) = files(run, tmp_path)
    (only,) = file["runs"]
    assert len(only["results"]) <= 5_000
    for rule in only["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert len(rule["properties"]["tags"]) <= 10
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
    for one in only["results"]:
        assert one["message"]["text"]
        assert one["level"] in LEVELS
        assert one["partialFingerprints"]["primaryLocationLineHash"]
        for location in one["locations"]:
            place = location["physicalLocation"]
            uri = place["artifactLocation"]["uri"]
            assert uri
            assert not uri.startswith("/")
            assert ".." not in uri.split("/")
            assert place["region"]["startLine"] >= 1


def test_only_problems_are_results(tmp_path: Path) -> None:
    found = {one["properties"]["verdict"] for one in results(LAB, tmp_path)}
    assert found == {"fail", "error", "inconclusive"}
    ours = LAB.completed().verdicts()
    assert len(results(LAB, tmp_path)) == ours["fail"] + ours["error"] + ours["inconclusive"]


def test_a_waived_failure_is_a_suppressed_note(tmp_path: Path) -> None:
    (waived,) = (one for one in results(LAB, tmp_path) if "suppressions" in one)
    assert (waived["kind"], waived["level"]) == ("fail", "note")


def test_a_result_without_a_file_of_the_host_is_at_its_check(tmp_path: Path) -> None:
    (idle,) = (one for one in results(LAB, tmp_path) if one["properties"]["host"] == "idle")
    place = idle["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "checks/test_est_6.py"


@pytest.mark.parametrize("name", ["..", ".", "../../etc", "a/../../b"])
def test_no_hosts_name_leads_out_of_the_repository(name: str, tmp_path: Path) -> None:
    evil = sample_run.result("EST-2", Verdict.FAIL, "/../../etc/x.conf:3 sets 1")
    (one,) = results(sample_run.run((sample_run.host(name, evil),)), tmp_path)
    uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert not {"..", "."} & set(uri.split("/"))
    assert uri.endswith("/etc/x.conf")


def test_what_is_too_much_for_a_file_goes_into_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = results(LAB, tmp_path)
    monkeypatch.setattr(sarif, "MOST_RESULTS", 4)
    parts = files(LAB, tmp_path)
    assert [one for part in parts for one in part["runs"][0]["results"]] == whole
    assert all(1 <= len(part["runs"][0]["results"]) <= 4 for part in parts)
    names = [part["runs"][0]["automationDetails"]["id"].rpartition("/")[0] for part in parts]
    assert len(set(names)) == len(parts) > 1


def test_a_file_ends_before_it_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_CHARACTERS", 3_000)
    parts = files(LAB, tmp_path)
    assert len(parts) > 1
    for part in parts:
        sizes = [len(json.dumps(one)) for one in part["runs"][0]["results"]]
        assert len(sizes) == 1 or sum(sizes) < 4_000


def test_a_run_without_a_problem_is_a_file_that_closes_the_alerts(tmp_path: Path) -> None:
    right = replace(sample_run.run((sample_run.host("web1"),)))
    (file,) = files(right, tmp_path)
    assert file["runs"][0]["results"] == []


def test_no_link_of_a_host_is_alive_in_a_message(tmp_path: Path) -> None:
    host = next(host for host in LAB.hosts if host.controls)
    said = [
        replace(one, message="see [the [fix]](https://evil.example) [1]") for one in host.controls
    ]
    run = replace(LAB, hosts=(replace(host, controls=tuple(said)),), notes=("[a](b)",))
    for file in files(run, tmp_path):
        for result in file["runs"][0]["results"]:
            assert result["message"]["text"].endswith(
                r"see \[the \[fix]](https://evil.example) \[1]"
            )
        (invocation,) = file["runs"][0]["invocations"]
        assert r"\[a](b)" in [
            one["message"]["text"] for one in invocation["toolExecutionNotifications"]
        ]
