"""results.json, the contract for machines: written, read back, and its published schema.

The file is plain ASCII, one host a line, so that it can be searched, cut and compared by line::

    jq -r '.hosts[] | .name as $h | .controls[] | select(.verdict == "fail") | [$h, .id] | @tsv'

``python -m ipvs_audit.report.results_json > docs/results.schema.json`` writes the schema.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from ipvs_audit.model.limits import RESULTS_FILE
from ipvs_audit.model.regular_file import read_regular
from ipvs_audit.model.results import SCHEMA, Counts, Document, HostResult, Run
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

RUN = TypeAdapter(Run)
HOST = TypeAdapter(HostResult)
COUNTS = TypeAdapter(Counts)


@cache
def _document() -> TypeAdapter[Document]:
    """Built where a results.json is read, which most audits do not do."""
    return TypeAdapter(Document)


def write(run: Run, path: Path) -> None:
    """Write the run, which :func:`~ipvs_audit.model.bounded.bounded` has cut to size.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(lines(run, run.counts, map(host_line, run.hosts)))


def lines(run: Run, counts: Counts, hosts: Iterable[str]) -> Iterator[str]:
    """The file: the run's head with these counts, then a line for each host."""
    head = RUN.dump_python(run, mode="json", by_alias=True)
    head["counts"] = COUNTS.dump_python(counts, by_alias=True)
    shown = json.dumps(head, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    yield f'{{"schema":"{SCHEMA}",\n"run":{shown},\n"hosts":['
    for number, host in enumerate(hosts):
        yield (",\n" if number else "\n") + host
    yield "\n]}\n"


def host_line(host: HostResult) -> str:
    """One entry of ``hosts``."""
    return HOST.dump_json(host, by_alias=True, ensure_ascii=True).decode("ascii")


def load(path: Path) -> Run:
    """Read a results.json back: the exact inverse of :func:`write`.

    Raises:
        ReportError: the file is missing, no JSON, of another schema, against the schema, has a host
            twice, or its counts are not what its hosts add up to. Names the file and the place.
    """
    raw = _read(path)
    try:
        document = _document().validate_python(raw)
        counts = COUNTS.validate_python(raw["run"].get("counts"))
    except ValidationError as invalid:
        raise ReportError(
            f"{path}: {first_error(invalid)} ({invalid.error_count()} errors in all)"
        ) from None
    run = replace(document.run, hosts=document.hosts)
    refuse_other_counts(counts, run.counts, path)
    names: set[str] = set()
    for host, said in zip(run.hosts, raw["hosts"], strict=True):
        if host.name in names:
            raise ReportError(f"{path}: {twice(host)}")
        names.add(host.name)
        if wrong := contradiction(host):
            raise ReportError(f"{path}: {wrong}: the file was changed after it was written")
        if said.get("verdict") != host.verdict:
            raise ReportError(
                f"{path}: the verdict of {host.name} says {said.get('verdict')}, but the worst of"
                f" its controls is {host.verdict or 'none'}: the file was changed after it was"
                " written"
            )
    return run


def refuse_other_counts(said: Counts, found: Counts, path: Path) -> None:
    """Hold the counts that a file says against what its hosts add up to.

    Raises:
        ReportError: they differ; names the first one.
    """
    if said != found:
        raise ReportError(
            f"{path}: {_first_difference(said, found)}: the file was changed after it was"
            " written; take it from the run again"
        )


def twice(host: HostResult) -> str:
    """What to say of a duplicate: pages would show one in the place of the other."""
    return f"the host {host.name} is a duplicate: the file was changed after it was written"


def contradiction(host: HostResult) -> str:
    """A verdict on a control that was not evaluated, in words; empty where there is none."""
    for result in host.controls:
        if not result.evaluated and result.verdict is not Verdict.ERROR:
            return (
                f"{host.name} {result.control} was not evaluated, yet its verdict is"
                f" {result.verdict.word}"
            )
    return ""


def _first_difference(said: Counts, found: Counts) -> str:
    """``run.counts.verdicts.fail says 3, but the hosts add up to 4``."""
    numbers, right = (COUNTS.dump_python(one, by_alias=True) for one in (said, found))
    group, name = next(
        (group, name)
        for group, named in right.items()
        for name, number in named.items()
        if numbers[group][name] != number
    )
    return (
        f"run.counts.{group}.{name} says {numbers[group][name]:,}, but the hosts add up to"
        f" {right[group][name]:,}"
    )


def first_error(invalid: ValidationError) -> str:
    """The first thing that does not fit the schema: its place, and what is wrong with it."""
    first = invalid.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(read_regular(path, RESULTS_FILE))
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
    return dict(raw)


def schema() -> dict[str, Any]:
    """The JSON Schema of results.json, as published in docs/."""
    made = _document().json_schema(by_alias=True, mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        **made,
        "title": "ipvs-audit results",
        "description": "What an ipvs-audit run found. Later versions may add fields.",
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))  # noqa: T201  # the schema is this command's product
