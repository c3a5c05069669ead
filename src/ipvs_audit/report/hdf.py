"""results.hdf.json: Heimdall Data Format, what Heimdall takes as InSpec's exec JSON.

A control of this file is one of ours on one host, with one result: Heimdall gives a control one
status for all of its results. One ``error`` among them makes it *Profile Error* whatever else
fails, and ``passed`` beside ``skipped`` makes it *Passed* (inspecjs 2.12.6,
compat_impl/compat_inspec_1_0.js). So results of several hosts, or of several verdicts, never
share one; and Heimdall's counts are ours.

| verdict | result | Heimdall |
|---|---|---|
| pass | passed | Passed |
| fail | failed | Failed |
| error | error | Profile Error |
| inconclusive, waived fail, not evaluated | skipped | Not Reviewed |
| not applicable | skipped, impact 0 | Not Applicable |
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ipvs_audit.model.control import Control
from ipvs_audit.model.sanitise import clipped, one_line, visible
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.report.json_text import LONGEST, dumped, said, write_parts
from ipvs_audit.report.summary import why_not_evaluated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.model.results import HostResult, Run

_IMPACT = {"high": 0.7, "medium": 0.5, "low": 0.3}
_STATUS = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.ERROR: "error"}


def write(run: Run, path: Path) -> None:
    """Write the run.

    Raises:
        OSError: the file cannot be written.
    """
    write_parts(path, _parts(run))


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
    yield dumped(head).removesuffix("}") + ',\n"profiles":['
    yield dumped(_profile(run)).removesuffix("}")
    yield ',\n"controls":['
    apart = "\n"
    for host in run.hosts:
        for made in _controls(run, host):
            yield apart + dumped(made)
            apart = ",\n"
    yield "\n]}]}\n"


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


def _controls(run: Run, host: HostResult) -> Iterator[dict[str, object]]:
    """Every control of the run on one host, and whatever else has a result there."""
    controls = {control.id: control for control in run.controls}
    for one in host.controls:
        controls.setdefault(one.control, Control(one.control, one.name, one.severity, "", "", ""))
    for control in controls.values():
        result = host.result(control.id)
        severity = control.severity if result is None else result.severity
        impact = _IMPACT.get(severity, 0.5)
        if result is not None and result.verdict is Verdict.NOT_APPLICABLE:
            impact = 0.0
        made = _control(control, host, severity)
        if impact == 0.0 and result is not None:
            # Heimdall shows the description, not the result, where the impact is 0.
            made["desc"] = said(f"not applicable: {result.message}")
        if result is not None and result.waived:
            made["waiver_data"] = {
                "justification": said(result.waiver or ""),
                "run": True,
                # True would read as Not Applicable.
                "skipped_due_to_waiver": False,
            }
        yield {
            **made,
            "impact": impact,
            "results": [_unjudged(run, host) if result is None else _result(host, result)],
        }


def _control(control: Control, host: HostResult, severity: str) -> dict[str, object]:
    result = host.result(control.id)
    fix = (result.fix if result else "") or control.fix
    return {
        "id": one_line(f"{control.id} {host.name}"),
        "title": one_line(f"{control.name} on {host.name}"),
        "desc": visible(control.rationale),
        "descriptions": [{"label": "fix", "data": said(fix)}],
        "tags": {
            "severity": visible(severity),
            "source": visible(control.source),
            "nist": [visible(one) for one in control.nist],
            "references": [visible(one) for one in control.references],
            "control": visible(control.id),
            "host": visible(host.name),
        },
        "refs": [{"ref": visible(one)} for one in (control.source, *control.references)],
        "source_location": {},
        "code": "",
    }


def _result(host: HostResult, result: Result) -> dict[str, object]:
    message = said(result.message)
    status = "skipped" if result.waived else _STATUS.get(result.verdict, "skipped")
    made: dict[str, object] = {
        "status": status,
        "code_desc": one_line(f"{host.name}: {clipped(result.expected, LONGEST)}"),
        "start_time": host.started,
        "run_time": _seconds(host.started, host.finished),
        "message": message or result.verdict.word,
    }
    if result.waived:
        made["skip_message"] = said(f"waived fail: {message} ({result.waiver})")
    elif status == "skipped":
        made["skip_message"] = f"{result.verdict.word}: {message}"
    return made


def _unjudged(run: Run, host: HostResult) -> dict[str, object]:
    why = said(why_not_evaluated(host))
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
