"""The ``ipvs-audit`` command."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit import __version__
from ipvs_audit.cli.arguments import Parser
from ipvs_audit.model.exit_codes import IN_WORDS
from ipvs_audit.model.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Subcommand -> what it does. Each is a module of this room, imported when it is needed.
COMMANDS = {
    "audit": "audit hosts, remediate them, or evaluate saved evidence again",
    "explain": "which line wins for a sysctl key, and what a reload and a boot leave",
    "verify": "check a saved run: digests, signature, results, reports",
    "render": "write the reports of a run again",
    "changes": "what changed since an earlier run, as the text of a mail",
    "history": "who fails since when, and how soon hosts are fixed, over all runs",
    "merge": "merge the runs of all shards of a fleet into one",
    "probe": "print the probe, to run it on hosts that cannot be reached from here",
    "import": "make evidence of the answers to a printed probe",
}
#: Modules that cannot have the name of their subcommand, a keyword.
_MODULES = {"import": "import_answers"}
_DESCRIPTION = """\
Audits Linux hosts over SSH: is IPVS estimation off, and does it stay off? Without arguments it
audits this machine and writes the report below reports/."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and give its exit code.

    Raises:
        SystemExit: after ``--help`` and ``--version``, and for arguments that are wrong.
    """
    words = list(sys.argv[1:] if argv is None else argv) or ["audit"]
    if words[0] not in COMMANDS:
        _refuse(words)
    command = import_module(f"ipvs_audit.cli.{_MODULES.get(words[0], words[0])}")
    try:
        code = int(command.main(words[1:]))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe, such as head, is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _refuse(words: list[str]) -> None:
    """Say what there is, or why the first word is nothing of it; does not return."""
    commands = "\n".join(f"  {name:<9} {what}" for name, what in COMMANDS.items())
    codes = "\n".join(f"  {code:<9d} {what}" for code, what in IN_WORDS.items())
    parser = Parser(
        "ipvs-audit",
        _DESCRIPTION,
        usage="ipvs-audit [COMMAND] [OPTIONS]",
        epilog=f"commands (more: ipvs-audit COMMAND --help):\n{commands}\n\nexit codes:\n{codes}",
    )
    parser.add_argument("--version", action="version", version=f"ipvs-audit {__version__}")
    if words[0].startswith("-"):
        parser.parse_known_args(words)
        parser.error(f"unknown option {words[0]}; for an audit: ipvs-audit audit {' '.join(words)}")
    meant = did_you_mean(words[0], COMMANDS)
    if not meant and Path(words[0]).exists():
        meant = f"to audit the hosts of an inventory: ipvs-audit audit --inventory {words[0]};"
    parser.error(
        f"unknown command {words[0]}; {meant}{meant and ' '}the commands are {', '.join(COMMANDS)}"
    )
