"""The summary in the terminal: what a person reads when a run is over.

No more than some hundred lines, whatever the fleet; the pages hold the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ipvs_audit.model.bounded import bounded
from ipvs_audit.model.results import HostState
from ipvs_audit.model.sanitise import clipped, one_line
from ipvs_audit.model.text import counted, shortened
from ipvs_audit.model.verdict import PLAN
from ipvs_audit.report.findings import findings
from ipvs_audit.report.latency_text import latency_changes
from ipvs_audit.report.next_command import next_command
from ipvs_audit.report.summary import (
    QUIET,
    Status,
    headline,
    host_status,
    reconciliation,
    remediation_lines,
    status_of,
    worst_first,
)
from ipvs_audit.report.terminal_lines import print_lines
from ipvs_audit.report.terminal_notes import change_lines, waiver_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run
    from ipvs_audit.report.findings import Finding

#: Above this many hosts, those that pass everything are only counted.
FEW_HOSTS = 30
MAX_ROWS = 30
MAX_FINDINGS = 20
MAX_NAMES = 5
MAX_NOTES = 10
_HOST_WIDTH = 32
_MESSAGE_WIDTH = 400
#: What to do about an error is part of its message, with paths and names: it is not cut.
_ERROR_WIDTH = 1_500
_NAME_WIDTH = 64

_STYLES = {
    Status.FAIL: "bold red",
    Status.ERROR: "bold magenta",
    Status.INCONCLUSIVE: "yellow",
    Status.WAIVED: "blue",
    Status.PASS: "green",
    Status.NOT_APPLICABLE: "dim",
    Status.NOT_EVALUATED: "dim",
    Status.NOT_SELECTED: "dim",
    Status.EXCLUDED: "dim",
}
#: Words for a terminal too narrow for the whole ones; explained below the table.
SHORT = {
    Status.INCONCLUSIVE: "inconcl.",
    Status.WAIVED: "waived",
    Status.NOT_APPLICABLE: "n/a",
    Status.NOT_EVALUATED: "-",
}


def render_summary(run: Run, reports: Path, console: Console) -> None:
    """Print the verdict, the table, the findings, the reconciliation and where the report lies."""
    run = bounded(run.completed())
    said = headline(run)
    console.print()
    print_lines(console, Text.assemble((said.claim, _STYLES[said.status]), f": {said.rest}"))
    console.print()
    if run.hosts and run.controls and not _is_lone_and_not_applicable(run):
        _print_table(run, console)
        console.print()
    _print_findings(run, console)
    remedied = remediation_lines(run, reports.name)
    told = (*remedied, *latency_changes(run), *waiver_lines(run), *change_lines(run))
    for line in told:
        _print_plain(console, clipped(one_line(line), _MESSAGE_WIDTH))
    for note in run.notes[:MAX_NOTES]:
        _print_plain(console, f"note: {clipped(one_line(note), _MESSAGE_WIDTH)}")
    if (more := len(run.notes) - MAX_NOTES) > 0:
        _print_plain(console, f"and {counted(more, 'more note')} in the report")
    _print_plain(console, reconciliation(run))
    # What is for copying is never wrapped.
    _print_plain(console, f"report: {one_line(str(reports / 'index.html'))}", wrap=False)
    what, command = next_command(run, str(reports))
    if command:
        _print_plain(console, f"next, {what}:")
        _print_plain(console, f"    {one_line(command)}", wrap=False)


def _is_lone_and_not_applicable(run: Run) -> bool:
    """Whether the headline says all there is to say: one host, and nothing concerns it."""
    return len(run.hosts) == 1 and host_status(run.hosts[0]) is Status.NOT_APPLICABLE


def _print_plain(console: Console, text: str, *, wrap: bool = True) -> None:
    shown = Text(_ascii_marks(text))
    if wrap:
        print_lines(console, shown)
    else:
        console.print(shown, soft_wrap=True)


def _ascii_marks(text: str) -> str:
    """The mark of what was left out, in characters that every terminal has."""
    return text.replace("\N{HORIZONTAL ELLIPSIS}", "...")


def _print_table(run: Run, console: Console) -> None:
    ordered = sorted(run.hosts, key=worst_first)
    shown = (
        [host for host in ordered if host_status(host) not in QUIET]
        if len(ordered) > FEW_HOSTS
        else ordered
    )
    rows = shown[:MAX_ROWS]
    if rows:
        words = _words(rows, run.controls, console.width)
        print_lines(console, _table(rows, run.controls, words))
        there = {one for host in rows for one in _statuses(host, run.controls)}
        if used := [one for one in words if words[one] != one.word and one in there]:
            legend = ", ".join(f"{words[one]} = {one.word}" for one in used)
            print_lines(console, Text(legend, style="dim"))
    if (more := len(shown) - len(rows)) > 0:
        verb = "does" if more == 1 else "do"
        _print_plain(console, f"and {counted(more, 'more host')} that {verb} not pass everything")
    if rest := len(ordered) - len(shown):
        apart = {
            state.word: count
            for state in (HostState.EXCLUDED, HostState.NOT_SELECTED)
            if (count := run.states()[state])
        }
        silent = " and ".join(f"{count:,} of them {word}" for word, count in apart.items())
        told = ", ".join(filter(None, ("with nothing to report", silent)))
        _print_plain(console, f"and {counted(rest, 'host')} {told}")


def _words(rows: list[HostResult], controls: tuple[Control, ...], width: int) -> dict[Status, str]:
    """Whole words where the table then fits the terminal, else short ones."""
    whole = {one: one.word for one in Status}
    names = max(len(_short_name(host)) for host in rows)
    return (
        whole
        if names + sum(2 + one for one in _widths(rows, controls, whole)) <= width
        else (whole | SHORT)
    )


def _widths(
    rows: list[HostResult], controls: tuple[Control, ...], words: dict[Status, str]
) -> list[int]:
    """The least width of each control's column: words break only at their blanks."""
    lines = [_statuses(host, controls) for host in rows]
    return [
        max(
            len(_id(control)),
            *(len(part) for line in lines for part in (_said(line[place], words).split() or [""])),
        )
        for place, control in enumerate(controls)
    ]


