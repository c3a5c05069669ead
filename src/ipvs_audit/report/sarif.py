"""results.sarif: SARIF 2.1.0, for what reads findings of code scanners.

A rule is a control, a result is a control on a host. Its place is the file and line that the
message names (``HOST/etc/sysctl.d/90-k8s.conf``), else the check's file, and the host as a logical
location: GitHub refuses a file with a result that has no physical one. GitHub shows ``kind: pass``
as an alert, so results.sarif holds problems only: failures, errors and what is inconclusive.
results-all.sarif (``--format sarif-all``) holds every result. A waived fail is suppressed, and a
note, as GitHub knows no suppressions; a host without results (excluded, or not evaluated) is a
notification of the run.

GitHub stores 5,000 results of an upload, refuses one of more than 25,000, and one of more than
10 MB as gzip (its page "SARIF support for code scanning"). So files end at 5,000 results or 8 MB,
and results-002.sarif goes on, with a category of its own: two of one category replace each other.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ipvs_audit.model.sanitise import clipped, visible
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.report.findings import cause
from ipvs_audit.report.json_text import dumped, said, write_parts
from ipvs_audit.report.summary import why_not_evaluated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.model.results import HostResult, Run

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_KINDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.ERROR: "open",
    Verdict.INCONCLUSIVE: "review",
    Verdict.NOT_APPLICABLE: "notApplicable",
}
_LEVELS = {"high": "error", "medium": "warning", "low": "note"}
#: What GitHub and others sort by, 0 to 10.
_SCORES = {"high": "8.0", "medium": "5.0", "low": "2.0"}
_PLACE = re.compile(r"(?<![\w.:-])(/[\w./@+-]*[\w@+-]):(\d{1,9})(?!\d)")
_NOTIFICATION = 300
#: Of one file. Below GitHub's limits, which silently leave out or refuse what is above.
MOST_RESULTS = 5_000
MOST_CHARACTERS = 8_000_000
_PROBLEMS = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE})


def write(run: Run, path: Path) -> None:
    """Write the run's problems; what is too much for a file goes into others beside it.

    Raises:
        OSError: a file cannot be written.
    """
    _write(run, path, _PROBLEMS)


def write_all(run: Run, path: Path) -> None:
    """Write every result of the run, in the same way.

    Raises:
        OSError: a file cannot be written.
    """
    _write(run, path, frozenset(Verdict))


def _write(run: Run, path: Path, wanted: frozenset[Verdict]) -> None:
    number, results, size = 1, list[str](), 0
    for line in _results(run, wanted):
        if len(results) == MOST_RESULTS or (results and size + len(line) > MOST_CHARACTERS):
            _write_file(run, path, number, results)
            number, results, size = number + 1, [], 0
        results.append(line)
        size += len(line)
    _write_file(run, path, number, results)


def _write_file(run: Run, path: Path, number: int, results: list[str]) -> None:
    category = "ipvs-audit"
    if number > 1:
        category += f"-{number:03d}"
        path = path.with_name(f"{path.stem}-{number:03d}{path.suffix}")
    write_parts(path, _parts(run, number, category, results))


def _parts(run: Run, number: int, category: str, results: list[str]) -> Iterator[str]:
    yield (
        f'{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{{"tool":{dumped(_tool(run))},\n'
        f'"invocations":{dumped([_invocation(run, with_hosts=number == 1)])},\n'
        # GitHub takes what is before the last slash for the category.
        f'"automationDetails":{dumped({"id": f"{category}/{visible(run.id)}"})},\n'
        '"results":['
    )
    for place, line in enumerate(results):
        yield (",\n" if place else "\n") + line
    yield "\n]}]}\n"


def _results(run: Run, wanted: frozenset[Verdict]) -> Iterator[str]:
    rules = {control.id: (number, control.file) for number, control in enumerate(run.controls)}
    for host in run.hosts:
        for result in host.controls:
            if result.verdict in wanted:
                yield dumped(_result(host, result, rules))


def _tool(run: Run) -> dict[str, object]:
    return {
        "driver": {
            "name": "ipvs-audit",
            "version": visible(run.version),
            "rules": [
                {
                    "id": visible(control.id),
                    "name": visible(control.name),
                    "shortDescription": {"text": said(control.rationale, control.name)},
                    "fullDescription": {"text": said(control.rationale, control.name)},
                    "help": {"text": said(control.fix, "no fix is known")},
                    "defaultConfiguration": {"level": _LEVELS.get(control.severity, "warning")},
                    "properties": {
                        "source": visible(control.source),
                        "references": [visible(one) for one in control.references],
                        "tags": ["security", "availability"],
                        "security-severity": _SCORES.get(control.severity, "5.0"),
                    },
                }
                for control in run.controls
            ],
        }
    }


def _invocation(run: Run, *, with_hosts: bool) -> dict[str, object]:
    times = {"startTimeUtc": run.started, "endTimeUtc": run.finished}
    unjudged = [
        f"{host.name}: {why_not_evaluated(host)}"
        for host in run.hosts
        if with_hosts and not host.controls
    ]
    return {
        "executionSuccessful": not run.interrupted,
        "arguments": [visible(word) for word in run.argv],
        "account": visible(run.operator),
        "machine": visible(run.controller),
        **{name: moment for name, moment in times.items() if moment},
        "toolExecutionNotifications": [
            {
                "message": {"text": _unlinked(clipped(visible(note), _NOTIFICATION)) or "a note"},
                "level": "note",
            }
            for note in (*run.notes, *unjudged)
        ],
    }


def _result(
    host: HostResult, result: Result, rules: dict[str, tuple[int, str]]
) -> dict[str, object]:
    text = said(result.message or result.observed, f"{result.verdict.word}, without a reason")
    kind = _KINDS[result.verdict]
    level = "note" if result.waived else _LEVELS.get(result.severity, "warning")
    number, check = rules.get(result.control, (None, ""))
    print_ = f"{host.name}\0{result.control}\0{cause(host, result)}"
    made: dict[str, object] = {
        "ruleId": visible(result.control),
        "kind": kind,
        # SARIF allows a level other than none only where the kind is fail.
        "level": level if kind == "fail" else "none",
        "message": {"text": _unlinked(f"{visible(host.name)}: {text}")},
        "locations": [_location(host, result, check)],
        "partialFingerprints": {
            # The one that GitHub compares by; it would compute it from a file that it has not.
            "primaryLocationLineHash": hashlib.sha256(print_.encode("utf-8", "replace")).hexdigest()
        },
        "properties": {
            "host": visible(host.name),
            "verdict": result.verdict.value,
            "expected": said(result.expected),
            "observed": said(result.observed),
            **({"fix": said(result.fix)} if result.fix else {}),
        },
    }
    if number is not None:
        made["ruleIndex"] = number
    if result.waived:
        made["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": said(result.waiver or ""),
            }
        ]
    return made


def _unlinked(text: str) -> str:
    """A message without links: viewers make one of ``[text](destination)``, whoever wrote it.

    Source: SARIF 2.1.0, 3.11.6, which gives the backslash for what is no link.
    """
    return text.replace("[", r"\[") if "](" in text else text


def _location(host: HostResult, result: Result, check: str) -> dict[str, object]:
    name = visible(host.name)
    # A host's file is below the host's name, and the name is no way out of the repository.
    root = quote(name, safe="").replace("..", ".%2E") if name.strip(".") else "host"
    uri, line = quote(visible(check)) or "checks", 1
    if found := _PLACE.search(result.message):
        uri = root + quote(posixpath.normpath("/" + found[1].lstrip("/")))
        line = max(int(found[2]), 1)
    return {
        "logicalLocations": [{"name": name, "fullyQualifiedName": name, "kind": "resource"}],
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}},
    }
