"""results.csv: one line for each control on each host, for spreadsheets.

A spreadsheet takes a field that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, some do so
with full-width forms as well, and hosts write fields: such a field gets an apostrophe before it.
Where Excel's list separator is ``;``, what follows one is a field, whatever is quoted: there, too.
(OWASP, CSV Injection; the tab and carriage return of its list are escaped, as in all reports.)

>>> _field("=1+1"), _field("a;=1+1"), _field("a-1; b")
("'=1+1", "a;'=1+1", 'a-1; b')
"""

from __future__ import annotations

import csv
import re
import unicodedata
from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.model.results import HostResult, Run

COLUMNS = (
    *("run", "host", "groups", "state", "reason", "kernel"),
    *("control", "name", "severity", "references", "verdict", "waiver"),
    *("message", "expected", "observed", "fix", "at"),
)
#: The start of a field, or of what would be one, and its first character.
_START = re.compile(r"(?:^|(?<=;))(?=\s*(\S))")


def write(run: Run, path: Path) -> None:
    """Write the run; a host without results has one line without a control.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for host in run.hosts:
            table.writerows([_field(one) for one in row] for row in _rows(run, host))


def _rows(run: Run, host: HostResult) -> Iterator[tuple[str, ...]]:
    control = (run.id, host.name, " ".join(host.groups), host.state, host.reason, host.kernel)
    references = {each.id: ", ".join(each.references) for each in run.controls}
    for one in host.controls:
        about = (one.control, one.name, one.severity, references.get(one.control, ""))
        said = (one.message, one.expected, one.observed, one.fix)
        yield (*control, *about, one.verdict.word, one.waiver or "", *said, host.finished)
    if not host.controls:
        yield (*control, *("",) * 10, host.finished)


def _field(text: str) -> str:
    return _START.sub(_quoted, one_line(text))


def _quoted(found: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", found[1])
    # The minus sign is compatible with no other character.
    return "'" if plain.startswith(("=", "+", "-", "@", "\N{MINUS SIGN}")) else ""
