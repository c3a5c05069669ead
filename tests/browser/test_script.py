"""What report.js adds, and that nothing is missing where it may not run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.report.write import write_reports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from webdriver import Browser

RUN = sample_run.accompanied(sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED)))
SHOWN = """
    return [...document.querySelectorAll(arguments[0])]
        .filter(element => element.checkVisibility()).map(element => element.textContent.trim())
"""
ROWS = "#matrix tbody th[scope=row] a"
#: The words of each verdict in the matrix and of each host's details, as drawn.
VERDICTS = "#matrix td[class^=v-] a, #hosts .control .verdict"


@pytest.fixture(params=["index.html", "report.html"])
def page(
    request: pytest.FixtureRequest, chrome: Browser, tmp_path: Path, serve: Callable[[bool], str]
) -> Browser:
    write_reports(RUN, None, tmp_path / "run")
    chrome.go(f"{serve(False)}/run/{request.param}")
    return chrome


def test_without_scripts_every_verdict_is_there_and_nothing_is_offered_that_would_not_work(
    chrome: Browser, tmp_path: Path, serve: Callable[[bool], str]
) -> None:
    write_reports(RUN, None, tmp_path / "run")
    chrome.go(f"{serve(True)}/run/index.html")
    under_policy = chrome.run(SHOWN, VERDICTS)
    assert chrome.run(SHOWN, ".tools") == []
    chrome.go(f"{serve(False)}/run/index.html")
    assert len(chrome.run(SHOWN, ".tools")) == 1
    assert chrome.run(SHOWN, VERDICTS) == under_policy
    assert len(under_policy) == 84


def test_jenkins_policy_is_really_enforced(
    chrome: Browser, tmp_path: Path, serve: Callable[[bool], str]
) -> None:
    page = (
        "<title>safe</title><p style='display:none'>seen</p><script>document.title='ran'</script>"
    )
    (tmp_path / "page.html").write_text(page)
    for under_policy, title, seen in ((False, "ran", []), (True, "safe", ["seen"])):
        chrome.go(f"{serve(under_policy)}/page.html")
        assert chrome.run("return document.title") == title
        assert chrome.run(SHOWN, "p") == seen


def test_search_shows_the_hosts_that_match_and_says_how_many(page: Browser) -> None:
    page.type("#tools-search", "lega")
    assert page.soon(["legacy"], SHOWN, ROWS) == ["legacy"]
    assert page.run(SHOWN, "#hosts .host h3") == ["legacy"]
    assert page.run("return document.querySelector('output').value") == "1 of 8 hosts"
    assert all("legacy" in text for text in page.run(SHOWN, ".finding"))
    page.type("#tools-search", "\ue00c")
    count = "return document.querySelector('output').value"
    assert page.soon("", count) == ""
    assert len(page.run(SHOWN, ROWS)) == 8


def test_a_verdict_filters_and_another_adds(page: Browser) -> None:
    page.run("document.querySelector('.tools button[value=error]').click()")
    assert page.run(SHOWN, ROWS) == ["down"]
    page.run("document.querySelector('.tools button[value=waived]').click()")
    assert page.run(SHOWN, ROWS) == ["down", "namespaced"]
    pressed = page.run("return document.querySelectorAll('.tools [aria-pressed=true]').length")
    assert pressed == 2
    page.run("document.querySelectorAll('.tools [aria-pressed=true]').forEach(one => one.click())")
    assert len(page.run(SHOWN, ROWS)) == 8


def test_filtering_never_reaches_the_paper(
    tmp_path: Path, printed: Callable[..., str], serve: Callable[[bool], str]
) -> None:
    write_reports(RUN, None, tmp_path / "run")
    script = tmp_path / "run" / "report.js"
    script.write_text(
        script.read_text().replace("\n})();", '\n  search.value = "legacy"; apply();\n})();')
    )
    paper = printed(f"{serve(False)}/run/index.html")
    for host in RUN.hosts:
        assert paper.count(host.name) >= 2


def test_the_address_keeps_what_is_asked_for(page: Browser) -> None:
    page.type("#tools-search", "e")
    page.run("document.querySelector('.tools button[value=fail]').click()")
    found = page.run(SHOWN, ROWS)
    assert found == ["drifted", "legacy"]
    kept = page.soon("?find=e&show=fail", "return location.search")
    assert kept == "?find=e&show=fail"
    page.go(page.run("return location.href"))
    assert page.run(SHOWN, ROWS) == found
    assert page.run("return document.querySelector('#tools-search').value") == "e"
    assert page.run(SHOWN, ".tools [aria-pressed=true]") == ["fail"]
    page.type("#tools-search", "\ue00c")
    page.run("document.querySelector('.tools button[value=fail]').click()")
    assert page.soon("", "return location.search") == ""


def test_head_and_hosts_stay_in_sight_where_the_matrix_is_wider_than_the_screen(
    chrome: Browser, tmp_path: Path, serve: Callable[[bool], str]
) -> None:
    write_reports(sample_run.run(sample_run.fleet(120)), None, tmp_path / "run")
    (tmp_path / "narrow.html").write_text(
        '<iframe src="run/index.html" width="400" height="700" frameborder="0"></iframe>'
    )
    chrome.go(f"{serve(False)}/narrow.html")
    places = """
        const page = document.querySelector("iframe").contentDocument;
        const area = page.querySelector("#matrix .wide");
        area.scrollTo(200, 300);
        const at = (one, side) => one.getBoundingClientRect()[side];
        const near = (one, side) => Math.round(at(page.querySelector(one), side) - at(area, side));
        return [area.scrollLeft, area.scrollTop, near("#matrix thead th:nth-child(3)", "top"),
            near("#matrix tbody tr:nth-child(2) th", "left"), near("#matrix .names .still", "left")]
    """
    assert chrome.run(places) == [200, 300, 0, 0, 0]


def test_columns_sort_and_a_third_press_gives_the_order_back(page: Browser) -> None:
    before = page.run(SHOWN, ROWS)
    press = "document.querySelectorAll('#matrix thead button')[arguments[0]].click()"
    page.run(press, 0)
    assert page.run(SHOWN, ROWS)[:7] == sorted(before[:7])
    assert page.run(SHOWN, "th[aria-sort=descending]") == ["Host"]
    page.run(press, 0)
    assert page.run(SHOWN, ROWS)[:7] == sorted(before[:7], reverse=True)
    page.run(press, 0)
    assert page.run(SHOWN, ROWS) == before
    page.run(press, 1)
    assert page.run(SHOWN, ROWS)[:2] == ["legacy", "down"]


def test_the_keyboard_reaches_search_filter_and_sort(page: Browser) -> None:
    page.press("/")
    focus = "return document.activeElement.id"
    assert page.soon("tools-search", focus) == "tools-search"
    page.press("\ue004 ")
    assert page.soon(["fail"], SHOWN, ".tools [aria-pressed=true]") == ["fail"]
    assert page.run(SHOWN, ROWS) == ["drifted", "legacy", "trap"]
    reached = set()
    for _ in range(40):
        page.press("\ue004")
        reached.add(page.run("return document.activeElement.closest('table,div.tools')?.className"))
    assert {"tools", "matrix"} <= reached


def test_a_link_to_what_is_filtered_away_shows_it(page: Browser) -> None:
    page.type("#tools-search", "legacy")
    page.run("location.hash = '#h-trap:EST-3'")
    assert "trap" in page.run(SHOWN, "#hosts .host h3")


def test_no_hostile_string_runs_or_breaks_the_script(
    chrome: Browser, tmp_path: Path, serve: Callable[[bool], str]
) -> None:
    write_reports(sample_run.hostile_run(), None, tmp_path / "run")
    for name in ("index.html", "report.html"):
        chrome.go(f"{serve(False)}/run/{name}")
        assert chrome.run("return document.title").startswith("Not compliant")
        assert len(chrome.run(SHOWN, ".tools")) == 1
        assert chrome.run("return document.querySelectorAll('main script, main img').length") == 0


def first_paint(chrome: Browser, url: str) -> float:
    """Milliseconds from the start of loading a page to its first content."""
    chrome.go(url)
    asked = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    for _ in range(100):
        if (paint := chrome.run(asked)) is not None:
            return float(paint)
        time.sleep(0.1)
    raise AssertionError(f"{url} was not painted in 10 s")


def test_a_large_fleet_is_searched_by_name_and_painted_soon(
    chrome: Browser, tmp_path: Path, serve: Callable[[bool], str]
) -> None:
    for name, hosts in (("one", 1), ("run", 1_500)):
        write_reports(sample_run.run(sample_run.fleet(hosts)), None, tmp_path / name)
    one = first_paint(chrome, f"{serve(False)}/one/index.html")
    many = first_paint(chrome, f"{serve(False)}/run/index.html")
    assert many < 30 * max(one, 50)  # not with the number of hosts; figures are in docs/reports.md
    first = ["verdict", "findings", "about", "scores", "matrix", "hosts", "controls"]
    assert (
        chrome.run("return [...document.querySelectorAll('main > section')].map(one => one.id)")
        == first
    )
    assert "lb-01234.prod.example.com" not in chrome.run(SHOWN, "#matrix .names a")  # it passes
    assert "lb-00006.prod.example.com" in chrome.run(SHOWN, "#matrix .names a")
    chrome.type("#tools-search", "lb-01234")
    found = ["lb-01234.prod.example.com"]
    assert chrome.soon(found, SHOWN, "#matrix .names a") == ["lb-01234.prod.example.com"]
    assert chrome.run("return document.querySelector('output').value") == "1 of 1,500 hosts"
