"""What pytest-html shows of an audit: columns for control and verdict, and the evidence.

Loaded only with ``--html``. A report carries its verdict in ``report.ipvs_audit``,
see :func:`ipvs_audit.plugin.outcomes.describe`; reports without it are left as they are.

pytest-html puts cells and the names of extras into its page as they come, so all that is shown
here is made visible and escaped here; the test id too, which it does not escape either.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import pytest
from pytest_html import extras  # type: ignore[import-untyped]

from ipvs_audit.model.sanitise import clipped, one_line, visible, visible_head

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where the columns go: after pytest-html's Result, before its Test.
_PLACE = 1
_CELL_LIMIT = 120
_FIELD_LIMIT = 4_000
_OUTPUT_LIMIT = 16_000


def pytest_html_results_table_header(cells: list[str]) -> None:
    """Two columns more, both sortable."""
    cells[_PLACE:_PLACE] = [
        '<th class="sortable" data-column-type="control">Control</th>',
        '<th class="sortable" data-column-type="verdict">Verdict</th>',
    ]


def pytest_html_results_table_row(report: pytest.TestReport, cells: list[str]) -> None:
    """The same for each row, empty for a test that is no control."""
    told = _verdict_in(report)
    control = f"{told['control']} {told['name']}" if told else ""
    word = _word(told) if told else ""
    # pytest-html writes the test id into the page as it is.
    cells[_PLACE] = f'<td class="col-testId">{_cell(_test_id(report))}</td>'
    cells[_PLACE:_PLACE] = [
        f'<td class="col-control">{_cell(control)}</td>',
        f'<td class="col-verdict">{_cell(word)}</td>',
    ]


def pytest_html_results_table_html(report: pytest.TestReport, data: list[str]) -> None:
    """The row's details: what was expected and observed, and the evidence."""
    if told := _verdict_in(report):
        data[:] = [escape(_details(told)), *(part for part in data if "No log output" not in part)]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Attach the evidence as a text file, also where set-up ended in an error."""
    told = _verdict_in(report)
    if not told or not told["evidence"]:
        return
    text = "\n".join(_evidence(told))
    shown = [*getattr(report, "extras", []), extras.text(text, name="Evidence")]
    vars(report)["extras"] = shown  # pytest-html's own attribute, unknown to pytest's type


def _verdict_in(report: pytest.TestReport) -> Mapping[str, Any]:
    told = getattr(report, "ipvs_audit", None)
    return told if isinstance(told, Mapping) else {}


def _word(told: Mapping[str, Any]) -> str:
    word = str(told["verdict"]).replace("_", " ")
    return f"waived {word}" if told.get("waiver") and word == "fail" else word


def _test_id(report: pytest.TestReport) -> str:
    return report.nodeid if report.when == "call" else f"{report.nodeid}::{report.when}"


def _cell(text: str) -> str:
    return escape(clipped(one_line(text), _CELL_LIMIT))


def _details(told: Mapping[str, Any]) -> str:
    lines = [
        f"{label + ':':<10}{_field(told.get(key))}"
        for label, key in (
            ("host", "host"),
            ("message", "message"),
            ("expected", "expected"),
            ("observed", "observed"),
            ("waiver", "waiver"),
        )
        if told.get(key)
    ]
    return "\n".join([*lines, "", *_evidence(told)])


def _evidence(told: Mapping[str, Any]) -> Iterator[str]:
    for shown in told["evidence"]:
        status = "" if shown["status"] is None else f", exit {shown['status']}"
        output, cut = visible_head(str(shown["output"]).rstrip("\n"), _OUTPUT_LIMIT)
        cut += shown["cut"]
        mark = f"\n[… {cut:,} characters cut]" if cut else ""
        head = f"[{shown['section']}] {shown['user']}{status}, {shown['at']}"
        yield f"{clipped(one_line(head), _FIELD_LIMIT)}\n{output}{mark}\n"


def _field(value: object) -> str:
    return clipped(visible(str(value)), _FIELD_LIMIT)