def _statuses(host: HostResult, controls: tuple[Control, ...]) -> list[Status | None]:
    """The status of each control; of a host that was not contacted, the first cell says why."""
    if not host.contacted:
        return [host_status(host), *[None] * (len(controls) - 1)]
    return [status_of(host.result(control.id)) for control in controls]


def _said(status: Status | None, words: dict[Status, str]) -> str:
    return words[status] if status else ""


def _id(control: Control) -> str:
    return clipped(one_line(control.id), _NAME_WIDTH)


def _table(
    rows: list[HostResult], controls: tuple[Control, ...], words: dict[Status, str]
) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("host", no_wrap=True)
    for control, width in zip(controls, _widths(rows, controls, words), strict=True):
        table.add_column(Text(_id(control)), min_width=width)
    for host in rows:
        cells = [
            Text(_said(one, words), style=_STYLES[one] if one else "")
            for one in _statuses(host, controls)
        ]
        table.add_row(Text(_short_name(host)), *cells)
    return table


def _print_findings(run: Run, console: Console) -> None:
    found = list(_together(findings(run)))
    for same in found[:MAX_FINDINGS]:
        finding = same[0]
        names = [clipped(one_line(name), _NAME_WIDTH) for name in finding.hosts]
        print_lines(
            console,
            Text.assemble(
                (finding.status.word, _STYLES[finding.status]),
                f"{_title(same)} on {_ascii_marks(_hosts(names))}",
            ),
        )
        if len(names) > MAX_NAMES:
            _print_indented(console, f"{', '.join(names[:MAX_NAMES])} ...")
        most = _ERROR_WIDTH if finding.status is Status.ERROR else _MESSAGE_WIDTH
        _print_indented(console, finding.message, most=most)
        if finding.status is Status.FAIL:
            for number, line in enumerate(filter(None, finding.fix.split("\n"))):
                if not line.startswith(PLAN):  # the command at the end is for all hosts
                    _print_indented(console, line, "     " if number else "fix: ")
        if finding.waiver:
            _print_indented(console, f"waiver: {finding.waiver}")
        console.print()
    if (more := len(found) - MAX_FINDINGS) > 0:
        _print_plain(console, f"and {counted(more, 'more finding')} in the report")
        console.print()


def _together(found: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Findings that say the same of the same hosts, each group once."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for one in found:
        key = one.status, one.message, one.fix, one.waiver, one.hosts
        groups.setdefault(key, []).append(one)
    yield from groups.values()


def _title(same: Sequence[Finding]) -> str:
    controls = [finding.control for finding in same if finding.control is not None]
    if len(controls) == 1:
        return f" {clipped(one_line(f'{controls[0].id} {controls[0].name}'), _NAME_WIDTH)}"
    ids = ", ".join(map(_id, controls))
    return f" {clipped(ids, _NAME_WIDTH)}" if ids else ""


def _print_indented(
    console: Console, text: str, lead: str = "", *, most: int = _MESSAGE_WIDTH
) -> None:
    """A text below a finding, whole lines behind a lead of the same width."""
    shown = Text(_ascii_marks(clipped(one_line(text), most)))
    for line in shown.wrap(console, max(console.width - 4 - len(lead), 20)):
        line.rstrip()
        console.print(Text(f"    {lead}").append_text(line), soft_wrap=True)
        lead = " " * len(lead)


def _hosts(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MAX_NAMES else f"{len(names):,} hosts"


def _name(host: HostResult) -> str:
    return clipped(one_line(host.name), _NAME_WIDTH)


def _short_name(host: HostResult) -> str:
    return shortened(one_line(host.name), _HOST_WIDTH)
