"""``ipvs-audit history DIR``: what became of hosts over all runs in a directory, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.history_runs import read_history
from ipvs_audit.report.history_text import render_history
from ipvs_audit.report.history_write import write_history
from ipvs_audit.report.options import add_report_mode

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> ExitCode:
    """Read the runs, write the page, and print a summary.

    Returns:
        OK whatever the runs found, USAGE where no run can be read or the page not be written.
    """
    arguments = _parser().parse_args(argv)
    into = arguments.into or arguments.runs / "history"
    try:
        history, left_out = read_history(arguments.runs)
        write_history(history, left_out, arguments.runs, into, arguments.report_mode)
    except (OSError, ReportError) as wrong:
        return refuse("history", wrong)
    render_history(history, left_out, into / "index.html", Console(highlight=False))
    return ExitCode.OK


def _parser() -> Parser:
    parser = Parser(
        "ipvs-audit history",
        "Reads results.json of every run in a directory, and writes a page: hosts by verdict over\n"
        "the runs, newly failing, fixed, longest failing, mean time to fix.",
    )
    parser.add_argument(
        "runs", type=Path, metavar="DIR", help="the directory that holds the runs, e.g. reports"
    )
    parser.add_argument(
        "--into", type=Path, metavar="PAGE", help="where the page goes (default: DIR/history)"
    )
    add_report_mode(parser.add_argument)
    return parser
