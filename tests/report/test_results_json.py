from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.limits import OUTPUT_CHARACTERS
from ipvs_audit.model.verdict import Evidence, Result, Verdict
from ipvs_audit.report import results_json
from ipvs_audit.report.errors import ReportError

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

PUBLISHED = Path(__file__).parents[2] / "docs" / "results.schema.json"


def written(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    results_json.write(bounded(run), path)
    return path


@pytest.mark.parametrize(
    "run",
    [
        sample_run.run(),
        sample_run.run().completed(),
        sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED)),
        sample_run.run(()),
        replace(sample_run.run(), interrupted=True, notes=("one", "two")),
        bounded(sample_run.hostile_run()),
    ],
    ids=["lab", "completed", "excluded", "empty", "interrupted", "hostile"],
)
def test_a_run_comes_back_as_it_was_written(run: Run, tmp_path: Path) -> None:
    assert results_json.load(written(run, tmp_path)) == run


def test_the_document_is_that_of_the_design(tmp_path: Path) -> None:
    run = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED)).completed()
    document = json.loads(written(run, tmp_path).read_text())
    assert document["schema"] == "ipvs-audit/results/1"
    counts = document["run"]["counts"]
    assert counts["hosts"] == {
        "inventory": 8,
        "assessed": 6,
        "unreachable": 1,
        "excluded": 1,
        "not_selected": 0,
        "left_out": 0,
    }
    assert sum(counts["hosts"].values()) == 2 * counts["hosts"]["inventory"]
    assert counts["verdicts"]["waived"] == 1
    verdicts = [control["verdict"] for host in document["hosts"] for control in host["controls"]]
    for verdict in Verdict:
        assert counts["verdicts"][verdict.value] == verdicts.count(verdict.value)
    down = document["hosts"][6]
    assert (down["name"], down["reachable"]) == ("down", False)
    assert {control["verdict"] for control in down["controls"]} == {"error"}
    assert document["hosts"][7]["reachable"] is None


def test_the_published_schema_is_the_one_that_the_code_has() -> None:
    made = json.dumps(results_json.schema(), indent=2) + "\n"
    assert PUBLISHED.read_text() == made, (
        "run: python -m ipvs_audit.report.results_json > docs/results.schema.json"
    )


@pytest.mark.parametrize("run", [sample_run.run(), sample_run.hostile_run(), sample_run.run(())])
def test_what_is_written_is_valid_against_the_published_schema(run: Run, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(PUBLISHED.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(written(run.completed(), tmp_path).read_text())
    jsonschema.validate(document, schema)
    document["hosts"] = [{"name": "web1"}]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_the_file_is_ascii_with_one_host_a_line(tmp_path: Path) -> None:
    raw = written(sample_run.hostile_run(), tmp_path).read_bytes()
    assert raw.isascii()
    assert not set(raw) & (set(range(32)) - {10})
    text = written(sample_run.run(), tmp_path).read_text()
    assert sum(line.startswith('{"name":') for line in text.splitlines()) == 7


def test_lone_surrogates_become_visible_for_strict_readers(tmp_path: Path) -> None:
    path = written(replace(sample_run.run(), operator="a\ud800b\x1b"), tmp_path)
    assert results_json.load(path).operator == "a\\ud800b\x1b"


def test_ten_megabytes_of_output_are_cut_and_marked(tmp_path: Path) -> None:
    flood = Evidence("yes", "y\n" * 5_000_000, 0, "root (uid 0)", "2026-11-23T02:00:00Z", cut=3)
    host = sample_run.host("web1", sample_run.result("EST-4", evidence=(flood,)))
    path = written(sample_run.run((host,)), tmp_path)
    assert path.stat().st_size < 300_000
    back = results_json.load(path).hosts[0].result("EST-4")
    assert isinstance(back, Result)
    assert len(back.evidence[0].output) == OUTPUT_CHARACTERS
    assert back.evidence[0].cut == 10_000_000 - OUTPUT_CHARACTERS + 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: "", "is not JSON"),
        (lambda text: text[:-40], "is not JSON, or was cut short"),
        (lambda _: "[" * 100_000, "is not JSON"),
        (lambda _: "[]", "schema is None"),
        (lambda text: text.replace("results/1", "results/9"), "schema is 'ipvs-audit/results/9'"),
        (lambda text: text.replace('"verdict":"fail"', '"verdict":"fial"'), "verdict"),
        (lambda text: text.replace('"state":"assessed"', '"state":"asleep"'), "hosts.0.state"),
        (lambda text: text.replace('"unreachable":1', '"unreachable":0'), "hosts add up to"),
    ],
    ids=["empty", "cut", "deep", "list", "schema", "verdict", "state", "counts"],
)
def test_a_bad_file_is_refused_with_file_and_place(change, said: str, tmp_path: Path) -> None:  # noqa: ANN001
    path = written(sample_run.run(), tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ReportError) as refused:
        results_json.load(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"none\.json: cannot be read: No such file"):
        results_json.load(tmp_path / "none.json")


def test_readers_pass_over_fields_that_a_later_version_adds(tmp_path: Path) -> None:
    path = written(sample_run.run(), tmp_path)
    document = json.loads(path.read_text())
    document["hosts"][0]["later"] = document["run"]["later"] = 1
    path.write_text(json.dumps(document))
    assert results_json.load(path) == sample_run.run()


def test_a_pass_that_was_not_evaluated_is_no_pass(tmp_path: Path) -> None:
    path = written(sample_run.run(), tmp_path)
    text = path.read_text()
    assert '"evaluated":true' in text
    path.write_text(text.replace('"evaluated":true', '"evaluated":false', 1))
    with pytest.raises(ReportError, match="was not evaluated, yet its verdict is"):
        results_json.load(path)


def test_a_duplicate_host_is_refused(tmp_path: Path) -> None:
    path = written(sample_run.run(), tmp_path)
    path.write_text(path.read_text().replace('"name":"drifted"', '"name":"compliant"'))
    with pytest.raises(ReportError, match=r"results\.json: the host compliant is a duplicate"):
        results_json.load(path)
