"""``ipvs-audit merge RUN ...``: the runs of all shards of a fleet, as one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ipvs_audit.audit.merge import merge, run_in
from ipvs_audit.audit.merged_run import MergeError
from ipvs_audit.audit.options import redact
from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.report import signature
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.options import Outputs, add_output_options
from ipvs_audit.report.write import point_latest

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> ExitCode:
    """Merge runs.

    Returns:
        OK when they were merged, whatever they found; USAGE when they were not.
    """
    arguments = _parser().parse_args(argv)
    sign = Path(arguments.sign) if arguments.sign else None
    try:
        signature.check_key(sign)
        place, lines = merge(
            [run_in(path) for path in arguments.runs],
            Outputs.chosen(arguments.format, arguments.junit_split, sign, arguments.report_mode),
            arguments.into,
            redact(("ipvs-audit", "merge", *argv)),
            arguments.allowed_signers,
        )
        if arguments.into is None:
            point_latest(place.parent, place)
    except (OSError, MergeError, ReportError, signature.SignatureError) as wrong:
        return refuse("merge", wrong)
    console = Console(highlight=False, soft_wrap=True)
    for line in (*lines, f"report: {place / 'index.html'}"):
        console.print(Text(one_line(line)))
    return ExitCode.OK


def _parser() -> Parser:
    parser = Parser("ipvs-audit merge", "Merges the runs of all shards of a fleet into one.")
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="the run of each shard: its directory, or one that holds latest",
    )
    parser.add_argument(
        "--into", type=Path, metavar="DIR", help="a new directory (default: next to the first RUN)"
    )
    parser.add_argument(
        "--allowed-signers",
        type=Path,
        metavar="FILE",
        help="accepted signers, see ssh-keygen(1); every RUN must then be signed",
    )
    add_output_options(parser.getgroup("reports").addoption)
    return parser
