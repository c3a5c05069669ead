"""results.hdf.json: Heimdall Data Format, what Heimdall takes as InSpec's exec JSON.

A control is a control, and its results are the hosts, every one: Heimdall's format knows one
target a file, and a file for each of thousands of hosts would compare nothing. A control fails in
Heimdall where one host does; ``code_desc`` says which.

Heimdall has no word for a waived result among others: a waived fail is ``skipped``, says so, and
keeps its raw verdict in the message.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import clipped, one_line, visible
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.report.summary import why_not_evaluated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run

_IMPACT = {"high": 0.7, "medium": 0.5, "low": 0.3}
_STATUS = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.ERROR: "error"}
_TEXT = 4_000


def write(run: Run, path: Path) -> None:
    """Write the run.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(_parts(run))


def _parts(run: Run) -> Iterator[str]:
    head: dict[str, object] = {
        "platform": {
            "name": "ipvs-audit",
            "release": visible(run.version),
            "target_id": visible(", ".join(run.inventory)),
        },
        "version": visible(run.version),
        "statistics": {"duration": _seconds(run.started, run.finished)},
    }
    yield _dump(head).removesuffix("}") + ',\n"profiles":[' + _dump(_profile(run)).removesuffix("}")
    yield ',\n"controls":['
    for number, control in enumerate(run.controls):
        yield (",\n" if number else "\n") + _dump(_control(control)).removesuffix("}")
        yield ',"results":['
        apart = "\n"
        for host in run.hosts:
            result = host.result(control.id)
            made = _unjudged(run, host) if result is None else _result(host, result)
            yield apart + _dump(made)
            apart = ",\n"
        yield "\n]}"
    yield "\n]}]}\n"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _profile(run: Run) -> dict[str, object]:
    return {
        "name": "ipvs-audit",
        "title": f"IPVS estimation is {run.estimation}",
        "version": visible(run.version),
        "summary": f"run {visible(run.id)} by {visible(run.operator)} on {visible(run.controller)}",
        "sha256": run.policy_sha256,
        "status": "loaded",
        "supports": [],
        "attributes": [],
        "groups": [],
    }


def _control(control: Control) -> dict[str, object]:
    return {
        "id": visible(control.id),
        "title": visible(control.name),
        "desc": visible(control.rationale),
        "descriptions": [{"label": "fix", "data": visible(control.fix)}],
        "impact": _IMPACT.get(control.severity, 0.5),
        "tags": {"severity": visible(control.severity), "source": visible(control.source)},
        "refs": [{"ref": visible(control.source)}],
        "source_location": {},
        "code": "",
    }


def _result(host: HostResult, result: Result) -> dict[str, object]:
    message = clipped(visible(result.message), _TEXT)
    status = "skipped" if result.waived else _STATUS.get(result.verdict, "skipped")
    made: dict[str, object] = {
        "status": status,
        "code_desc": one_line(f"{host.name}: {clipped(result.expected, _TEXT)}"),
        "start_time": host.started,
        "run_time": _seconds(host.started, host.finished),
        "message": message or result.verdict.word,
    }
    if result.waived:
        made["skip_message"] = clipped(visible(f"waived fail: {message} ({result.waiver})"), _TEXT)
    elif status == "skipped":
        made["skip_message"] = f"{result.verdict.word}: {message}"
    return made


def _unjudged(run: Run, host: HostResult) -> dict[str, object]:
    why = clipped(visible(why_not_evaluated(host)), _TEXT)
    return {
        "status": "skipped",
        "code_desc": one_line(f"{host.name}: no verdict"),
        "start_time": host.started or run.started,
        "run_time": 0.0,
        "message": why,
        "skip_message": why,
    }


def _seconds(started: str, finished: str) -> float:
    try:
        took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    except (ValueError, TypeError):
        return 0.0
    return max(took.total_seconds(), 0.0)
