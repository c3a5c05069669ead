"""How the pages lie on a narrow screen and on paper."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sample_run

from ipvs_audit.report.html import view
from ipvs_audit.report.write import write_reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from webdriver import Browser

#: A4 less its margins, at 96 pixels an inch.
PAPER = 688


@pytest.fixture
def drawn(
    chrome: Browser, tmp_path: Path, serve: Callable[[bool], str]
) -> Iterator[Callable[..., None]]:
    """Draws index.html of a run so wide, for a medium; scripts find it as ``page``."""

    def draw(width: int, hosts: int, medium: str = "") -> None:
        write_reports(sample_run.run(sample_run.fleet(hosts)), None, tmp_path / "run")
        (tmp_path / "frame.html").write_text(
            f'<iframe src="run/index.html" width="{width}" height="700" frameborder="0"></iframe>'
        )
        chrome.look(medium)
        chrome.go(f"{serve(False)}/frame.html")

    yield draw
    chrome.look()


def ask(chrome: Browser, script: str) -> Any:
    return chrome.run(f"const page = document.querySelector('iframe').contentDocument; {script}")


def test_names_of_hosts_share_lines_on_a_narrow_screen(
    drawn: Callable[..., None], chrome: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "INLINE_LIMIT", 20)
    drawn(400, 800)
    lines = """
        const names = [...page.querySelector(".finding .names").children];
        return [names.length, new Set(names.map(one => one.getBoundingClientRect().top)).size]
    """
    names, lines_taken = ask(chrome, lines)
    assert names == 13
    assert lines_taken <= 7


def test_the_caption_of_evidence_is_one_run_of_words(
    drawn: Callable[..., None], chrome: Browser
) -> None:
    drawn(1200, 1)
    gap = """
        const word = page.querySelector(".proof code");
        const start = page.querySelector(".proof").getBoundingClientRect().left;
        return (word.getBoundingClientRect().left - start) / word.getBoundingClientRect().width
    """
    assert ask(chrome, gap) < 3


def test_each_verdict_fits_its_cell_on_paper(drawn: Callable[..., None], chrome: Browser) -> None:
    drawn(PAPER, 48, "print")
    wider = """
        return [...page.querySelectorAll("#matrix td[class^=v-] a")]
            .filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)
    """
    assert ask(chrome, wider) == []


def test_each_sheet_of_the_matrix_names_the_controls(
    printed: Callable[..., str],
    tmp_path: Path,
    serve: Callable[[bool], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(view, "INLINE_LIMIT", 20)
    run = sample_run.run(sample_run.fleet(1_000))
    write_reports(run, None, tmp_path / "run")
    paper = printed(f"{serve(False)}/run/index.html")
    matrix = paper[paper.index("Hostsandcontrols") : paper.index("Hostsindetail")]
    sheets = matrix.split("IPVSestimationaudit")
    assert len(sheets) > 4
    for sheet in sheets[:-1]:
        assert all(one.id in sheet for one in run.controls)


def test_no_sheet_but_the_last_is_half_empty(
    chromium: Callable[..., str], tmp_path: Path, serve: Callable[[bool], str]
) -> None:
    # Commands for a sheet: the last of these hosts leaves them little room on its own.
    commands = {
        str(number): "grep -rn run_estimation /etc /run /usr/lib; " * 3 for number in range(34)
    }
    run = replace(sample_run.run(sample_run.lab_hosts()[:6]), by_hand=commands)
    write_reports(run, None, tmp_path / "run")
    paper = tmp_path / "printed.pdf"
    address = f"{serve(False)}/run/index.html"
    chromium("--no-pdf-header-footer", f"--print-to-pdf={paper}", address)
    ran = subprocess.run(
        ["pdftotext", "-bbox", str(paper), "-"], capture_output=True, text=True, check=True
    )
    filled = []
    for sheet in re.findall(r"<page .*?</page>", ran.stdout, re.DOTALL):
        height, *ends = (float(one) for one in re.findall(r'(?:height|yMax)="([\d.]+)"', sheet))
        filled.append(
            max(end / height for end in ends if end < 0.94 * height)
        )  # above the foot of the sheet
    assert len(filled) > 3
    assert min(filled[:-1]) > 0.6
