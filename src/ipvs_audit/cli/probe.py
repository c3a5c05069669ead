"""``ipvs-audit probe``: prints the probe, for hosts that this machine does not reach."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.model import limits
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.probe.printed import Printed, PrintedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_DESCRIPTION = """\
Prints the probe that an audit runs on a host: a POSIX sh script that only reads. Keep what it
prints: `ipvs-audit import --script FILE` needs it to know its answers. Run it as root."""
_EPILOG = """\
example:
  ipvs-audit probe > probe.sh
  sh probe.sh > web1.txt          # on web1, as root
  ipvs-audit import --script probe.sh web1.txt"""


def main(argv: Sequence[str]) -> ExitCode:
    """Print a probe with a nonce of its own.

    Returns:
        OK, or USAGE where it cannot be printed so.
    """
    arguments = _parser().parse_args(argv)
    limited = arguments.command_bytes, arguments.answer_bytes
    if not arguments.compressed and limited != (None, None):
        return refuse("probe", "--command-bytes and --answer-bytes need --compressed")
    printed = Printed.now(
        span=arguments.sample_seconds, every_namespace=arguments.namespaces == "every"
    )
    try:
        text = (
            "\n".join(printed.commands(*limited)) + "\n"
            if arguments.compressed
            else printed.script().decode()
        )
    except PrintedError as wrong:
        return refuse("probe", wrong)
    sys.stdout.write(text)
    return ExitCode.OK


def _parser() -> Parser:
    parser = Parser("ipvs-audit probe", _DESCRIPTION, epilog=_EPILOG)
    _add_policy(parser)
    compressed = parser.add_argument_group("channels that take a command")
    compressed.add_argument(
        "--compressed",
        action="store_true",
        help="print one command line of about 35 KB in place of the script: gzip and base64, as"
        " its answer; the host needs sh, base64 and gzip",
    )
    compressed.add_argument(
        "--command-bytes",
        type=int,
        metavar="BYTES",
        help="print several command lines, a line each and none longer than that; run them in"
        " order. All but the last store their part in a new directory in /run",
    )
    compressed.add_argument(
        "--answer-bytes",
        type=int,
        metavar="BYTES",
        help="no command prints more than that. Run the last line again until `part N of N` was"
        " printed, and save all parts in one file",
    )
    return parser


def _add_policy(parser: argparse.ArgumentParser) -> None:
    policy = parser.add_argument_group("policy (as the policy file has it)")
    policy.add_argument(
        "--namespaces",
        choices=("with-rules", "every"),
        default="with-rules",
        help="sample the counters of namespaces with IPVS rules, or of every one"
        " (default: with-rules)",
    )
    policy.add_argument(
        "--sample-seconds",
        type=int,
        choices=range(limits.SHORTEST_SPAN, limits.LONGEST_SPAN + 1),
        default=limits.SHORTEST_SPAN,
        metavar="SECONDS",
        help=f"between the two samples of the counters, {limits.SHORTEST_SPAN} to"
        f" {limits.LONGEST_SPAN} (default: {limits.SHORTEST_SPAN})",
    )
