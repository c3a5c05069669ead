"""The summary in the terminal: what a person reads when a run is over.

No more than some hundred lines, whatever the fleet; the pages hold the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.sanitise import clipped, one_line
from ipvs_audit.report.latency_text import eased
from ipvs_audit.report.summary import (
    Standing,
    badness,
    headline,
    host_standing,
    reconciliation,
    remediation_lines,
    standing,
)
from ipvs_audit.report.terminal_notes import change_lines, waiver_lines

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run
    from ipvs_audit.model.verdict import Result

#: Above this many hosts, those that pass everything are only counted.
FEW_HOSTS = 30
MAX_ROWS = 30
MAX_FINDINGS = 20
MAX_NAMES = 5
MAX_NOTES = 10
_HOST_WIDTH = 32
_MESSAGE_WIDTH = 400
_NAME_WIDTH = 64

_STYLES = {
    Standing.FAIL: "bold red",
    Standing.ERROR: "bold magenta",
    Standing.INCONCLUSIVE: "yellow",
    Standing.WAIVED: "blue",
    Standing.PASS: "green",
    Standing.NOT_APPLICABLE: "dim",
    Standing.NOT_JUDGED: "dim",
    Standing.EXCLUDED: "dim",
}
#: Words for a terminal too narrow for the whole ones; explained below the table.
_SHORT = {
    Standing.INCONCLUSIVE: "inconcl.",
    Standing.WAIVED: "waived",
    Standing.NOT_APPLICABLE: "n/a",
    Standing.NOT_JUDGED: "-",
}
_QUIET = {Standing.PASS, Standing.NOT_APPLICABLE, Standing.EXCLUDED}


def render_summary(run: Run, reports: Path, console: Console) -> None:
    """Print the verdict, the table, the findings, the reconciliation and where the report lies."""
    run = bounded(run.completed())
    said = headline(run)
    console.print()
    console.print(Text.assemble((said.claim, _STYLES[said.standing]), f": {said.rest}"))
    console.print()
    if run.hosts and run.controls:
        _print_table(run, console)
        console.print()
    _print_findings(run, console)
    remedied = remediation_lines(run, reports.name)
    told = (*remedied, *eased(run), *waiver_lines(run), *change_lines(run))
    for line in told:
        _print_plain(console, clipped(one_line(line), _MESSAGE_WIDTH))
    for note in run.notes[:MAX_NOTES]:
        _print_plain(console, f"note: {clipped(one_line(note), _MESSAGE_WIDTH)}")
    if (more := len(run.notes) - MAX_NOTES) > 0:
        _print_plain(console, f"and {more:,} more notes in the report")
    _print_plain(console, reconciliation(run))
    # A path is for copying: never wrapped.
    _print_plain(console, f"report: {one_line(str(reports / 'index.html'))}", wrap=False)


def _print_plain(console: Console, text: str, *, wrap: bool = True) -> None:
    console.print(Text(text), soft_wrap=not wrap)


def _print_table(run: Run, console: Console) -> None:
    ordered = sorted(run.hosts, key=badness)
    shown = (
        [host for host in ordered if host_standing(host) not in _QUIET]
        if len(ordered) > FEW_HOSTS
        else ordered
    )
    rows = shown[:MAX_ROWS]
    if rows:
        words = _words(rows, run.controls, console.width)
        console.print(_table(rows, run.controls, words))
        there = {one for host in rows for one in _stands(host, run.controls)}
        if used := [one for one in words if words[one] != one.word and one in there]:
            legend = ", ".join(f"{words[one]} = {one.word}" for one in used)
            console.print(Text(legend, style="dim"))
    if (more := len(shown) - len(rows)) > 0:
        _print_plain(console, f"and {more:,} more hosts that do not pass everything")
    if rest := len(ordered) - len(shown):
        excluded = sum(host.state == "excluded" for host in ordered)
        silent = f", {excluded:,} of them excluded" if excluded else ""
        _print_plain(console, f"and {rest:,} hosts with nothing to report{silent}")


def _words(
    rows: list[HostResult], controls: tuple[Control, ...], width: int
) -> dict[Standing, str]:
    """Whole words where the table then fits the terminal, else short ones."""
    whole = {one: one.word for one in Standing}
    names = max(min(len(_name(host)), _HOST_WIDTH) for host in rows)
    return (
        whole
        if names + sum(2 + one for one in _widths(rows, controls, whole)) <= width
        else (whole | _SHORT)
    )


def _widths(
    rows: list[HostResult], controls: tuple[Control, ...], words: dict[Standing, str]
) -> list[int]:
    """The least width of each control's column: words break only at their blanks."""
    lines = [_stands(host, controls) for host in rows]
    return [
        max(
            len(_id(about)),
            *(len(part) for line in lines for part in (_said(line[place], words).split() or [""])),
        )
        for place, about in enumerate(controls)
    ]


