"""results.oscal.json against NIST's schema, and as a tool of governance and risk reads it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import sample_run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.report import oscal

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

SCHEMA = Path(__file__).parents[1] / "schemas" / "oscal-complete-1.1.3.json.gz"
LAB = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))


def document(run: Run, tmp_path: Path) -> Any:
    oscal.write(bounded(run.completed()), tmp_path / "made")
    return json.loads((tmp_path / "made").read_text("ascii"))


def result(run: Run, tmp_path: Path) -> Any:
    (only,) = document(run, tmp_path)["assessment-results"]["results"]
    return only


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    text = gzip.decompress(SCHEMA.read_bytes()).decode()
    # Python's re has no Unicode properties; these stand for the same, but for rare numerals.
    text = text.replace(r"(\\p{L}|_)", "[^\\\\W\\\\d]").replace(r"\\p{L}", "[^\\\\W\\\\d_]")
    schema = json.loads(text.replace(r"\\p{N}", "\\\\d"))
    # Of the models only this one, so that an error names its place.
    (of_results,) = (
        one for one in schema.pop("oneOf") if "assessment-results" in one["properties"]
    )
    return jsonschema.Draft7Validator(
        schema | of_results, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    )


@pytest.mark.parametrize(
    "run",
    [
        LAB,
        sample_run.hostile_run(),
        sample_run.run(()),
        replace(sample_run.run(), controls=()),
        replace(LAB, interrupted=True, finished=""),
    ],
    ids=["lab", "hostile", "empty", "unasked", "interrupted"],
)
def test_it_is_valid_against_nists_schema(
    run: Run, validator: jsonschema.Draft7Validator, tmp_path: Path
) -> None:
    wrong = list(validator.iter_errors(document(run, tmp_path)))
    assert not wrong, [(one.json_path, one.message[:200]) for one in wrong[:3]]


def test_the_schema_refuses_what_is_wrong(
    validator: jsonschema.Draft7Validator, tmp_path: Path
) -> None:
    made = document(LAB, tmp_path)
    made["assessment-results"]["results"][0]["findings"][0]["target"]["status"]["state"] = "good"
    assert list(validator.iter_errors(made))


@pytest.mark.parametrize("run", [LAB, sample_run.hostile_run()], ids=["lab", "hostile"])
def test_satisfied_is_a_pass_and_nothing_else(run: Run, tmp_path: Path) -> None:
    ours = run.completed().verdicts()
    found = Counter(
        (one["target"]["status"]["state"], one["target"]["status"]["reason"])
        for one in result(run, tmp_path)["findings"]
    )
    assert found == {
        ("satisfied", "pass"): ours["pass"],
        ("not-satisfied", "fail"): ours["fail"],
        ("not-satisfied", "other"): ours["error"] + ours["inconclusive"],
    }


def test_each_finding_leads_to_its_host_and_its_objective(tmp_path: Path) -> None:
    whole = document(LAB, tmp_path)["assessment-results"]
    (made,) = whole["results"]
    items = {one["uuid"]: one for one in made["local-definitions"]["inventory-items"]}
    observations = {one["uuid"]: one for one in made["observations"]}
    objectives = {
        part["id"]
        for one in whole["local-definitions"]["objectives-and-methods"]
        for part in one["parts"]
    }
    assert len(items) == 8
    for finding in made["findings"]:
        (related,) = finding["related-observations"]
        (subject,) = observations[related["observation-uuid"]]["subjects"]
        host = items[subject["subject-uuid"]]["description"]
        assert finding["title"].endswith(f" on {host}")
        assert finding["target"]["target-id"] in objectives


def test_a_waived_failure_is_an_approved_deviation_and_not_satisfied(tmp_path: Path) -> None:
    made = result(LAB, tmp_path)
    (risk,) = made["risks"]
    assert risk["status"] == "deviation-approved"
    assert "OPS-1412" in risk["statement"]
    (finding,) = (one for one in made["findings"] if "related-risks" in one)
    assert finding["related-risks"] == [{"risk-uuid": risk["uuid"]}]
    assert finding["target"]["status"]["state"] == "not-satisfied"


def test_a_host_keeps_its_uuid_from_run_to_run(tmp_path: Path) -> None:
    later = replace(LAB, id="2026-11-24T02-00-00Z", started="2026-11-24T02:00:00.000Z")
    first, second = (result(run, tmp_path) for run in (LAB, later))
    hosts = [
        [one["uuid"] for one in made["local-definitions"]["inventory-items"]]
        for made in (first, second)
    ]
    assert hosts[0] == hosts[1]
    assert first["uuid"] != second["uuid"]
    assert first["findings"][0]["uuid"] != second["findings"][0]["uuid"]
