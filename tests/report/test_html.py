from __future__ import annotations

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.results import HostState
from ipvs_audit.model.verdict import WORST_FIRST, Evidence, Result, Verdict
from ipvs_audit.report.html import index_page, view
from ipvs_audit.snapshot import Snapshot, store
from ipvs_audit.snapshot.how_to_read import how_to_read

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

WITH_EXCLUDED = sample_run.accompanied(
    sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))
)


class Page(HTMLParser):
    """What a page is made of: tags, attributes, ids, links, and its text."""

    VOID = frozenset({"meta", "link", "use", "path", "rect"})

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
    index_page.write(bounded(run.completed()), tmp_path)
    return {
        one.name: Page(one.read_text())
        for one in sorted(tmp_path.glob("*.html"))
        if one.name != "report.html"
    }


@pytest.fixture
def lab(tmp_path: Path) -> Page:
    return pages(WITH_EXCLUDED, tmp_path)["index.html"]


def test_the_verdict_is_one_sentence_and_every_host_is_in_its_sum(lab: Page) -> None:
    assert "Not compliant: 3 of 8 hosts fail the policy" in lab.text
    assert "8 in the inventory = 6 assessed + 1 unreachable + 1 excluded" in lab.text
    found = re.search(
        r"(\d+) verdicts = ((?:\d+ [a-z ]+ \+ )+\d+ [a-z ]+?) About this run", lab.text
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
def test_the_run_is_described(text: str, lab: Page) -> None:
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
                assert shown.section in lab.words
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
            if (target.endswith(".html") or not target) and "://" not in target:
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
        assert page.tags.count("script") == page.all("src").count("report.js")
        assert not set(page.tags) & {"style", "img", "iframe", "object", "b:", "base"}
        for name, value in page.attributes:
            assert not name.startswith("on")
            assert name not in {"style", "srcdoc", "action", "xlink:href"}
            if name in {"href", "src"} and value != WITH_EXCLUDED.job:
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
    assert page.text.count("Not evaluated on this host in this run.") == 5


def test_an_interruption_and_notes_stand_by_the_verdict(tmp_path: Path) -> None:
    run = replace(sample_run.run(), interrupted=True, notes=("12 controls were deselected",))
    page = pages(run, tmp_path)["index.html"]
    assert "Interrupted. Not compliant:" in page.text
    assert "12 controls were deselected" in page.text


def test_an_inventory_without_hosts_still_makes_a_page(tmp_path: Path) -> None:
    page = pages(sample_run.run(()), tmp_path)["index.html"]
    assert "Not evaluated: the inventory has no hosts." in page.text


@pytest.mark.slow
def test_above_500_hosts_details_go_to_pages_of_100(tmp_path: Path) -> None:
    assert list(pages(sample_run.run(sample_run.fleet(500)), tmp_path)) == ["index.html"]
    made = pages(sample_run.run(sample_run.fleet(501)), tmp_path)
    assert list(made) == [
        "findings.html",
        *(f"hosts-00{number}.html" for number in range(1, 7)),
        "index.html",
    ]
    shown = [name for page in made for name in made[page].words if page != "index.html"]
    for host in sample_run.fleet(501):
        assert host.name in shown
        assert host.name in made["index.html"].words


@pytest.mark.slow
def test_the_index_of_10000_hosts_stays_small_however_they_fail(tmp_path: Path) -> None:
    fleet = []
    for number, host in enumerate(sample_run.fleet(10_000)):
        controls = tuple(
            Result(
                control.id,
                control.name,
                WORST_FIRST[number // 5**place % 5],
                control.severity,
                "",
                "",
                "",
            )
            for place, control in enumerate(sample_run.CONTROLS)
        )
        fleet.append(replace(host, state=HostState.ASSESSED, controls=controls, facts={}))
    index_page.write(sample_run.run(tuple(fleet)), tmp_path)
    assert (tmp_path / "index.html").stat().st_size < 3_000_000


def test_scores_changes_findings_and_waivers_are_told(lab: Page) -> None:
    for text in (
        "score = pass ÷ (pass + fail + error + inconclusive)",
        "all controls 58.3 % 60 %",
        "2 newly failing 1 no longer known 8 still failing 1 fixed 1 host appeared 1 gone",
        "results.json sha256 " + "cd" * 32,
        "The policy differs from the earlier run's.",
        "10 causes.",
        "fail 1 host EST-1 kernel-support high severity kernel 5.10.0-36-amd64 cannot switch",
        "expired : expired on 2026-09-30; 1 failure no longer covered",
        "matches nothing : no host of this run matches its pattern",
        "not needed : nothing to waive: pass on 2 hosts; remove it",
        "in force : covers 1 failure; expires soon, on 2026-12-08",
        "floors: alinux3 5.10.134-14",
        "https://ci.example.com/job/ipvs-audit/12/",
    ):
        assert text in lab.text, text


def test_every_bar_is_told_in_words(lab: Page) -> None:
    bars = [label for label in lab.all("aria-label") if " %:" in label or "no score" in label]
    assert "before waivers: 0 %: 1 fail, 1 error, 5 not applicable" in bars
    assert "after waivers: 0 %: 1 error, 1 waived fail, 5 not applicable" in bars
    assert len(bars) == lab.all("class").count("bar")


def test_a_group_without_results_has_no_bar(tmp_path: Path) -> None:
    excluded = replace(sample_run.EXCLUDED, groups=("spares",))
    run = sample_run.run((sample_run.lab_hosts()[0], excluded))
    index = pages(run, tmp_path)["index.html"]
    assert "spares no score no results" in index.text
    assert index.all("class").count("bar") == len(run.controls) + 2  # all controls, other group


def test_a_setting_that_is_not_made_is_none(tmp_path: Path) -> None:
    run = replace(WITH_EXCLUDED, policy={"max_age_hours": None, "references": {}, "ack": True})
    settings = "max age hours: none · references: none · ack: yes"
    assert settings in pages(run, tmp_path)["index.html"].text


def test_sections_stand_in_the_order_of_an_auditor(lab: Page) -> None:
    order = ["verdict", "about", "scores", "changes", "matrix", "findings", "waivers"]
    order += ["hosts", "controls"]
    assert [one for one in lab.all("id") if one in order] == order


def test_findings_come_first_where_hosts_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "INLINE_LIMIT", 20)
    page = pages(sample_run.run(sample_run.fleet(30)), tmp_path)["index.html"]
    order = ["verdict", "findings", "about", "scores", "matrix"]
    assert [one for one in page.all("id") if one in order] == order


def test_many_passing_hosts_share_a_row_and_failing_ones_have_their_own(tmp_path: Path) -> None:
    pages(sample_run.run(sample_run.fleet(120)), tmp_path)
    text = (tmp_path / "index.html").read_text()
    matrix = text[text.index('id="matrix"') : text.index('id="findings"')]
    # Of every sixth host one in six ways is wrong: 20 hosts have rows, the 100 others fold.
    assert matrix.count("<bdi>") == 20
    assert matrix.count("<details") == matrix.count('<tr class="names">') == 3
    assert "open" not in re.findall(r"<details[^>]*>", matrix)[0]
    assert matrix.count(">lb-00001.prod.example.com</a>") == 1


def test_what_each_control_checks_is_drawn_for_who_never_heard_of_ipvs(lab: Page) -> None:
    assert "What is checked, and where" in lab.text
    for control in sample_run.CONTROLS:
        assert lab.words.count(control.id) >= 2
    assert "the policy of this run is that it is disabled" in lab.text


def test_what_was_not_asked_for_has_no_section(tmp_path: Path) -> None:
    page = pages(sample_run.run((sample_run.host("web1"),)), tmp_path)["index.html"]
    assert not {"changes", "waivers"} & set(page.all("id"))
    assert "Before waivers" not in page.text
    assert "No findings: everything evaluated passes or is not applicable." in page.text


@pytest.mark.parametrize("run", [WITH_EXCLUDED, sample_run.hostile_run()], ids=["lab", "hostile"])
def test_report_html_is_the_same_in_one_file_that_lets_nothing_else_in(
    run: Run, tmp_path: Path
) -> None:
    index = pages(run, tmp_path)["index.html"]
    text = (tmp_path / "report.html").read_text()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert style is not None
    assert script is not None
    alone = Page(text.replace(style[0], "").replace(script[0], ""))
    (policy,) = (one for one in alone.all("content") if one.startswith("default-src"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for held in (style[1], script[1]):
        digest = hashlib.sha256(held.encode()).digest()
        assert base64.b64encode(digest).decode() in policy
    assert not {"src", "style"} & {name for name, _ in alone.attributes}
    for link in alone.all("href"):
        assert link.startswith("#") or link == WITH_EXCLUDED.job
    told = alone.text
    assert told[told.index("Scores") :] == index.text[index.text.index("Scores") :]


def test_the_page_alone_of_a_large_fleet_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "INLINE_LIMIT", 20)
    pages(sample_run.run(sample_run.fleet(200)), tmp_path)
    alone = Page((tmp_path / "report.html").read_text())
    assert "This file has the details of the 20 worst of 200 hosts" in alone.text
    assert alone.all("class").count("host") == 20
    ids = set(alone.all("id"))
    assert all(link[1:] in ids for link in alone.all("href") if link.startswith("#h"))


@pytest.mark.slow
def test_findings_html_of_a_large_fleet_names_every_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "INLINE_LIMIT", 20)
    run = sample_run.accompanied(sample_run.run(sample_run.fleet(600))).completed()
    made = pages(run, tmp_path)
    for host in run.hosts:
        assert host.name in made["findings.html"].words
    assert "findings.html#finding-1" in made["index.html"].all("href")
    assert "finding-1" in made["findings.html"].all("id")


@pytest.mark.parametrize("inline", [7, 6])
def test_each_piece_of_evidence_leads_to_its_command_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inline: int
) -> None:
    monkeypatch.setattr(view, "INLINE_LIMIT", inline)
    sections = {one.section for all_of in sample_run.EVIDENCE.values() for one in all_of}
    commands = {one: f"cat /proc/{one}" for one in sorted(sections - {"stats.2"})}
    run = replace(sample_run.run(sample_run.fleet(7)), by_hand=commands)
    made = pages(run, tmp_path)
    index = made.pop("index.html")
    assert "#by-hand" in index.all("href")
    assert {one for one in index.all("id") if one.startswith("hand-")} == {
        f"hand-{one}" for one in commands
    }
    where = "index.html" if "hosts-001.html" in made else ""
    assert bool(where) == (inline < 7)
    details = made["hosts-001.html"] if where else index
    links = {one for one in details.all("href") if "#hand-" in one}
    assert links == {f"{where}#hand-{one}" for one in commands}


def test_the_columns_of_the_counters_are_explained_beside_their_command(tmp_path: Path) -> None:
    run = sample_run.run(sample_run.lab_hosts())
    index = pages(replace(run, by_hand={"counters": "cat", "cmdline": "cat"}), tmp_path)
    text = index["index.html"].text
    about = text[text.index("counters cat") : text.index("cmdline cat")]
    columns = ("look", "inode", "uptime", "number of CPUs", "sums over the CPUs", "totals", "~ row")
    places = [about.index(one) for one in columns]
    assert places == sorted(places)
    assert "Columns" not in text[text.index("cmdline cat") :]


@pytest.mark.parametrize("section", ["running-values", "programs", "late-writers"])
def test_each_word_that_begins_a_line_is_explained(section: str) -> None:
    words: set[str] = set()
    for path in (Path(__file__).parents[1] / "recordings").glob("*.jsonl"):
        for host in store.read(path):
            if isinstance(host, Snapshot) and section in host.sections:
                words |= {line.split(" ")[0] for line in host.sections[section].lines()}
    assert words
    of_themselves = {"file", "shell", "program", "unreadable", "end", ""}
    explained = set(re.findall("[a-z]+", how_to_read(section)))
    assert words - of_themselves - explained == set()