def _stands(host: HostResult, controls: tuple[Control, ...]) -> list[Standing | None]:
    """How each control stands; of an excluded host only the first cell says that it is."""
    if host.state == "excluded":
        return [Standing.EXCLUDED, *[None] * (len(controls) - 1)]
    return [standing(host.result(about.id)) for about in controls]


def _said(stands: Standing | None, words: dict[Standing, str]) -> str:
    return words[stands] if stands else ""


def _id(about: Control) -> str:
    return clipped(one_line(about.id), _NAME_WIDTH)


def _table(
    rows: list[HostResult], controls: tuple[Control, ...], words: dict[Standing, str]
) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("host", no_wrap=True, max_width=_HOST_WIDTH, overflow="ellipsis")
    for about, width in zip(controls, _widths(rows, controls, words), strict=True):
        table.add_column(Text(_id(about)), min_width=width)
    for host in rows:
        cells = [
            Text(_said(one, words), style=_STYLES[one] if one else "")
            for one in _stands(host, controls)
        ]
        table.add_row(Text(_name(host)), *cells)
    return table


@dataclass(slots=True)
class _Finding:
    """One message of one control, with the hosts that share it."""

    about: Result
    stands: Standing
    hosts: list[str] = field(default_factory=list)


def _findings(run: Run) -> list[_Finding]:
    """What fails, could not be judged or is inconclusive; the most severe and frequent first.

    An unreachable host says the same for each control; it stands here once, without a control.
    """
    found: dict[tuple[str, ...], _Finding] = {}
    for host in run.hosts:
        for result in host.controls[:1] if host.state == "unreachable" else host.controls:
            stands = standing(result)
            if stands in {Standing.PASS, Standing.NOT_APPLICABLE}:
                continue
            control = "" if host.state == "unreachable" else result.control
            key = (stands, control, result.message)
            found.setdefault(key, _Finding(result, stands)).hosts.append(_name(host))
    order = {one: place for place, one in enumerate(Standing)}
    return sorted(found.values(), key=lambda one: (order[one.stands], -len(one.hosts)))


def _print_findings(run: Run, console: Console) -> None:
    fixes = {about.id: about.fix for about in run.controls}
    unreachable = {_name(host) for host in run.hosts if host.state == "unreachable"}
    findings = _findings(run)
    for finding in findings[:MAX_FINDINGS]:
        result = finding.about
        control = "" if finding.hosts[0] in unreachable else f" {result.control} {result.name}"
        title = Text.assemble(
            (finding.stands.word, _STYLES[finding.stands]),
            f"{clipped(one_line(control), _NAME_WIDTH)} on {_hosts(finding.hosts)}",
        )
        console.print(title)
        if len(finding.hosts) > MAX_NAMES:
            _print_indented(console, f"{', '.join(finding.hosts[:MAX_NAMES])} ...")
        _print_indented(console, result.message or result.observed)
        if finding.stands is Standing.FAIL and fixes.get(result.control):
            _print_indented(console, f"fix: {fixes[result.control]}")
        if finding.stands is Standing.WAIVED:
            _print_indented(console, f"waiver: {result.waiver}")
        console.print()
    if (more := len(findings) - MAX_FINDINGS) > 0:
        _print_plain(console, f"and {more:,} more findings in the report")
        console.print()


def _print_indented(console: Console, text: str) -> None:
    shown = Text(clipped(one_line(text), _MESSAGE_WIDTH))
    for line in shown.wrap(console, max(console.width - 4, 20)):
        line.rstrip()
        console.print(Text("    ").append_text(line), soft_wrap=True)


def _hosts(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MAX_NAMES else f"{len(names):,} hosts"


def _name(host: HostResult) -> str:
    return clipped(one_line(host.name), _NAME_WIDTH)
