from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import sample_run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.verdict import Evidence, Verdict
from ipvs_audit.report import junit

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

#: Of the Jenkins xUnit plugin, under the MIT licence that stands in it; pytest ships it as well.
SCHEMA = Path(__file__).parents[1] / "schemas" / "jenkins-junit-10.xsd"


def written(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "junit.xml"
    junit.write(bounded(run.completed()), path)
    return path


def parsed(run: Run, tmp_path: Path) -> ET.Element:
    return ET.fromstring(written(run, tmp_path).read_bytes())  # noqa: S314  # our own


def suite_of(root: ET.Element, name: str) -> ET.Element:
    return next(suite for suite in root.iter("testsuite") if suite.get("name") == name)


def case_of(suite: ET.Element, control: str) -> ET.Element:
    return next(case for case in suite.iter("testcase") if control in str(case.get("name")))


@pytest.mark.parametrize(
    "run",
    [
        sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED)),
        sample_run.hostile_run(),
        sample_run.run(()),
        replace(sample_run.run(), controls=()),
    ],
    ids=["lab", "hostile", "empty", "no controls"],
)
def test_the_file_is_valid_for_jenkins(run: Run, tmp_path: Path) -> None:
    path = written(run, tmp_path)
    ran = subprocess.run(
        ["xmllint", "--noout", "--schema", str(SCHEMA), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_each_host_is_a_suite_and_each_control_a_case(tmp_path: Path) -> None:
    root = parsed(sample_run.run(), tmp_path)
    assert [suite.get("name") for suite in root] == [host.name for host in sample_run.lab_hosts()]
    assert [case.get("name") for case in suite_of(root, "trap").iter("testcase")] == [
        f"{control.id} {control.name}" for control in sample_run.CONTROLS
    ]


def test_class_names_hold_no_dot_of_the_host(tmp_path: Path) -> None:
    root = parsed(sample_run.run(sample_run.fleet(1)), tmp_path)
    case = next(root.iter("testcase"))
    assert case.get("classname") == "ipvs_audit.lb-00000_prod_example_com"


def as_jenkins_counts(root: ET.Element) -> dict[tuple[str, str], int]:
    """Cases by suite and by class, as Jenkins' junit plugin tells suites and classes apart."""
    suites = Counter(("suite", f"{one.get('name')} {one.get('id')}") for one in root)
    classes = {
        ("class", str(case.get("classname")))
        for suite in root
        for case in list(suite.iter("testcase"))[:1]
    }
    return {**suites, **dict.fromkeys(classes, 1)}


def test_hosts_whose_names_look_alike_stay_apart_in_jenkins(tmp_path: Path) -> None:
    long = "lb-" + "x" * 300
    names = ("a.b", "a_b", "a_b-2", f"{long}1", f"{long}2")
    hosts = tuple(replace(sample_run.host(name), id=name) for name in names)
    junit.write_split(bounded(sample_run.run(hosts)), tmp_path, 2)
    found = Counter[tuple[str, str]]()
    for path in sorted(tmp_path.glob("junit-*.xml")):
        found.update(as_jenkins_counts(ET.fromstring(path.read_bytes())))  # noqa: S314  # our own
    assert len(found) == 2 * len(names)
    assert set(found.values()) == {1}


def test_host_facts_are_properties_of_the_suite(tmp_path: Path) -> None:
    suite = suite_of(parsed(sample_run.run(), tmp_path), "legacy")
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["kernel"] == "5.10.0-36-amd64"
    assert properties["groups"] == "ipvs"
    assert properties["machine id"]
    assert suite.get("timestamp") == "2026-11-23T02:00:01"
    assert suite.get("time") == "7.306"


def test_a_failure_has_type_message_and_text(tmp_path: Path) -> None:
    case = case_of(suite_of(parsed(sample_run.run(), tmp_path), "drifted"), "EST-4")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "fail"
    assert failure.get("message") == "estimation runs: run_estimation = 1"
    assert "expected: run_estimation = 0" in str(failure.text)
    assert "observed: run_estimation = 1" in str(failure.text)
    assert "[netns] root (uid 0), exit 0" in str(case.findtext("system-out"))


@pytest.mark.parametrize(
    ("host", "control", "kind", "message"),
    [
        ("idle", "EST-6", "inconclusive", "inconclusive: no traffic"),
        ("legacy", "EST-4", "not applicable", "not applicable: this kernel"),
        ("namespaced", "EST-5", "waived fail", "waived fail: estimation runs in namespace red"),
        ("spare", "audit", "excluded", "excluded: in the rack"),
    ],
)
def test_what_is_not_proven_is_skipped_and_says_why(
    host: str, control: str, kind: str, message: str, tmp_path: Path
) -> None:
    run = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))
    skipped = case_of(suite_of(parsed(run, tmp_path), host), control).find("skipped")
    assert skipped is not None
    assert skipped.get("type") == kind
    assert str(skipped.get("message")).startswith(message)


