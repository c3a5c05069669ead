"""``ipvs-audit verify RUN``: checks a saved run's digests, signature, results and reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ipvs_audit.audit.verify import verify
from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.controls.discovery import ChecksError, own_checks
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.model.policy import PolicyError
from ipvs_audit.model.sanitise import clipped, one_line
from ipvs_audit.report.errors import ReportError
from ipvs_audit.snapshot.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLES = {"ok": "green", "note": "yellow", "WRONG": "bold red"}
_LONGEST = 600


def main(argv: Sequence[str]) -> ExitCode:
    """Verify a run.

    Returns:
        OK where all holds, FINDINGS where something does not, USAGE where it cannot be read.
    """
    arguments = _parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    code = ExitCode.OK
    try:
        for finding in verify(
            arguments.run,
            arguments.checks or own_checks(),
            arguments.allowed_signers,
            arguments.signer,
        ):
            text = clipped(one_line(finding.text), _LONGEST)
            console.print(Text.assemble((f"{finding.level:<6}", _STYLES[finding.level]), text))
            if finding.level == "WRONG":
                code = ExitCode.FINDINGS
    except (OSError, ReportError, StoreError, ChecksError, PolicyError) as wrong:
        return code or refuse("verify", wrong)
    return code


def _parser() -> Parser:
    parser = Parser(
        "ipvs-audit verify",
        "Checks a run's digests and signature, evaluates its evidence again, and renders its"
        " reports again.",
    )
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="a run's directory, e.g. reports/latest"
    )
    parser.add_argument(
        "--allowed-signers",
        type=Path,
        metavar="FILE",
        help="accepted signers, see ssh-keygen(1); an unsigned run then fails",
    )
    parser.add_argument(
        "--signer", metavar="NAME", help="the required signer, by name in that file"
    )
    parser.add_argument(
        "--checks",
        type=Path,
        metavar="DIR",
        help="evaluate with these checks (default: the suite's own)",
    )
    return parser
