"""results.sarif: SARIF 2.1.0, for what reads findings of code scanners.

A rule is a control, a result is a control on a host, and the place of a result is the host: a
logical location, with the artifact ``HOST/etc/sysctl.d/90-k8s.conf`` where the message names a
file. A waived fail is suppressed, never left out; a host without results (excluded, or not
evaluated) is a notification of the run.

Written host by host: ten thousand of them are never in memory as one document.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ipvs_audit.model.sanitise import clipped, visible
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.report.findings import cause
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
_TEXT = 4_000


def write(run: Run, path: Path) -> None:
    """Write the run.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(_parts(run))


def _parts(run: Run) -> Iterator[str]:
    yield f'{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{{"tool":{_dump(_tool(run))},\n'
    yield f'"invocations":{_dump([_invocation(run)])},\n'
    yield f'"automationDetails":{_dump({"id": f"ipvs-audit/{visible(run.id)}"})},\n'
    yield '"results":['
    rules = {control.id: number for number, control in enumerate(run.controls)}
    apart = "\n"
    for host in run.hosts:
        for result in host.controls:
            yield apart + _dump(_result(host, result, rules))
            apart = ",\n"
    yield "\n]}]}\n"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _tool(run: Run) -> dict[str, object]:
    return {
        "driver": {
            "name": "ipvs-audit",
            "version": visible(run.version),
            "rules": [
                {
                    "id": visible(control.id),
                    "name": visible(control.name),
                    "shortDescription": {"text": _said(control.rationale, control.name)},
                    "fullDescription": {"text": _said(control.rationale, control.name)},
                    "help": {"text": _said(control.fix, "no fix is known")},
                    "defaultConfiguration": {"level": _LEVELS.get(control.severity, "warning")},
                    "properties": {
                        "source": visible(control.source),
                        "security-severity": _SCORES.get(control.severity, "5.0"),
                    },
                }
                for control in run.controls
            ],
        }
    }


def _invocation(run: Run) -> dict[str, object]:
    times = {"startTimeUtc": run.started, "endTimeUtc": run.finished}
    unjudged = [
        f"{host.name}: {why_not_evaluated(host)}" for host in run.hosts if not host.controls
    ]
    return {
        "executionSuccessful": not run.interrupted,
        "arguments": [visible(word) for word in run.argv],
        "account": visible(run.operator),
        "machine": visible(run.controller),
        **{name: moment for name, moment in times.items() if moment},
        "toolExecutionNotifications": [
            {"message": {"text": _said(note, "a note")}, "level": "note"}
            for note in (*run.notes, *unjudged)
        ],
    }


def _result(host: HostResult, result: Result, rules: dict[str, int]) -> dict[str, object]:
    text = _said(result.message or result.observed, f"{result.verdict.word}, without a reason")
    kind = _KINDS[result.verdict]
    print_ = f"{host.name}\0{result.control}\0{cause(host, result)}"
    made: dict[str, object] = {
        "ruleId": visible(result.control),
        "kind": kind,
        # SARIF allows a level other than none only where the kind is fail.
        "level": _LEVELS.get(result.severity, "warning") if kind == "fail" else "none",
        "message": {"text": f"{visible(host.name)}: {text}"},
        "locations": [_location(host, result)],
        "partialFingerprints": {
            "ipvsAudit/v1": hashlib.sha256(print_.encode("utf-8", "replace")).hexdigest()
        },
        "properties": {
            "host": visible(host.name),
            "verdict": result.verdict.value,
            "expected": _said(result.expected),
            "observed": _said(result.observed),
            **({"fix": _said(result.fix)} if result.fix else {}),
        },
    }
    if result.control in rules:
        made["ruleIndex"] = rules[result.control]
    if result.waived:
        made["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": _said(result.waiver or ""),
            }
        ]
    return made


def _location(host: HostResult, result: Result) -> dict[str, object]:
    name = visible(host.name)
    place: dict[str, object] = {
        "logicalLocations": [{"name": name, "fullyQualifiedName": name, "kind": "resource"}]
    }
    if found := _PLACE.search(result.message):
        place["physicalLocation"] = {
            "artifactLocation": {"uri": quote(name, safe="") + quote(found[1])},
            "region": {"startLine": max(int(found[2]), 1)},
        }
    return place


def _said(text: str, otherwise: str = "") -> str:
    return clipped(visible(text), _TEXT) or visible(otherwise)