def test_a_waived_fail_keeps_its_waiver_and_raw_verdict(tmp_path: Path) -> None:
    case = case_of(suite_of(parsed(sample_run.run(), tmp_path), "namespaced"), "EST-5")
    assert case.find("failure") is None
    assert "waiver:   OPS-1412" in str(case.findtext("skipped"))


@pytest.mark.parametrize("controls", [sample_run.CONTROLS, ()], ids=["asked", "none"])
def test_an_unreachable_host_is_an_error_for_each_control(
    controls: tuple[sample_run.Control, ...], tmp_path: Path
) -> None:
    root = parsed(replace(sample_run.run(), controls=controls), tmp_path)
    suite = suite_of(root, "down")
    assert suite.get("errors") == str(len(controls) or 1)
    for case in suite.iter("testcase"):
        error = case.find("error")
        assert error is not None
        assert error.get("type") == "unreachable"
        assert "refused the connection" in str(error.get("message"))


def test_a_failure_without_a_reason_is_still_a_failure(tmp_path: Path) -> None:
    for verdict, tag in ((Verdict.FAIL, "failure"), (Verdict.ERROR, "error")):
        silent = replace(sample_run.result("EST-4", verdict), message="", expected="", observed="")
        root = parsed(sample_run.run((sample_run.host("web1", silent),)), tmp_path)
        assert case_of(root[0], "EST-4").find(tag) is not None


def test_the_totals_are_what_the_suites_add_up_to(tmp_path: Path) -> None:
    run = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))
    for controls in (run.controls, ()):
        root = parsed(replace(run, controls=controls), tmp_path)
        for name in ("tests", "failures", "errors"):
            assert root.get(name) == str(sum(int(str(suite.get(name))) for suite in root))
        assert root.get("tests") == str(len(list(root.iter("testcase"))))
        assert root.get("failures") == str(len(list(root.iter("failure"))))
        assert root.get("errors") == str(len(list(root.iter("error"))))


def test_output_stays_within_what_jenkins_keeps_and_its_cut_is_marked(tmp_path: Path) -> None:
    flood = Evidence("yes", "<&\x1b" * 3_000_000, 0, "root (uid 0)", "2026-11-23T02:00:00Z")
    for verdict, limit in ((Verdict.PASS, 1_000), (Verdict.FAIL, 100_000)):
        flooded = sample_run.result("EST-4", verdict, evidence=(flood,) * 3)
        root = parsed(sample_run.run((sample_run.host("web1", flooded),)), tmp_path)
        printed = str(case_of(root[0], "EST-4").findtext("system-out"))
        assert len(printed) <= limit
        assert printed.count("characters cut") == 3
        assert printed.count("[yes]") == 3


def test_hostile_text_reads_as_text(tmp_path: Path) -> None:
    text = written(sample_run.hostile_run(), tmp_path).read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script" not in text
    root = ET.fromstring(text)  # noqa: S314  # our own
    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "testsuite", "properties", "property", "testcase"),
        *("failure", "error", "skipped", "system-out"),
    }
    assert "\\x1b[31;1mred" in str(next(root.iter("failure")).text)


def test_hosts_that_are_alike_keep_their_own_class_and_evidence(tmp_path: Path) -> None:
    def one(name: str, at: str) -> sample_run.HostResult:
        shown = Evidence("values", f"of {name} <&>", 0, "root (uid 0)", at)
        return sample_run.host(
            name, sample_run.result("EST-4", Verdict.FAIL, evidence=(shown, replace(shown, at="")))
        )

    hosts = (one('a"1', "2026-11-23T02:00:00Z"), one("b2", "2026-11-23T02:00:07Z"))
    root = parsed(sample_run.run(hosts), tmp_path)
    for host, at in zip(hosts, ("02:00:00Z", "02:00:07Z"), strict=True):
        case = case_of(suite_of(root, host.name), "EST-4")
        assert str(case.get("classname")).startswith(f"ipvs_audit.{host.id}")
        printed = str(case.findtext("system-out"))
        assert f"of {host.name} <&>" in printed
        assert f"{at}\n" in printed


def test_no_text_of_a_host_takes_the_place_of_its_class_or_evidence(tmp_path: Path) -> None:
    text = "\ufdd0 and \ufdd1"
    shown = Evidence("values", text, 0, "root (uid 0)", text)
    wrong = replace(
        sample_run.result("EST-4", Verdict.FAIL, evidence=(shown,)),
        **dict.fromkeys(("name", "message", "expected", "observed", "fix"), text),
    )
    host = replace(sample_run.host("web1", wrong), reason=text, facts={text: text}, groups=(text,))
    written_out = written(sample_run.run((host,)), tmp_path).read_text(encoding="utf-8")
    assert "\\ufdd0 and \\ufdd1" in written_out
    assert "\ufdd0" not in written_out
    assert "\ufdd1" not in written_out
    root = ET.fromstring(written_out)  # noqa: S314  # our own
    case = case_of(root[0], "EST-4")
    assert case.findtext("failure", "").count("\\ufdd1") == 4
    assert "ipvs_audit" not in str(case.get("name"))
