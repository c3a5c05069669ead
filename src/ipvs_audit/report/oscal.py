"""results.oscal.json: NIST's OSCAL, assessment results 1.1.3, for tools of governance and risk.

A host is an inventory item, a control an assessment objective under the NIST SP 800-53 control
that it serves first. Each result is an observation of its host, and a finding. *Satisfied* is a
pass and nothing else: OSCAL has no word for an error or for inconclusive, so both are not
satisfied, for the reason ``other``, and the verdict stands in the finding's properties. What is not
applicable is an observation without a finding; a host without results is an inventory item without
either. A waived fail stays not satisfied, with a risk whose deviation is approved.

The same run gives the same bytes: UUIDs are those of version 5, and a host has the same one in
every run.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from ipvs_audit.model.sanitise import clipped, one_line
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.report.json_text import LONGEST, dumped, said, write_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ipvs_audit.model.control import Control
    from ipvs_audit.model.results import HostResult, Run

VERSION = "1.1.3"
_NAMESPACE = "urn:ipvs-audit:oscal"
_REASONS = {Verdict.PASS: "pass", Verdict.FAIL: "fail"}
_NO_TIME = "1970-01-01T00:00:00Z"


def write(run: Run, path: Path) -> None:
    """Write the run.

    Raises:
        OSError: the file cannot be written.
    """
    write_parts(path, _parts(run))


def _parts(run: Run) -> Iterator[str]:
    yield '{"assessment-results":' + dumped(_head(run)).removesuffix("}") + ',\n"results":['
    yield dumped(_result_head(run)).removesuffix("}")
    if run.hosts:
        yield ',\n"local-definitions":{'
        yield from _array("inventory-items", map(_inventory_item, run.hosts), before="")
        yield "}"
    yield from _array("observations", (_observation(run, *one) for one in _judged(run)))
    yield from _array("risks", (_risk(run, *one) for one in _judged(run) if one[1].waived))
    yield from _array(
        "findings",
        (
            _finding(run, *one)
            for one in _judged(run)
            if one[1].verdict is not Verdict.NOT_APPLICABLE
        ),
    )
    yield "}]}}\n"


def _judged(run: Run) -> Iterator[tuple[HostResult, Result]]:
    return ((host, result) for host in run.hosts for result in host.controls)


def _array(name: str, entries: Iterable[object], before: str = ",") -> Iterator[str]:
    """An array under its name; nothing at all where it is empty, which OSCAL does not allow."""
    apart = f'{before}\n"{name}":[\n'
    for entry in entries:
        yield apart + dumped(entry)
        apart = ",\n"
    if apart == ",\n":
        yield "\n]"


def _head(run: Run) -> dict[str, object]:
    plan = _uuid("plan", run.policy_sha256)
    head: dict[str, object] = {
        "uuid": _uuid(run, "document"),
        "metadata": {
            "title": f"IPVS estimation is {run.estimation}: results of an audit",
            "last-modified": run.finished or run.started or _NO_TIME,
            "version": _string(run.id),
            "oscal-version": VERSION,
        },
        "import-ap": {"href": f"#{plan}"},
        "back-matter": {
            "resources": [
                {
                    "uuid": plan,
                    "title": "Policy of the audit",
                    "description": "There is no assessment plan in OSCAL. What was asked is the"
                    f" policy with the sha256 {run.policy_sha256}, in results.json.",
                }
            ]
        },
    }
    objectives = [_objective(control) for control in run.controls]
    if objectives:
        head["local-definitions"] = {"objectives-and-methods": objectives}
    return head


def _objective(control: Control) -> dict[str, object]:
    return {
        "control-id": _catalogued(control)[0],
        "description": _text(control.rationale, control.name),
        "props": [_prop("severity", control.severity), _prop("source", control.source)]
        + [_prop("reference", one) for one in control.references],
        "parts": [
            {
                "id": _token(control.id),
                "name": "assessment-objective",
                "title": _text(control.name, control.id),
                "prose": _text(control.rationale, control.name),
            }
        ],
    }


def _catalogued(control: Control) -> tuple[str, ...]:
    """Ids of NIST's catalog, e.g. ``cm-6``; the control's own where it names none."""
    return tuple(_token(one.lower()) for one in control.nist) or (_token(control.id),)


def _result_head(run: Run) -> dict[str, object]:
    ids = dict.fromkeys(one for control in run.controls for one in _catalogued(control))
    selection: dict[str, object] = {"include-all": {}}
    if ids:
        selection = {"include-controls": [{"control-id": one} for one in ids]}
    made: dict[str, object] = {
        "uuid": _uuid(run, "result"),
        "title": _text(f"Run {run.id}"),
        "description": _text(
            f"By {run.operator} on {run.controller}, ipvs-audit {run.version}."
            + (" It was stopped before all was evaluated." if run.interrupted else "")
        ),
        "start": run.started or _NO_TIME,
        "props": [_prop("version", run.version), _prop("interrupted", str(run.interrupted))],
        "reviewed-controls": {"control-selections": [selection]},
    }
    if run.finished:
        made["end"] = run.finished
    return made


def _inventory_item(host: HostResult) -> dict[str, object]:
    props = [_prop("host", host.name), _prop("state", host.state.value)]
    if host.kernel:
        props.append(_prop("kernel", host.kernel))
    made: dict[str, object] = {
        "uuid": _uuid("host", host.name),
        "description": _text(host.name),
        "props": props + [_prop("group", group) for group in host.groups],
    }
    if host.reason:
        made["remarks"] = _text(host.reason)
    return made


def _observation(run: Run, host: HostResult, result: Result) -> dict[str, object]:
    return {
        "uuid": _uuid(run, "observation", host.name, result.control),
        "title": _about(host, result),
        "description": _text(result.message or result.observed, result.verdict.word),
        "props": _props(host, result),
        "methods": ["TEST"],
        "types": ["control-objective"],
        "subjects": [
            {
                "subject-uuid": _uuid("host", host.name),
                "type": "inventory-item",
                "title": _text(host.name),
            }
        ],
        "relevant-evidence": [
            {
                "href": "results.json",
                "description": _text(f"expected: {result.expected}\nobserved: {result.observed}"),
            }
        ],
        "collected": host.finished or host.started or run.started or _NO_TIME,
    }


def _risk(run: Run, host: HostResult, result: Result) -> dict[str, object]:
    return {
        "uuid": _uuid(run, "risk", host.name, result.control),
        "title": _about(host, result),
        "description": _text(result.message, result.verdict.word),
        "statement": _text(f"accepted by a waiver: {result.waiver}"),
        "props": _props(host, result),
        "status": "deviation-approved",
    }


def _finding(run: Run, host: HostResult, result: Result) -> dict[str, object]:
    satisfied = result.verdict is Verdict.PASS
    made: dict[str, object] = {
        "uuid": _uuid(run, "finding", host.name, result.control),
        "title": _about(host, result),
        "description": _text(result.message or result.observed, result.verdict.word),
        "props": _props(host, result),
        "target": {
            "type": "objective-id",
            "target-id": _token(result.control),
            "status": {
                "state": "satisfied" if satisfied else "not-satisfied",
                "reason": _REASONS.get(result.verdict, "other"),
                "remarks": result.verdict.word,
            },
        },
        "related-observations": [
            {"observation-uuid": _uuid(run, "observation", host.name, result.control)}
        ],
    }
    if result.waived:
        made["related-risks"] = [{"risk-uuid": _uuid(run, "risk", host.name, result.control)}]
    return made


def _about(host: HostResult, result: Result) -> str:
    return _text(one_line(f"{result.control} {result.name} on {host.name}"))


def _props(host: HostResult, result: Result) -> list[dict[str, str]]:
    return [
        _prop("verdict", result.verdict.value),
        _prop("severity", result.severity),
        _prop("host", host.name),
        *([_prop("waived", "true")] if result.waived else []),
    ]


def _prop(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": _NAMESPACE, "value": _string(value)}


def _uuid(scope: Run | str, *names: str) -> str:
    """The same for the same names; those of a run differ between runs."""
    if not isinstance(scope, str):
        names = (scope.id, scope.started, scope.controller, *names)
        scope = "run"
    return str(uuid5(NAMESPACE_URL, f"{_NAMESPACE}:" + json.dumps([scope, *names])))


def _string(text: str) -> str:
    """OSCAL's string: one line, neither empty nor with blanks at its ends."""
    return one_line(clipped(text, LONGEST)).strip() or "none"


def _text(text: str, otherwise: str = "") -> str:
    return said(text, otherwise) or "none"


def _token(text: str) -> str:
    """OSCAL's token: a letter or ``_``, then letters, digits, ``.``, ``-``, ``_``."""
    token = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:200]
    return token if token[:1].isalpha() else f"_{token}"
