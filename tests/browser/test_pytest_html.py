"""pytest-html's page in a real browser, with the audit's columns."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sample_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROJECT = """
import json, pathlib, pytest
from ipvs_audit.plugin import pytest_html_columns

TOLD = json.loads((pathlib.Path(__file__).parent / "told.json").read_text())

def pytest_configure(config):
    config.pluginmanager.register(pytest_html_columns)

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if item.name == "test_error":
        if call.when == "setup":
            report.ipvs_audit = dict(TOLD["hostile"], verdict="error")
    elif call.when == "call" and "plain" not in item.name:
        report.ipvs_audit = TOLD[item.name.removeprefix("test_").split("[")[0]]
    return report
"""
TESTS = """
import pytest

@pytest.fixture
def broken():
    pytest.fail("unreachable", pytrace=False)

def test_error(broken): pass
def test_passing(): pass
def test_waived(): pytest.xfail("waived")
@pytest.mark.parametrize("host", ["<img src=x onerror=document.title='pwned'>"])
def test_hostile(host): assert False
def test_plain(): pass
"""


def told(**changes: object) -> dict[str, object]:
    plain = {
        "host": "web1",
        "control": "EST-4",
        "name": "live-value",
        "verdict": "pass",
        "severity": "high",
        "message": "run_estimation = 0",
        "expected": "run_estimation = 0",
        "observed": "run_estimation = 0",
        "waiver": None,
        "evidence": [
            {
                "section": "netns",
                "output": "0\n",
                "status": 0,
                "user": "root (uid 0)",
                "at": "2026-11-23T02:00:00Z",
                "cut": 0,
            }
        ],
    }
    return plain | changes


def hostile() -> dict[str, object]:
    text = sample_run.HOSTILE
    shown = {"section": text, "output": text * 10_000, "status": 1, "user": text, "at": text}
    fields = ("host", "control", "name", "message", "expected", "observed", "severity")
    return told(
        **dict.fromkeys(fields, text), verdict="fail", evidence=[shown | {"cut": 5}], waiver=None
    )


@pytest.fixture(params=[[], ["--self-contained-html"]], ids=["assets", "self-contained"])
def page(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    serve: Callable[[bool], str],
    chromium: Callable[..., str],
) -> str:
    (tmp_path / "conftest.py").write_text(PROJECT)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "told.json").write_text(
        json.dumps(
            {
                "passing": told(),
                "waived": told(verdict="fail", waiver="OPS-1"),
                "hostile": hostile(),
            }
        )
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--html=page.html", *request.param, "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "INTERNALERROR" not in ran.stdout
    return chromium("--dump-dom", f"{serve(False)}/page.html")


def row_of(page: str, test: str) -> str:
    rows = re.findall(r"<tbody class=\"results-table-row.*?</tbody>", page, re.DOTALL)
    return next(row for row in rows if f"::{test}" in row)


def test_control_verdict_and_evidence_are_shown_and_nothing_is_run(page: str) -> None:
    assert '<title id="head-title">page.html</title>' in page
    passing = row_of(page, "test_passing")
    assert '<td class="col-control">EST-4 live-value</td>' in passing
    assert '<td class="col-verdict">pass</td>' in passing
    assert "expected: run_estimation = 0" in passing
    assert "[netns] root (uid 0), exit 0" in passing
    assert ">Evidence</a>" in passing
    assert '<td class="col-verdict">waived fail</td>' in row_of(page, "test_waived")
    assert '<td class="col-control"></td>' in row_of(page, "test_plain")

    error = row_of(page, "test_error::setup")
    assert '<td class="col-verdict">error</td>' in error
    assert ">Evidence</a>" in error

    table = page[page.index('id="results-table"') :]
    assert "pwned" in table
    assert not re.search(r"<img src=.?x|<b |<script>document", table)
    assert "characters cut" in row_of(page, "test_hostile")
    assert len(page) < 2_000_000
