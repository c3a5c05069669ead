"""CSV, SARIF, HDF and Prometheus: each as its readers take it."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import sample_run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report import csv as csv_report
from ipvs_audit.report import hdf, junit, prometheus, sarif
from ipvs_audit.report.formats import FORMATS
from ipvs_audit.report.options import Outputs, found_in
from ipvs_audit.report.write import write_reports

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

SCHEMAS = Path(__file__).parents[1] / "schemas"
LAB = sample_run.accompanied(sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED)))
RUNS = {
    "lab": LAB,
    "hostile": sample_run.hostile_run(),
    "empty": sample_run.run(()),
    "unasked": replace(sample_run.run(), controls=()),
    "interrupted": replace(LAB, interrupted=True, notes=("one",)),
}
runs = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def prepared(run: Run) -> Run:
    return bounded(run.completed())


def loaded(run: Run, module: Any, tmp_path: Path) -> Any:
    write = sarif.write_all if module is sarif else module.write
    write(prepared(run), tmp_path / "made")
    return json.loads((tmp_path / "made").read_text("ascii"))


def valid(document: object, schema: str) -> None:
    wanted = json.loads((SCHEMAS / schema).read_text())
    kind = jsonschema.validators.validator_for(wanted)
    kind.check_schema(wanted)
    wrong = list(kind(wanted, format_checker=kind.FORMAT_CHECKER).iter_errors(document))
    assert not wrong, [(one.json_path, one.message) for one in wrong[:3]]


@runs
def test_sarif_is_valid_against_its_schema(run: Run, tmp_path: Path) -> None:
    valid(loaded(run, sarif, tmp_path), "sarif-2.1.0.json")


@runs
def test_hdf_is_valid_for_heimdall(run: Run, tmp_path: Path) -> None:
    valid(loaded(run, hdf, tmp_path), "heimdall-exec-json.json")


def test_sarif_holds_every_result_and_suppresses_what_is_waived(tmp_path: Path) -> None:
    (made,) = loaded(LAB, sarif, tmp_path)["runs"]
    assert len(made["results"]) == 42
    rules = [rule["id"] for rule in made["tool"]["driver"]["rules"]]
    for result in made["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert (result["level"] == "none") == (result["kind"] != "fail")
    suppressed = [one for one in made["results"] if "suppressions" in one]
    assert [(one["properties"]["host"], one["ruleId"], one["kind"]) for one in suppressed] == [
        ("namespaced", "EST-5", "fail")
    ]
    assert "OPS-1412" in suppressed[0]["suppressions"][0]["justification"]
    prints = [one["partialFingerprints"]["primaryLocationLineHash"] for one in made["results"]]
    assert len(prints) == len(set(prints))


def test_a_host_without_results_is_in_every_format(tmp_path: Path) -> None:
    late = replace(sample_run.lab_hosts()[0], name="late", id="late", controls=())
    run = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED, late))
    for module in (sarif, hdf, csv_report, junit):
        module.write(prepared(run), tmp_path / "made")
        text = (tmp_path / "made").read_text()
        assert "in the rack, not yet in service" in text
        assert re.search(r"\blate\b", text)


def test_sarif_names_the_file_and_line_that_is_to_blame(tmp_path: Path) -> None:
    (made,) = loaded(LAB, sarif, tmp_path)["runs"]
    (trap,) = (
        one
        for one in made["results"]
        if one["properties"]["host"] == "trap" and one["ruleId"] == "EST-3"
    )
    place = trap["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "trap/etc/modprobe.d/ipvs.conf"
    assert place["region"]["startLine"] == 1


def test_hdf_has_a_control_for_each_control_on_each_host(tmp_path: Path) -> None:
    (profile,) = loaded(LAB, hdf, tmp_path)["profiles"]
    made = {control["id"]: control for control in profile["controls"]}
    assert len(made) == len(profile["controls"]) == 8 * 6
    assert all(len(control["results"]) == 1 for control in made.values())
    result = {name: control["results"][0] for name, control in made.items()}
    assert result["EST-5 spare"]["skip_message"] == "excluded: in the rack, not yet in service"
    assert result["EST-5 namespaced"]["status"] == "skipped"
    assert result["EST-5 namespaced"]["skip_message"].startswith("waived fail: estimation runs")
    assert "OPS-1412" in made["EST-5 namespaced"]["waiver_data"]["justification"]
    assert result["EST-5 down"]["status"] == "error"
    assert result["EST-6 idle"]["status"] == "skipped"


def test_csv_has_a_line_for_each_result_and_one_for_a_host_without(tmp_path: Path) -> None:
    csv_report.write(prepared(LAB), tmp_path / "made")
    with (tmp_path / "made").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 43
    assert rows[-1]["state"] == "excluded"
    assert {row["verdict"] for row in rows} == {verdict.word for verdict in Verdict} | {""}


def test_csv_starts_no_formula_and_a_line_is_a_line(tmp_path: Path) -> None:
    evil = sample_run.result("EST-4", message="=cmd|' /C calc'!A0", observed="  @SUM(1)\nsecond")
    csv_report.write(prepared(sample_run.run((sample_run.host("-web", evil),))), tmp_path / "made")
    text = (tmp_path / "made").read_text()
    assert len(text.splitlines()) == 7
    with (tmp_path / "made").open(newline="") as file:
        for row in csv.DictReader(file):
            assert not any(
                value.lstrip().startswith(("=", "+", "-", "@")) for value in row.values()
            )


@pytest.mark.parametrize("before", ["", " ", "\u3000", "a;", "; \u00a0", ";;"])
@pytest.mark.parametrize(
    "sign",
    [
        *"=+-@",
        *"\uff1d\uff0b\uff0d\uff20",  # full-width
        *"\ufe66\ufe62\ufe63\ufe6b",  # small
        *"\u207c\u207a\u208c\u208a\u2a75\u2212",  # raised, lowered, doubled; the minus sign
    ],
)
def test_csv_puts_an_apostrophe_before_what_may_be_a_formula(
    before: str, sign: str, tmp_path: Path
) -> None:
    evil = sample_run.result("EST-4", message=f"{before}{sign}HYPERLINK(0)")
    csv_report.write(sample_run.run((sample_run.host("web", evil),)), tmp_path / "made")
    with (tmp_path / "made").open(newline="") as file:
        messages = [row["message"] for row in csv.DictReader(file) if row["control"] == "EST-4"]
    separator, blanks = before.rstrip(), before[len(before.rstrip()) :]
    assert messages == [f"{separator}'{blanks}{sign}HYPERLINK(0)"]


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", "\u200b=1", "\ufeff=1"])
def test_csv_shows_what_is_unseen_before_a_formula(text: str, tmp_path: Path) -> None:
    evil = sample_run.result("EST-4", message=text)
    csv_report.write(sample_run.run((sample_run.host("web", evil),)), tmp_path / "made")
    assert ",\\" in (tmp_path / "made").read_text()


_SAMPLE = re.compile(
    r'ipvs_audit_[a-z_]+(?:\{[a-z_]+="[^"\n]*"(?:,[a-z_]+="[^"\n]*")*\})? -?[\d.e+]+'
)


@runs
def test_prometheus_reads_every_line(run: Run, tmp_path: Path) -> None:
    prometheus.write(prepared(run), tmp_path / "made")
    lines = (tmp_path / "made").read_text().splitlines()
    named: set[str] = set()
    for line in lines:
        if line.startswith("#"):
            named.add(line.split()[2])
        else:
            assert _SAMPLE.fullmatch(line.replace('\\"', "")), line
            assert re.split(r"[{ ]", line)[0] in named
    samples = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(samples) == len(set(samples))


def test_prometheus_counts_are_those_of_the_run(tmp_path: Path) -> None:
    prometheus.write(prepared(LAB), tmp_path / "made")
    said = dict(
        line.rsplit(" ", 1)
        for line in (tmp_path / "made").read_text().splitlines()
        if not line.startswith("#")
    )
    assert said['ipvs_audit_hosts{state="unreachable"}'] == "1"
    assert said['ipvs_audit_results{control="EST-4",verdict="fail"}'] == "1"
    assert said['ipvs_audit_waived{control="EST-5"}'] == "1"
    assert said['ipvs_audit_hosts_by_verdict{verdict="fail"}'] == "3"
    assert said['ipvs_audit_waivers{state="expired"}'] == "1"
    assert said["ipvs_audit_duration_seconds"] == "9.11999988555908" or said[
        "ipvs_audit_duration_seconds"
    ].startswith("9.1")


def test_junit_is_split_by_hosts_and_adds_up(tmp_path: Path) -> None:
    run = prepared(LAB)
    paths = junit.write_split(run, tmp_path, 3)
    assert [path.name for path in paths] == ["junit-001.xml", "junit-002.xml", "junit-003.xml"]
    junit.write(run, tmp_path / "junit.xml")
    whole = (tmp_path / "junit.xml").read_text().splitlines()[2:-1]
    assert [line for path in paths for line in path.read_text().splitlines()[2:-1]] == whole
    assert found_in(tmp_path).junit_split == 3


def test_a_run_directory_shows_what_it_was_written_with(tmp_path: Path) -> None:
    outputs = Outputs(tuple(FORMATS), 2, mode=0o640)
    files = {path.name for path in write_reports(LAB, None, tmp_path / "run", outputs)}
    assert {each.file for each in FORMATS.values()} | {"junit-001.xml", "junit-004.xml"} <= files
    assert "junit.xml" not in files
    assert found_in(tmp_path / "run") == outputs


def test_each_format_carries_the_fix_of_the_host(tmp_path: Path) -> None:
    fix = "Remove /etc/sysctl.d/90-k8s.conf:4\nPlan: --remediate-plan --limit web1"
    failing = replace(sample_run.result("EST-2", Verdict.FAIL, "it sets 1"), fix=fix)
    told = sample_run.run((sample_run.host("web1", failing),))
    junit.write(told, tmp_path / "junit.xml")
    written = [tmp_path / "junit.xml"]
    for one in (FORMATS["csv"], FORMATS["sarif"], FORMATS["hdf"]):
        one.write(told, tmp_path / one.file)
        written.append(tmp_path / one.file)
    for path in written:
        text = path.read_text()
        assert "Remove /etc/sysctl.d/90-k8s.conf:4" in text, path
        assert "--remediate-plan --limit web1" in text, path
