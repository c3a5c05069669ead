"""results.json, the contract for machines: written, read back, and its published schema.

The file is plain ASCII, one host a line, so that it can be searched, cut and compared by line::

    jq -r '.hosts[] | .name as $h | .controls[] | select(.verdict == "fail") | [$h, .id] | @tsv'

``python -m ipvs_audit.report.results_json > docs/results.schema.json`` writes the schema anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ipvs_audit.model.results import (
    SCHEMA,
    ControlInfo,
    HostResult,
    LatencyResult,
    RemedyResult,
    Run,
    StepResult,
    TraceResult,
)
from ipvs_audit.model.verdict import Evidence, Result
from ipvs_audit.report import companions
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.records import (
    ControlRecord,
    Document,
    HostRecord,
    LatencyRecord,
    RemedyRecord,
    RunRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


def write(run: Run, path: Path) -> None:
    """Write the run, which :func:`~ipvs_audit.model.sanitise.bounded` has cut to size.

    Raises:
        OSError: the file cannot be written.
    """
    hosts = (_dump(host_record(host)) for host in run.hosts)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(lines(run_record(run), hosts))


def lines(run: Mapping[str, object], hosts: Iterable[str]) -> Iterator[str]:
    """The file, from its ``run`` part and each host as JSON."""
    yield f'{{"schema":{_dump(SCHEMA)},\n"run":{_dump(run)},\n"hosts":['
    for number, host in enumerate(hosts):
        yield (",\n" if number else "\n") + host
    yield "\n]}\n"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def counts(run: Run) -> dict[str, dict[str, int]]:
    """The reconciliation and the verdicts, as numbers."""
    return {
        "hosts": {"inventory": run.whole} | run.states() | {"left_out": run.left_out},
        "verdicts": run.verdicts(),
    }


def run_record(run: Run) -> dict[str, object]:
    """The ``run`` part, see :class:`~ipvs_audit.report.records.RunRecord`."""
    return {
        "id": run.id,
        "started": run.started,
        "finished": run.finished,
        "operator": run.operator,
        "controller": run.controller,
        "argv": run.argv,
        "version": run.version,
        "versions": dict(run.versions),
        "estimation": run.estimation,
        "policy_sha256": run.policy_sha256,
        "inventory_sha256": run.inventory_sha256,
        "inventory": run.inventory,
        "interrupted": run.interrupted,
        "notes": run.notes,
        "counts": counts(run),
        "controls": [asdict(control) for control in run.controls],
        "policy": dict(run.policy),
        "job": run.job,
        "waivers": [companions.of_account(account) for account in run.waivers],
        "waivers_sha256": run.waivers_sha256,
        "baseline": None if run.baseline is None else asdict(run.baseline),
        "shard": None if run.shard is None else asdict(run.shard),
        "merged": [asdict(source) for source in run.merged],
    }


def host_record(host: HostResult) -> dict[str, object]:
    """One entry of ``hosts``, see :class:`~ipvs_audit.report.records.HostRecord`."""
    return {
        "name": host.name,
        "id": host.id,
        "groups": host.groups,
        "state": host.state,
        "reachable": None if host.state == "excluded" else host.state == "assessed",
        "reason": host.reason,
        "verdict": host.verdict,
        "kernel": host.kernel,
        "started": host.started,
        "finished": host.finished,
        "facts": dict(host.facts),
        "policy": dict(host.policy),
        "remedy": None if host.remedy is None else asdict(host.remedy),
        "latency": None if host.latency is None else asdict(host.latency),
        "latency_before": None if host.latency_before is None else asdict(host.latency_before),
        "controls": [_control_record(result) for result in host.controls],
    }


def _control_record(result: Result) -> dict[str, object]:
    return {
        "id": result.control,
        "name": result.name,
        "verdict": result.verdict,
        "waiver": result.waiver,
        "before": result.before,
        "severity": result.severity,
        "message": result.message,
        "expected": result.expected,
        "observed": result.observed,
        "evidence": [
            {
                "command": shown.command,
                "output": shown.output,
                "status": shown.status,
                "user": shown.user,
                "at": shown.at,
                "cut": shown.cut,
            }
            for shown in result.evidence
        ],
    }


def load(path: Path) -> Run:
    """Read a results.json back: the exact inverse of :func:`write`.

    Raises:
        ReportError: the file is missing, no JSON, of another schema, against the schema, or its
            counts are not what its hosts add up to. Names the file and the place.
    """
    document = _parsed(path)
    run = run_of(document.run, tuple(map(host_of, document.hosts)))
    said = document.run.counts.model_dump(by_alias=True)
    if said != (found := counts(run)):
        raise ReportError(
            f"{path}: run.counts says {said}, but its hosts add up to {found}: "
            "the file was changed after it was written; take it from the run again"
        )
    for host, record in zip(run.hosts, document.hosts, strict=True):
        if host.verdict is not record.verdict:
            raise ReportError(
                f"{path}: {record.name} is said to be {record.verdict.word}, but the worst of its"
                f" controls is {host.verdict.word}: the file was changed after it was written"
            )
    return run


def _parsed(path: Path) -> Document:
    try:
        raw = json.loads(path.read_bytes())
    except OSError as unread:
        raise ReportError(f"{path}: cannot be read: {unread.strerror}") from None
    except (ValueError, RecursionError) as broken:
        raise ReportError(f"{path}: is not JSON, or was cut short: {broken}") from None
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if schema != SCHEMA:
        raise ReportError(
            f"{path}: schema is {schema!r}, and this version reads {SCHEMA!r}: "
            "give the results.json of an ipvs-audit run, and the version that wrote it"
        )
    try:
        return Document.model_validate(raw)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ReportError(
            f"{path}: {place}: {first['msg']} ({invalid.error_count()} such in all)"
        ) from None


def run_of(record: RunRecord, hosts: tuple[HostResult, ...]) -> Run:
    """The reverse of :func:`run_record`, with these hosts."""
    fields: dict[str, Any] = {
        name: getattr(record, name) for name in RunRecord.model_fields if name != "counts"
    }
    fields["left_out"] = record.counts.hosts.left_out
    fields["controls"] = tuple(ControlInfo(**control.model_dump()) for control in record.controls)
    fields["waivers"] = tuple(map(companions.to_account, record.waivers))
    fields["baseline"] = companions.to_comparison(record.baseline)
    fields["shard"] = companions.to_part(record.shard)
    fields["merged"] = tuple(map(companions.to_source, record.merged))
    return Run(**fields, hosts=hosts)


def host_of(record: HostRecord) -> HostResult:
    """The reverse of :func:`host_record`."""
    return HostResult(
        name=record.name,
        id=record.id,
        groups=record.groups,
        state=record.state,
        reason=record.reason,
        kernel=record.kernel,
        facts=record.facts,
        controls=tuple(map(_result, record.controls)),
        started=record.started,
        finished=record.finished,
        policy=record.policy,
        remedy=None if record.remedy is None else _remedy(record.remedy),
        latency=_latency(record.latency),
        latency_before=_latency(record.latency_before),
    )


def _latency(record: LatencyRecord | None) -> LatencyResult | None:
    if record is None:
        return None
    trace = None if record.trace is None else TraceResult(**record.trace.model_dump())
    return LatencyResult(**{**record.model_dump(), "trace": trace})


def _remedy(record: RemedyRecord) -> RemedyResult:
    steps = tuple(StepResult(**step.model_dump()) for step in record.steps)
    return RemedyResult(record.status, record.message, record.notes, steps)


def _result(record: ControlRecord) -> Result:
    return Result(
        control=record.id,
        name=record.name,
        verdict=record.verdict,
        severity=record.severity,
        message=record.message,
        expected=record.expected,
        observed=record.observed,
        evidence=tuple(
            Evidence(shown.command, shown.output, shown.status, shown.user, shown.at, shown.cut)
            for shown in record.evidence
        ),
        waiver=record.waiver,
        before=record.before,
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of results.json, as published in docs/."""
    made = Document.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        **made,
        "title": "ipvs-audit results",
        "description": "What an ipvs-audit run found. Later versions may add fields.",
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))  # noqa: T201  # the schema is this command's product
