"""``ipvs-audit import FILE...``: makes evidence of answers to a printed probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ipvs_audit.audit.imported import (
    ImportRefusedError,
    import_answers,
    name_hosts,
    read_map,
)
from ipvs_audit.cli.arguments import Parser, refuse
from ipvs_audit.model import limits
from ipvs_audit.model.clock import run_id, utc_now
from ipvs_audit.model.exit_codes import ExitCode
from ipvs_audit.model.private_files import make_directories
from ipvs_audit.model.regular_file import open_regular
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted, hours
from ipvs_audit.probe.printed import PrintedError, read_printed
from ipvs_audit.snapshot import Failure, store

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Makes evidence of the answers that hosts gave to a printed probe (`ipvs-audit probe`). Each FILE is
the answer of one host, named for it: web1, or web1.txt. A file that is no whole, unchanged answer
is an error of its host, which the report shows."""


def main(argv: Sequence[str]) -> ExitCode:
    """Import answers.

    Returns:
        OK when all were good; FINDINGS when some were not: the others are there, and those as
        errors; USAGE when nothing was written.
    """
    arguments = _parser().parse_args(argv)
    now = utc_now()
    into = arguments.into or Path("reports", f"imported-{run_id(now)}")
    try:
        printed = read_printed(_read(arguments.script))
    except (PrintedError, OSError) as wrong:
        return refuse("import", f"--script {arguments.script}: {_why(wrong)}")
    try:
        names = None
        if arguments.map is not None:
            names = read_map(_read(arguments.map).decode("utf-8", "replace"), str(arguments.map))
        hosts = name_hosts(arguments.files, names)
        evidence = import_answers(hosts, printed, now=now, max_age=arguments.max_age)
        if into.exists():
            return refuse("import", f"--into {into}: name a new directory: it already exists")
        make_directories(into)
        store.write(into / store.NAME, evidence)
    except (ImportRefusedError, OSError) as wrong:
        return refuse("import", wrong)
    failed = [one for one in evidence if isinstance(one, Failure)]
    for one in failed:
        refuse("import", one_line(f"{one.target}: {one.message}"))
    console = Console(highlight=False, soft_wrap=True)
    good = counted(len(evidence) - len(failed), "good answer")
    console.print(Text(one_line(f"{good}, {counted(len(failed), 'error')}: {into / store.NAME}")))
    console.print(Text(one_line(f"evaluate: ipvs-audit audit --from-snapshots {into}")))
    return ExitCode.FINDINGS if failed else ExitCode.OK


def _read(file: Path) -> bytes:
    with open_regular(file) as raw:
        return raw.read(limits.PRINTED_FILE)


def _why(wrong: Exception) -> str:
    return (wrong.strerror if isinstance(wrong, OSError) else None) or str(wrong)


def _parser() -> Parser:
    parser = Parser("ipvs-audit import", _DESCRIPTION)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a host's answer")
    parser.add_argument(
        "--script",
        type=Path,
        required=True,
        metavar="FILE",
        help="what `ipvs-audit probe` printed: the script, or all of its command lines",
    )
    parser.add_argument(
        "--map",
        type=Path,
        metavar="FILE",
        help="lines `FILE HOST`, where files are not named for their hosts",
    )
    parser.add_argument(
        "--max-age",
        type=hours,
        metavar="DAYS|HOURSh",
        help="an older answer is an error, e.g. 7 or 36h (default: any age)",
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="DIR",
        help="a new directory for the evidence (default: reports/imported-<UTC time>)",
    )
    return parser
