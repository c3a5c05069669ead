"""``ipvs-audit render RUN``: all reports again, from results.json and the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.report import signature
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.options import Outputs, add_output_options
from ipvs_audit.report.render import render

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> ExitCode:
    """Render a run.

    Returns:
        OK when it was rendered, USAGE when it could not be.
    """
    parser = Parser(
        "ipvs-audit render", "Writes the reports of a run again, in place or elsewhere."
    )
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="a run's directory, e.g. reports/latest"
    )
    parser.add_argument("--into", type=Path, metavar="DIR", help="a new directory (default: RUN)")
    add_output_options(parser.getgroup("reports").addoption)
    arguments = parser.parse_args(argv)
    sign = Path(arguments.sign) if arguments.sign else None
    outputs = Outputs.chosen(arguments.format, arguments.junit_split, sign, arguments.report_mode)
    try:
        signature.check_key(sign)
        render(arguments.run, outputs, arguments.into)
    except (OSError, ReportError, signature.SignatureError) as wrong:
        return refuse("render", wrong)
    place = arguments.into or arguments.run
    Console(highlight=False, soft_wrap=True).print(Text(str(place / "index.html")))
    return ExitCode.OK
