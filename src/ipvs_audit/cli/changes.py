"""``ipvs-audit changes RUN``: what changed since an earlier run, as the text of a mail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.audit.baseline import BaselineError, compare, load_baseline
from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.report.changes_text import changes_text
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.reported_run import load_reported

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> ExitCode:
    """Print the text; nothing where nothing changed.

    Returns:
        OK whether something changed or not, USAGE where a run cannot be read.
    """
    arguments = _parser().parse_args(argv)
    try:
        run, _ = load_reported(arguments.run)
        if arguments.baseline is not None:
            run = replace(run, baseline=compare(load_baseline(arguments.baseline), run))
    except (BaselineError, ReportError) as wrong:
        return refuse("changes", wrong)
    print(changes_text(run), end="")  # noqa: T201  # a program reads it: no colour, no wrapping
    return ExitCode.OK


def _parser() -> Parser:
    parser = Parser(
        "ipvs-audit changes",
        "Prints what is newly failing, fixed or no longer known since the earlier run, and which\n"
        "hosts are new or gone: a line fit for a subject, then the text of a mail. Prints nothing\n"
        "where nothing changed.",
    )
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="a run's directory, e.g. reports/latest"
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="EARLIER",
        help="the earlier run's directory (default: the one that RUN was compared with)",
    )
    return parser
