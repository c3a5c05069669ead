"""``ipvs-audit audit``, and ``ipvs-audit`` alone: pytest's run of the checks, from any folder."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from ipvs_audit.cli.arguments import Parser
from ipvs_audit.plugin.options import add_options

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Audits the hosts of an inventory; without --inventory, this machine. Writes reports/<UTC time>/ in
the working directory, and points reports/latest at it.

pytest's options work too, among them -k EXPRESSION, -x, -q, --lf, -n PROCESSES, --junitxml FILE,
--html FILE, --strict (an inconclusive result fails) and pytest-testinfra's --ssh-config FILE.
Checks, policy and pytest's configuration are those of the package or, in a checkout, its own."""


def main(argv: Sequence[str]) -> int:
    """Audit; gives pytest's exit code, which is one of :class:`.exit_codes.ExitCode`."""
    if {"-h", "--help"} & set(argv):
        parser = _parser()
        add_options(parser)  # type: ignore[arg-type]  # declares them as it does for pytest
        parser.print_help()
        return 0
    gc.disable()  # until the session has begun (plugin/hooks.py): what is imported is no garbage
    from ipvs_audit.plugin.command import run_pytest  # noqa: PLC0415  # --help needs no pytest

    arguments, rest = _parser(add_help=False).parse_known_args(argv)
    return run_pytest(rest, arguments.checks, ("ipvs-audit", "audit", *argv))


def _parser(*, add_help: bool = True) -> Parser:
    parser = Parser(
        "ipvs-audit audit",
        _DESCRIPTION,
        usage="ipvs-audit audit [OPTIONS] [FILE_OR_DIR ...]",
        add_help=add_help,
    )
    parser.add_argument(
        "--checks",
        action="append",
        default=[],
        metavar="PATH",
        help="run these checks instead of the suite's own: a folder or file; repeatable",
    )
    return parser
