"""``python -m ipvs_audit verify RUN``: is a saved run whole, signed, and true to its evidence?

Four questions, each answered in a line: does every file have the digest that the manifest says;
did somebody who may sign the manifest; do the results follow when the evidence is judged again; and
do the reports when they are made again from the results.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ipvs_audit import __version__
from ipvs_audit.audit.rejudge import rejudge
from ipvs_audit.cli.render import BEFORE, render
from ipvs_audit.controls.discovery import ChecksError, find_checks
from ipvs_audit.model.policy import PolicyError
from ipvs_audit.model.sanitise import clipped, one_line
from ipvs_audit.report import manifest, results_json, signature
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.options import Outputs
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE = 2
_MOST = 20
_CHECKS = Path("checks")
_UNMADE = (manifest.NAME, manifest.SIGNATURE)


def main(argv: Sequence[str] | None = None) -> int:
    """Verify a run.

    Returns:
        0 where all holds, 1 where something does not, 2 where it could not be looked at.
    """
    asked = _arguments().parse_args(argv)
    say = _Say()
    try:
        if _plain(asked.run, say):
            _digests(asked.run, say)
            _signature(asked, say)
            _results(asked, say)
            _reports(asked.run, say)
    except (OSError, ReportError, store.StoreError, ChecksError, PolicyError) as wrong:
        Console(stderr=True, highlight=False).print(Text(f"verify: {wrong}"), soft_wrap=True)
        return 1 if say.troubled else _USAGE
    return int(say.troubled)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ipvs_audit verify",
        description="Checks a run's digests and signature, and judges its evidence again.",
    )
    parser.add_argument("run", type=Path, help="a run's directory, e.g. reports/latest")
    parser.add_argument(
        "--allowed-signers",
        type=Path,
        metavar="FILE",
        help="whose signature counts, as ssh-keygen(1) reads it; a run without one then fails",
    )
    parser.add_argument(
        "--signer", metavar="WHO", help="who must have signed, by name in that file"
    )
    parser.add_argument(
        "--checks", type=Path, default=_CHECKS, metavar="DIR", help="default: %(default)s"
    )
    return parser


class _Say:
    """Prints findings; remembers whether one was bad."""

    def __init__(self) -> None:
        self.troubled = False
        self._console = Console(highlight=False, soft_wrap=True)

    def good(self, text: str) -> None:
        self._line("ok", "green", text)

    def note(self, text: str) -> None:
        self._line("note", "yellow", text)

    def bad(self, text: str) -> None:
        self.troubled = True
        self._line("WRONG", "bold red", text)

    def _line(self, word: str, style: str, text: str) -> None:
        self._console.print(Text.assemble((f"{word:<6}", style), clipped(one_line(text), 600)))


def _plain(run: Path, say: _Say) -> bool:
    """Whether all there is are files. Else nothing is opened: a pipe would keep us waiting."""
    if not run.is_dir():
        raise ReportError(f"{run}: no such directory; name a run's, e.g. reports/latest")
    others = sorted(path.name for path in run.iterdir() if not path.is_file())
    for name in others[:_MOST]:
        say.bad(f"{name}: is not in the manifest, or is no file there; nothing else was looked at")
    return not others


def _digests(run: Path, say: _Say) -> None:
    try:
        said = manifest.entries(run)
    except ReportError as broken:
        say.bad(f"digests: {broken}")
        return
    if not said:
        say.bad(f"{run / manifest.NAME}: there is none, so nothing shows that the run is whole")
        return
    there = {path.name for path in run.iterdir()} - {manifest.NAME, manifest.SIGNATURE}
    troubles = [f"{name}: is not in the manifest" for name in sorted(there - said.keys())]
    troubles += [f"{name}: is missing" for name in sorted(said.keys() - there)]
    troubles += [
        f"{name}: was changed after it was written"
        for name in sorted(said.keys() & there)
        if manifest.sha256(run / name) != said[name]
    ]
    for trouble in troubles[:_MOST]:
        say.bad(trouble)
    if not troubles:
        say.good(f"digests: {len(said)} files are those of the manifest")


def _signature(asked: argparse.Namespace, say: _Say) -> None:
    signed = (asked.run / manifest.SIGNATURE).exists()
    if asked.allowed_signers is None:
        if signed:
            say.note("signature: there is one; --allowed-signers FILE says whose counts")
        else:
            say.note("signature: the run is not signed")
    elif not signed:
        say.bad("signature: the run is not signed")
    else:
        try:
            who = signature.verify(asked.run, asked.allowed_signers, asked.signer)
            say.good(f"signature: made by {who}")
        except signature.SignatureError as wrong:
            say.bad(f"signature: {wrong}")


def _results(asked: argparse.Namespace, say: _Say) -> None:
    run = results_json.load(asked.run / "results.json")
    there = (asked.run / store.NAME).exists()
    if not there and any(host.state != "excluded" for host in run.hosts):
        say.bad(f"results: {store.NAME} is missing, so nothing shows that they are true")
        return
    if run.version != __version__:
        say.note(f"results: written by ipvs-audit {run.version}, judged again by {__version__}")
    earlier = asked.run / BEFORE
    before = store.read(earlier) if earlier.exists() else ()
    evidence = store.read(asked.run) if there else ()
    found = rejudge(run, evidence, find_checks(asked.checks), before)
    for trouble in found.wrong[:_MOST]:
        say.bad(f"results: {trouble}")
    if (more := len(found.wrong) - _MOST) > 0:
        say.bad(f"results: and {more:,} more")
    if not found.wrong:
        say.good(f"results: {found.results:,} follow from the evidence, judged again")
    for why, count in found.passed_over.items():
        say.note(f"results: {count:,} {why}")


def _reports(run: Path, say: _Say) -> None:
    """The reports once more, and compared byte for byte; only of a run that is whole so far."""
    if say.troubled:
        return
    if (version := results_json.load(run / "results.json").version) != __version__:
        say.note(f"reports: written by ipvs-audit {version}, so not made again by {__version__}")
        return
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-") as place:
        again = Path(place, "again")
        render(run, Outputs(), again)
        names = sorted(path.name for path in again.iterdir() if path.name not in _UNMADE)
        wrong = [name for name in names if not _same(run / name, again / name)]
    for name in wrong[:_MOST]:
        say.bad(f"{name}: is not what results.json gives")
    if not wrong:
        say.good(f"reports: {len(names)} files are what results.json gives")


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and manifest.sha256(one) == manifest.sha256(other)
