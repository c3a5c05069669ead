"""results.json host by host: as strict as when it is read whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.report import results_json, results_stream
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.results_stream import Results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    results_json.write(sample_run.run().completed(), tmp_path / "results.json")
    return tmp_path / "results.json"


@pytest.mark.parametrize("count", ['"unreachable":1', '"fail":7', '"waived":1'])
def test_counts_that_its_hosts_do_not_add_up_to_are_refused(count: str, path: Path) -> None:
    text = path.read_text()
    assert text.count(count) == 1
    path.write_text(text.replace(count, count[:-1] + "0"))
    with pytest.raises(ReportError, match=r"results\.json: run\.counts\..* says 0, but the hosts"):
        list(Results(path).hosts())


def test_a_pass_that_was_not_evaluated_is_refused_with_its_line(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace('"evaluated":true', '"evaluated":false', 1))
    with pytest.raises(ReportError, match=r"results\.json:4: compliant EST-1 was not evaluated"):
        list(Results(path).hosts())


def test_a_host_whose_verdict_is_not_the_worst_of_its_controls_is_refused_with_its_line(
    path: Path,
) -> None:
    said = '"verdict":"fail","reachable":true}'
    text = path.read_text()
    assert said in text.splitlines()[4]
    path.write_text(text.replace(said, said.replace("fail", "pass"), 1))
    with pytest.raises(ReportError, match=r"results\.json:5: drifted: its verdict is not the"):
        list(Results(path).hosts())


def test_a_line_that_is_longer_than_any_that_is_written_is_not_read_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    monkeypatch.setattr(results_stream, "RESULTS_LINE", max(map(len, lines)))
    assert len(list(Results(path).hosts())) == 7
    monkeypatch.setattr(results_stream, "RESULTS_LINE", max(map(len, lines[3:])) - 1)
    with pytest.raises(ReportError, match=r"results\.json: has a line of more than 0 MiB"):
        list(Results(path).hosts())


def test_a_duplicate_host_is_refused_with_its_line(path: Path) -> None:
    path.write_text(path.read_text().replace('"name":"drifted"', '"name":"compliant"'))
    with pytest.raises(ReportError, match=r"results\.json:5: the host compliant is a duplicate"):
        list(Results(path).hosts())
