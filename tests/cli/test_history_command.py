"""``ipvs-audit history``: the page, and what the terminal says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
import sample_run
from sample_run import HOSTILE, host, result

from ipvs_audit.cli.main import main
from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.results import HostState
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report import results_json

if TYPE_CHECKING:
    from pathlib import Path

BAD = result("EST-4", Verdict.FAIL)


def write(reports: Path, day: int, *hosts: Any) -> None:
    started = f"2026-11-{day:02d}T02:00:00.000Z"
    fleet = tuple(replace(one, started=started, finished=started) for one in hosts)
    run = replace(sample_run.run(fleet), id=f"night-{day}", started=started, finished=started)
    (reports / f"night-{day}").mkdir(parents=True)
    results_json.write(bounded(run.completed()), reports / f"night-{day}" / "results.json")


def down(name: str) -> Any:
    return replace(host(name), state=HostState.UNREACHABLE, reason="x", controls=())


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """web1 fails and is fixed, web2 fails and is not reached, web3 fails from the first night."""
    write(tmp_path, 1, host("web1"), host("web2"), host("web3", BAD))
    write(tmp_path, 2, host("web1", BAD), host("web2", BAD), host("web3", BAD))
    write(tmp_path, 3, host("web1"), down("web2"), host("web3", BAD), host("new", BAD))
    return tmp_path


def test_the_terminal_says_who_fails_since_when_and_how_soon_hosts_are_fixed(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", str(reports)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "History of 3 runs since 2026-11-01 02:00"
    assert lines[2].split() == ["run", "(UTC)", "fail", "error", "pass", "new", "fixed"]
    assert lines[5].split()[2:] == ["2", "1", "1", "1", "1"]
    assert "newly failing: new (EST-4)" in lines
    assert "fixed: web1" in lines
    assert "  web3: EST-4, at least 2 d, now fail" in lines
    assert "  new: EST-4, since this run, now fail" in lines
    assert "  web2: EST-4, 1 d, now error" in lines
    text = " ".join(lines)
    assert "mean time to fix: 1 d, over 1 fix; 3 hosts not fixed yet, not in the mean" in text


def test_nothing_is_wider_than_80_columns_or_needs_more_than_ascii(reports: Path) -> None:
    (reports / "broken").mkdir()
    (reports / "broken" / "results.json").write_text("")
    ran = subprocess.run(
        [sys.executable, "-m", "ipvs_audit", "history", "."],
        cwd=reports,
        env=os.environ | {"LC_ALL": "C", "NO_COLOR": "1", "COLUMNS": "80"},
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout.isascii()
    assert b"\x1b" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert not [line for line in ran.stdout.splitlines() if line != line.rstrip()]
    assert b"left out: broken: " in ran.stdout


def test_the_page_has_each_run_and_host_and_links_only_to_pages_that_are_there(
    reports: Path,
) -> None:
    (reports / "night-2" / "index.html").write_text("")
    assert main(["history", str(reports)]) == 0
    page = (reports / "history" / "index.html").read_text()
    assert re.findall(r'href="(\.\./[^"]*)"', page) == ["../night-2/index.html"]
    assert page.count("<rect") == 3 + 1 + 2  # fail on three nights, error on one, pass on two
    for words in ("1 newly failing", "new (EST-4)", "web1 (failed since 2026-11-02 02:00)"):
        assert words in page
    unseen = page.partition('id="unseen"')[2].partition("</section>")[0]
    assert "<span>web2</span>" in unseen
    assert "<td>error</td>" in unseen
    assert not re.search(r"<script|style=|https?://", page)
    assert {path.name for path in (reports / "history").iterdir()} == {"index.html", "style.css"}
    assert (reports / "history" / "index.html").stat().st_mode & 0o777 == 0o600


def test_it_is_written_again_and_over_nothing_else(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", str(reports)]) == 0
    assert main(["history", str(reports), "--report-mode", "644"]) == 0
    assert (reports / "history" / "index.html").stat().st_mode & 0o777 == 0o644
    (reports / "history" / "notes.txt").write_text("mine")
    other = reports / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    link = reports / "link"
    link.symlink_to(other, target_is_directory=True)
    for place in (reports / "history", other, link, other / "index.html"):
        assert main(["history", str(reports), "--into", str(place)]) == 4
        assert "name another directory with --into" in capsys.readouterr().err
    assert (reports / "history" / "notes.txt").read_text() == "mine"
    assert (other / "index.html").read_text() == "mine"


def test_one_run_has_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, 1, host("web1", BAD))
    assert main(["history", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "newly failing" not in said
    assert "mean time to fix: not known yet" in said
    assert "nothing to compare with" in (tmp_path / "history" / "index.html").read_text()


def test_a_directory_without_runs_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", str(tmp_path)]) == 4
    assert "name the directory that holds the runs" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_do_nothing_to_page_or_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, 1, host(HOSTILE), host(f"{HOSTILE}2", BAD), host("web3"))
    write(tmp_path, 2, host(HOSTILE, BAD), host("web3"))
    (tmp_path / "night-2").rename(tmp_path / "<b>&\x1b[2J")
    (tmp_path / "<i>").mkdir()
    (tmp_path / "<i>" / "results.json").write_text("")
    assert main(["history", str(tmp_path)]) == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    page = (tmp_path / "history" / "index.html").read_text()
    assert page.replace("\n", "").isprintable()
    tags: set[str] = set()
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, _: tags.add(tag)  # type: ignore[method-assign]
    reader.feed(page)
    assert not tags & {"script", "img", "i"}
    assert not re.search(r"<b (?!>)", page)


def test_a_large_fleet_shares_rows_and_many_runs_fold(tmp_path: Path) -> None:
    for day in range(1, 29):
        bad = BAD if day > 1 else result("EST-4")
        write(tmp_path, day, *(host(f"web{number}", bad) for number in range(60)))
    assert main(["history", str(tmp_path)]) == 0
    page = (tmp_path / "history" / "index.html").read_text()
    failing = page.partition('id="failing"')[2].partition("</section>")[0]
    assert failing.count("<tr>") == 2
    assert all(f"<span>web{number}</span>" in failing for number in range(60))
    assert "<details><summary>60 hosts" in failing
