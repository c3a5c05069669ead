"""The pages, by axe-core: can people read them who see little or no colour, or who listen?"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.results import RemedyResult, StepResult
from ipvs_audit.report.history import History, SeenHost, SeenRun
from ipvs_audit.report.history_write import write_history
from ipvs_audit.report.html import index_page, view
from ipvs_audit.report.html.latency_plot import picture
from ipvs_audit.report.write import write_reports
from ipvs_audit.snapshot.round_trips import RoundTrips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from webdriver import Browser

    Broken = dict[str, list[list[object]]]

AXE = Path(__file__).parents[2] / ".cache" / "axe-core-4.14.1" / "package" / "axe.min.js"
LAB = sample_run.accompanied(sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED)))
REMEDIATED = replace(
    sample_run.lab_hosts()[0],
    latency_before=sample_run.STALLED,
    latency=sample_run.QUIET,
    remedy=RemedyResult(
        RemediationStatus.REMEDIATED,
        "the value holds after a reload",
        ("ip_vs was not reloaded",),
        (StepResult("EST-4", "Set the value", "it is 1", "sysctl -w ...=0", "done"),),
    ),
)
#: Each rule that is broken, with the first elements that break it and what axe says of them.
BROKEN = """
    return axe.run(document, {resultTypes: ["violations"]}).then(({violations}) =>
        violations.map(({id, nodes}) => [id, nodes.length,
            ...nodes.slice(0, 3).map((one) => `${one.html} ${one.failureSummary}`)]));
"""
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true })"
PAPER = "return getComputedStyle(document.documentElement).backgroundColor"
THEMES = {"light": "rgb(253, 253, 251)", "dark": "rgb(21, 23, 26)"}


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file() and not os.environ.get("CI"):
        pytest.skip("run tools/test-packages.sh, which fetches axe-core")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture
def broken(
    axe: str, chrome: Browser, serve: Callable[[bool], str]
) -> Iterator[Callable[[str], Broken]]:
    """What axe finds in a page of the run, in each theme, with all folds open."""

    def found(name: str) -> Broken:
        address, wrong = f"{serve(False)}/run/{name}", {}
        for theme, paper in THEMES.items():
            chrome.look(prefers_color_scheme=theme)
            chrome.go(address)
            assert chrome.soon(paper, PAPER) == paper
            chrome.run(UNFOLD)
            chrome.run(axe)
            if rules := chrome.run(BROKEN):
                wrong[theme] = rules
        return wrong

    yield found
    chrome.look()


def test_axe_sees_what_is_wrong_in_either_theme(
    broken: Callable[[str], Broken], tmp_path: Path
) -> None:
    write_reports(sample_run.run(sample_run.lab_hosts()[:1]), None, tmp_path / "run")
    with (tmp_path / "run" / "style.css").open("a") as style:
        style.write(".lead { color: #888; background: #777; }")
    found = broken("index.html")
    assert {theme: [rule for rule, *_ in rules] for theme, rules in found.items()} == {
        "light": ["color-contrast"],
        "dark": ["color-contrast"],
    }


@pytest.mark.parametrize("name", ["index.html", "report.html"])
def test_axe_finds_nothing_wrong_in_the_report(
    name: str, broken: Callable[[str], Broken], tmp_path: Path
) -> None:
    write_reports(LAB, None, tmp_path / "run")
    assert broken(name) == {}


def test_axe_finds_nothing_wrong_in_what_remediation_changed(
    broken: Callable[[str], Broken], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tuple(number * 0.005 for number in range(2400))
    calm = RoundTrips("ssh", 0.005, sent, (0.003,) * len(sent), limit=2.0)
    took = tuple(0.24 if number % 430 == 80 else 0.003 for number in range(len(sent)))
    drawn = picture(replace(calm, rtt=took), calm)
    monkeypatch.setattr(index_page, "pictures", lambda *_: {REMEDIATED.name: drawn})
    write_reports(sample_run.run((REMEDIATED,)), None, tmp_path / "run")
    assert broken("index.html") == {}


@pytest.mark.parametrize("name", ["index.html", "hosts-001.html", "findings.html", "report.html"])
def test_axe_finds_nothing_wrong_in_the_pages_of_a_large_fleet(
    name: str,
    broken: Callable[[str], Broken],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The pages of many hosts, with few on them: axe looks at each element.
    monkeypatch.setattr(view, "INLINE_LIMIT", 20)
    monkeypatch.setattr(view, "HOSTS_A_PAGE", 10)
    fleet = sample_run.accompanied(sample_run.run(sample_run.fleet(37)))
    write_reports(fleet, None, tmp_path / "run")
    assert broken(name) == {}


def test_axe_finds_nothing_wrong_in_the_history(
    broken: Callable[[str], Broken], tmp_path: Path
) -> None:
    made, night = History(), datetime(2026, 11, 1, tzinfo=UTC)
    for hosts in (LAB.hosts[:1], LAB.hosts, LAB.hosts[::-2]):
        seen = tuple(SeenHost.of(one, LAB) for one in LAB.hosts if one in hosts)
        made.add(SeenRun(f"{night}", night, night, ("interrupted",), "p", "1", 2, seen))
        night += timedelta(days=1)
    write_history(made, [], tmp_path, tmp_path / "run", None)
    assert broken("index.html") == {}
