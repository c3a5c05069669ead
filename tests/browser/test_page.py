"""index.html in a real browser."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.report.write import write_reports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipvs_audit.model.results import Run

WITH_EXCLUDED = sample_run.accompanied(
    sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))
)
LONG = sample_run.run(
    (
        sample_run.host("h" * 400, sample_run.result("EST-4", message="m" * 900)),
        sample_run.host("web2", sample_run.result("EST-4", observed="o" * 900)),
    )
)


def corner(png: Path) -> tuple[int, ...]:
    """Red, green and blue of the picture's first pixel, which no PNG filter changes."""
    raw, place, packed = png.read_bytes(), 8, b""
    while place < len(raw):
        (length,) = struct.unpack(">I", raw[place : place + 4])
        if raw[place + 4 : place + 8] == b"IDAT":
            packed += raw[place + 8 : place + 8 + length]
        place += length + 12
    return tuple(zlib.decompressobj().decompress(packed, 4)[1:4])


def test_all_is_on_paper_under_jenkins_policy_which_allows_no_script(
    tmp_path: Path, serve: Callable[[bool], str], printed: Callable[..., str]
) -> None:
    write_reports(WITH_EXCLUDED, None, tmp_path / "run")
    paper = printed(f"{serve(True)}/run/index.html")
    assert "8intheinventory=6assessed+1unreachable+1excluded" in paper
    for host in WITH_EXCLUDED.completed().hosts:
        for result in host.controls:
            texts = [result.message, result.expected, result.observed, result.waiver or ""]
            texts += [shown.section for shown in result.evidence]
            texts += [shown.output for shown in result.evidence]
            for text in texts:
                assert "".join(text.split()) in paper
            assert f"{result.verdict.word}{result.control}{result.name}".replace(" ", "") in (
                paper.replace("waivedfail", "fail")
            )


def test_each_sheet_of_paper_has_the_verdict_the_run_and_its_number(
    tmp_path: Path, serve: Callable[[bool], str], printed: Callable[..., str]
) -> None:
    passing = (sample_run.host(f"web-{number}") for number in range(14))
    fleet = sample_run.run((sample_run.lab_hosts()[1], *passing))
    write_reports(fleet, None, tmp_path / "run")
    paper = printed(f"{serve(True)}/run/index.html")
    each = r"Notcompliantrun2026-11-23T02-00-00Z(\d+)of(\d+)IPVSestimationaudit"
    numbers = re.findall(each, paper)
    sheets = len(numbers)
    assert sheets > 9
    assert [int(number) for number, _ in numbers] == list(range(1, sheets + 1))
    assert {int(of) for _, of in numbers} == {sheets}
    # Names that the screen folds away.
    matrix = paper[paper.index("Hostsandcontrols") : paper.index("Findingsbycause")]
    assert all(host.name in matrix for host in fleet.hosts)


@pytest.mark.parametrize(
    ("scheme", "colour"), [("1", (0xFD, 0xFD, 0xFB)), ("0", (0x15, 0x17, 0x1A))]
)
def test_both_themes_are_drawn_under_jenkins_policy(
    scheme: str,
    colour: tuple[int, ...],
    tmp_path: Path,
    serve: Callable[[bool], str],
    chromium: Callable[..., str],
) -> None:
    write_reports(WITH_EXCLUDED, None, tmp_path / "run")
    picture = tmp_path / "page.png"
    chromium(
        f"--blink-settings=preferredColorScheme={scheme}",
        "--window-size=1280,900",
        f"--screenshot={picture}",
        f"{serve(True)}/run/index.html",
    )
    assert corner(picture) == colour


def test_nothing_that_a_host_says_is_run(
    tmp_path: Path, serve: Callable[[bool], str], chromium: Callable[..., str]
) -> None:
    write_reports(sample_run.hostile_run(), None, tmp_path / "run")
    page = chromium("--dump-dom", f"{serve(False)}/run/index.html")
    assert re.search(r"<title>Not compliant · IPVS estimation audit", page)
    assert "&lt;script&gt;document.title='pwned'" in page
    ours = page.replace('<script src="report.js" defer="">', "", 1)
    assert not re.search(r"<(script|img|b )", ours)


@pytest.mark.parametrize("width", [360, 800])
@pytest.mark.parametrize("run", [WITH_EXCLUDED, LONG, sample_run.hostile_run()])
def test_no_text_is_wide_enough_to_break_the_layout(
    run: Run, width: int, tmp_path: Path, serve: Callable[[bool], str], chromium: Callable[..., str]
) -> None:
    write_reports(run, None, tmp_path / "run")
    (tmp_path / "measure.html").write_text(
        f'<iframe src="run/index.html" width="{width}" height="600" frameborder="0" '
        'onload="document.title = this.contentDocument.documentElement.scrollWidth"></iframe>'
    )
    page = chromium("--dump-dom", f"{serve(False)}/measure.html")
    found = re.search(r"<title>(\d+)</title>", page)
    assert found
    assert int(found[1]) <= width
