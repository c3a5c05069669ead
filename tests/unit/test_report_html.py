from __future__ import annotations

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.report import html
from ipvs_audit.report.sanitise import bounded
from ipvs_audit.verdicts import WORST_FIRST, Evidence, Result, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.results import Run

WITH_EXCLUDED = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))


class Page(HTMLParser):
    """What a page is made of: tags, attributes, ids, links, and its text."""

    VOID = frozenset({"meta", "link", "use", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.attributes if known == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def pages(run: Run, tmp_path: Path) -> dict[str, Page]:
    html.write(bounded(run.completed()), tmp_path)
    return {one.name: Page(one.read_text()) for one in sorted(tmp_path.glob("*.html"))}


@pytest.fixture
def lab(tmp_path: Path) -> Page:
    return pages(WITH_EXCLUDED, tmp_path)["index.html"]


def test_the_verdict_is_one_sentence_and_every_host_is_in_its_sum(lab: Page) -> None:
    assert "Not compliant: 3 of 8 hosts fail the policy" in lab.text
    assert "8 in the inventory = 6 assessed + 1 unreachable + 1 excluded" in lab.text
    found = re.search(
        r"(\d+) verdicts = ((?:\d+ [a-z ]+ \+ )+\d+ [a-z ]+?) Characteristics", lab.text
    )
    assert found
    assert int(found[1]) == sum(map(int, re.findall(r"\d+", found[2]))) == 42


@pytest.mark.parametrize(
    "text",
    [
        "IPVS estimation is disabled",
        WITH_EXCLUDED.policy_sha256,
        WITH_EXCLUDED.inventory_sha256,
        "paramiko 5.1.0",
        "jenkins",
        "ci-7.example.com",
        "2026-11-23 02:00:00 UTC",
        "2026-11-23 02:00:09 UTC",
        "pytest --inventory inventories/lab.yml --vault-password-file ***",
    ],
)
def test_the_characteristics_are_told(text: str, lab: Page) -> None:
    assert text in lab.text


def test_every_result_shows_all_that_proves_it(lab: Page) -> None:
    for host in WITH_EXCLUDED.completed().hosts:
        assert host.name in lab.words
        for text in (*host.facts, *host.facts.values(), host.reason, host.kernel):
            assert text in lab.text
        for result in host.controls:
            for text in (result.message, result.expected, result.observed, result.waiver or ""):
                assert text in lab.text
            for shown in result.evidence:
                assert shown.command in lab.words
                assert " ".join(shown.output.split()) in lab.text
    assert "root (uid 0) · exit 1 · 2026-11-23 02:00:04 UTC" in lab.text


def test_each_verdict_is_a_word_and_a_shape(lab: Page) -> None:
    for verdict in Verdict:
        assert verdict.word in lab.text
        assert f"#s-{verdict.value}" in lab.all("href")
    assert "waived fail" in lab.text


def test_a_fix_stands_beside_a_failure_only(tmp_path: Path) -> None:
    right = sample_run.run((sample_run.host("web1"),))
    assert "Fix" not in pages(right, tmp_path)["index.html"].words
    assert "Fix" in pages(sample_run.run(), tmp_path)["index.html"].words


@pytest.mark.parametrize("run", [WITH_EXCLUDED, sample_run.run(sample_run.fleet(501))])
def test_every_link_leads_somewhere_and_every_id_is_one_of_a_kind(run: Run, tmp_path: Path) -> None:
    made = pages(run, tmp_path)
    ids = {name: page.all("id") for name, page in made.items()}
    for name, page in made.items():
        assert len(ids[name]) == len(set(ids[name]))
        for link in page.all("href"):
            target, _, anchor = link.partition("#")
            if target.endswith(".html") or not target:
                assert anchor == "" or anchor in ids[target or name], link


def test_every_cell_leads_to_its_details(lab: Page) -> None:
    for host in sample_run.lab_hosts():
        for control in sample_run.CONTROLS:
            assert f"#h-{host.name}:{control.id}" in lab.all("href")
            assert f"h-{host.name}:{control.id}" in lab.all("id")


def test_failing_hosts_come_first(tmp_path: Path) -> None:
    pages(sample_run.run(), tmp_path)
    text = (tmp_path / "index.html").read_text()
    matrix = text[text.index('id="matrix"') : text.index('id="hosts"')]
    assert re.findall(r"<bdi>(.+?)</bdi>", matrix) == [
        *("drifted", "legacy", "trap", "down", "idle", "namespaced", "compliant")
    ]


@pytest.mark.parametrize(
    "run",
    [WITH_EXCLUDED, sample_run.hostile_run(), sample_run.run(sample_run.fleet(501))],
    ids=["lab", "hostile", "fleet"],
)
def test_the_pages_stand_under_jenkins_content_policy(run: Run, tmp_path: Path) -> None:
    for page in pages(run, tmp_path).values():
        assert not page.open
        assert not set(page.tags) & {"script", "style", "img", "iframe", "object", "b:", "base"}
        for name, value in page.attributes:
            assert not name.startswith("on")
            assert name not in {"style", "srcdoc", "action", "xlink:href"}
            if name in {"href", "src"}:
                assert re.fullmatch(r"(?:[\w.-]+)?(?:#[\w.:-]+)?", value), value
    css = (tmp_path / "style.css").read_text()
    assert "url(" not in css
    assert "@import" not in css


def test_hostile_text_reads_as_text(tmp_path: Path) -> None:
    page = pages(sample_run.hostile_run(), tmp_path)["index.html"]
    assert "<script>document.title='pwned'</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\\x1b[31;1mred" in page.text
    assert "\\u202egnp.exe" in page.text
    raw = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not set(raw) & set("\x00\x08\r\x1b\x9b\u202e\u2066\u200b\ufeff\ufffe\x85\u2028")


def test_ten_megabytes_of_output_are_cut_and_marked(tmp_path: Path) -> None:
    flood = Evidence("yes", "<&\x1b\n" * 2_500_000, 0, "root (uid 0)", "2026-11-23T02:00:00Z")
    flooded = sample_run.result("EST-4", message="m" * 10_000_000, evidence=(flood,) * 3)
    page = pages(sample_run.run((sample_run.host("web1", flooded),)), tmp_path)["index.html"]
    assert (tmp_path / "index.html").stat().st_size < 500_000
    assert "characters cut here" in page.text


def test_headings_do_not_skip_a_level_and_tables_have_scopes(lab: Page) -> None:
    levels = [int(tag[1]) for tag in lab.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert lab.tags.count("th") == len(lab.all("scope"))
    assert {"header", "nav", "main", "footer"} <= set(lab.tags)
    assert lab.all("lang") == ["en"]


def test_a_control_that_was_not_judged_is_said_so(tmp_path: Path) -> None:
    half = replace(sample_run.host("web1"), controls=(sample_run.result("EST-1"),))
    page = pages(sample_run.run((half,)), tmp_path)["index.html"]
    assert page.text.count("Not judged on this host in this run.") == 5


def test_an_interruption_and_notes_stand_by_the_verdict(tmp_path: Path) -> None:
    run = replace(sample_run.run(), interrupted=True, notes=("12 controls were deselected",))
    page = pages(run, tmp_path)["index.html"]
    assert "Interrupted. Not compliant:" in page.text
    assert "12 controls were deselected" in page.text


def test_an_inventory_without_hosts_still_makes_a_page(tmp_path: Path) -> None:
    page = pages(sample_run.run(()), tmp_path)["index.html"]
    assert "Nothing audited: the inventory names no host." in page.text


def test_above_500_hosts_details_go_to_pages_of_100(tmp_path: Path) -> None:
    assert list(pages(sample_run.run(sample_run.fleet(500)), tmp_path)) == ["index.html"]
    made = pages(sample_run.run(sample_run.fleet(501)), tmp_path)
    assert list(made) == [*(f"hosts-00{number}.html" for number in range(1, 7)), "index.html"]
    shown = [name for page in made for name in made[page].words if page != "index.html"]
    for host in sample_run.fleet(501):
        assert host.name in shown
        assert host.name in made["index.html"].words


def test_the_index_of_10000_hosts_stays_small_however_they_fail(tmp_path: Path) -> None:
    fleet = []
    for number, host in enumerate(sample_run.fleet(10_000)):
        controls = tuple(
            Result(
                about.id,
                about.name,
                WORST_FIRST[number // 5**place % 5],
                about.severity,
                "",
                "",
                "",
            )
            for place, about in enumerate(sample_run.CONTROLS)
        )
        fleet.append(replace(host, state="assessed", controls=controls, facts={}))
    html.write(sample_run.run(tuple(fleet)), tmp_path)
    assert (tmp_path / "index.html").stat().st_size < 3_000_000
