"""junit.xml for Jenkins: a suite per host, a case per control.

Jenkins drops a suite without a case, takes suites of one name (and no or the same id) for one,
shows cases by class and not by suite, reads only the first failure of a case, splits class names
at dots, and trims what a case printed: 1,000 characters where it passed or was skipped, 100,000
where it failed (TestResult, SuiteResult and CaseResult of its junit plugin). So each host has an
id and a class of its own. Its junit-10.xsd knows no ``disabled`` attribute.

The junit-xml library makes each suite and each case; the file is put together suite by suite, so
that a fleet of 10,000 hosts is never in memory as one tree. Hosts have much alike: what a control
says is made once, with gaps for the host's own class and evidence, and kept for the next host.
"""

from __future__ import annotations

import html
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from junit_xml import TestCase, TestSuite

from ipvs_audit.model.sanitise import clipped, one_line, visible, visible_head
from ipvs_audit.model.verdict import Evidence, Result, Verdict
from ipvs_audit.report import latency_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ipvs_audit.model.results import HostResult, Run

#: Characters of system-out that Jenkins keeps of a case that passed or was skipped.
QUIET_LIMIT = 1_000
#: The same for a failed one is 100,000; less is kept here, for Jenkins loads the file as a DOM.
LOUD_LIMIT = 32_000
_TEXT_LIMIT = 8_000
_MESSAGE_LIMIT = 1_000
_NAME_LIMIT = 200
#: Stand for the class and the evidence of a host in what many hosts have alike: of Unicode's
#: noncharacters, which ``visible`` leaves in no text.
_CLASS, _PRINTED = "\ufdd0", "\ufdd1"


def write(run: Run, path: Path) -> None:
    """Write the run.

    Raises:
        OSError: the file cannot be written.
    """
    _write(run, run.hosts, _classnames(run.hosts), path)


def write_split(run: Run, directory: Path, hosts: int) -> list[Path]:
    """Write junit-001.xml and so on, each with some of the hosts; one where there is no host.

    Jenkins loads each file as a DOM, so a large fleet in one file needs much of its memory.

    Raises:
        OSError: a file cannot be written.
    """
    paths = []
    classes = _classnames(run.hosts)
    for number, start in enumerate(range(0, max(len(run.hosts), 1), hosts), 1):
        paths.append(directory / f"junit-{number:03d}.xml")
        part = slice(start, start + hosts)
        _write(run, run.hosts[part], classes[part], paths[-1])
    return paths


def _write(run: Run, hosts: Sequence[HostResult], classes: Sequence[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_parts(run, hosts, classes))


def _parts(run: Run, hosts: Sequence[HostResult], classes: Sequence[str]) -> Iterator[str]:
    suites = [_counted(host) for host in hosts]
    totals = {
        name: str(sum(counts[name] for counts in suites))
        for name in ("tests", "failures", "errors")
    }
    head = ET.Element("testsuites", {"name": "ipvs-audit", **totals})
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield ET.tostring(head, encoding="unicode").replace(" />", ">\n")
    for host, classname, counts in zip(hosts, classes, suites, strict=True):
        yield from _suite(run, host, classname, counts)
    yield "</testsuites>\n"


def _counted(host: HostResult) -> dict[str, int]:
    raw = [result.verdict for result in host.controls if not result.waived]
    failures = raw.count(Verdict.FAIL)
    errors = raw.count(Verdict.ERROR) or int(not host.controls and host.state == "unreachable")
    return {
        "tests": len(host.controls) or 1,
        "failures": failures,
        "errors": errors,
        "skipped": max(len(host.controls), 1) - failures - errors - raw.count(Verdict.PASS),
    }


def _suite(run: Run, host: HostResult, classname: str, counts: Mapping[str, int]) -> Iterator[str]:
    suite = TestSuite(
        _name(host.name),
        id=classname.rpartition(".")[2],
        hostname=_name(host.name),
        timestamp=_timestamp(host.started or run.started),
    )
    element: ET.Element = suite.build_xml_doc(encoding="utf-8")
    del element.attrib["disabled"]
    for name, count in counts.items():
        element.set(name, str(count))
    element.set("time", _seconds(host))
    yield ET.tostring(element, encoding="unicode").removesuffix(" />")
    yield "><properties>"
    yield from (_property(*each) for each in dict(_properties(host)).items())
    yield "</properties>"
    for result in host.controls:
        yield _case(host, classname, result)
    if not host.controls:
        yield _filled(_drawn(*_lone_case(host)), classname, "")
    yield "</testsuite>\n"


def _properties(host: HostResult) -> Iterator[tuple[str, str]]:
    yield "state", one_line(host.state)
    yield "groups", one_line(", ".join(host.groups))
    if host.reason:
        yield "reason", _message(host.reason)
    if host.kernel:
        yield "kernel", _message(host.kernel)
    for label, text in host.facts.items():
        yield _name(label), _message(text)
    yield from latency_text.properties(host)
    if host.remedy is not None:
        told = (host.remedy.status.word, host.remedy.message)
        yield "remediation", _message(": ".join(filter(None, told)))
        changed = [f"{one.control} {one.before.word}" for one in host.controls if one.before]
        if changed:
            yield "before remediation", _message(", ".join(changed))


@lru_cache(maxsize=512)
def _property(name: str, value: str) -> str:
    suite: ET.Element = TestSuite("", properties={name: value}).build_xml_doc(encoding="utf-8")
    return ET.tostring(suite[0][0], encoding="unicode")


def _case(host: HostResult, classname: str, result: Result) -> str:
    loud = result.verdict.bad and not result.waived
    printed = _printed(result.evidence, LOUD_LIMIT if loud else QUIET_LIMIT)
    unreachable = host.state == "unreachable"
    drawn = _case_form(replace(result, evidence=()), bool(printed), unreachable)
    return _filled(drawn, classname, printed)


def _filled(drawn: str, classname: str, printed: str) -> str:
    named = drawn.replace(_CLASS, html.escape(classname))
    return named.replace(_PRINTED, html.escape(printed, quote=False))


# Bounded: a fleet in which nothing is alike gains nothing, and costs little.
@lru_cache(maxsize=512)
def _case_form(result: Result, proven: bool, unreachable: bool) -> str:
    case = TestCase(
        _name(f"{result.control} {result.name}"),
        classname=_CLASS,
        stdout=_PRINTED if proven else None,
    )
    # A failure or error without message and text would be read as a pass: both always have one.
    message = _message(result.message) or f"{result.verdict.word}, and no reason was given"
    text, kind = _text(result), result.verdict.word
    match result.verdict:
        case Verdict.FAIL if result.waived:
            kind = "waived fail"
            case.add_skipped_info(f"{kind}: {message}", text)
        case Verdict.FAIL:
            case.add_failure_info(message, text, "fail")
        case Verdict.ERROR:
            case.add_error_info(message, text, "unreachable" if unreachable else "error")
        case Verdict.INCONCLUSIVE | Verdict.NOT_APPLICABLE:
            case.add_skipped_info(f"{kind}: {message}", text)
        case Verdict.PASS:
            pass
    return _drawn(case, kind)


def _drawn(case: TestCase, kind: str) -> str:
    """A case as the library writes it in its suite, but for the type of what it skips."""
    element: ET.Element = TestSuite("", [case]).build_xml_doc(encoding="utf-8")[0]
    # The library writes every skipped case with the type "skipped"; ours say why.
    for skipped in element.iter("skipped"):
        skipped.set("type", kind)
    return ET.tostring(element, encoding="unicode")


def _lone_case(host: HostResult) -> tuple[TestCase, str]:
    """The one case of a host that has no results; Jenkins would drop a suite without one."""
    case = TestCase("audit", classname=_CLASS)
    if host.state == "unreachable":
        reason = _message(host.reason) or "the host could not be collected"
        case.add_error_info(reason, reason, "unreachable")
        return case, "unreachable"
    kind = "not evaluated" if host.contacted else host.state.word
    reason = _message(host.reason) or "no control was evaluated on this host"
    case.add_skipped_info(f"{kind}: {reason}", reason)
    return case, kind


def _text(result: Result) -> str:
    lines = [
        f"severity: {result.severity}",
        f"expected: {result.expected}",
        f"observed: {result.observed}",
    ]
    if result.before is not None:
        lines.append(f"before:   {result.before.word}")
    if result.waiver is not None:
        lines.append(f"waiver:   {result.waiver}")
    if result.message:
        lines += ["", result.message]
    if result.fix:
        lines += ["", f"fix: {result.fix}"]
    return clipped(visible("\n".join(lines)), _TEXT_LIMIT)


def _printed(evidence: Sequence[Evidence], limit: int) -> str:
    """The evidence as text, each section given its share of the limit."""
    share = limit // max(len(evidence), 1)
    return "\n".join(_one(shown, share) for shown in evidence)[:limit]


def _one(shown: Evidence, limit: int) -> str:
    status = "" if shown.status is None else f", exit {shown.status}"
    head = clipped(one_line(f"[{shown.section}] {shown.user}{status}, {shown.at}"), limit)
    room = max(limit - len(head) - 64, 0)  # 64 holds the mark of the cut
    return f"{head}\n{_output(shown.output, shown.cut, room)}\n"


@lru_cache(maxsize=256)
def _output(whole: str, unshown: int, room: int) -> str:
    output, cut = visible_head(whole.rstrip("\n"), room)
    cut += unshown
    mark = f"\n[… {cut:,} characters cut; see snapshots.jsonl.gz]" if cut else ""
    return f"{output}{mark}"


def _classnames(hosts: Sequence[HostResult]) -> list[str]:
    """A class for each host, no two alike: ``a.b`` and ``a_b`` are two hosts."""
    given: list[str] = []
    used: set[str] = set()
    for host in hosts:
        base = f"ipvs_audit.{_name(host.id).replace('.', '_')}"
        name, count = base, 1
        while name in used:
            count += 1
            name = f"{base}-{count}"
        used.add(name)
        given.append(name)
    return given


def _name(text: str) -> str:
    return clipped(one_line(text), _NAME_LIMIT)


def _message(text: str) -> str:
    return clipped(one_line(text), _MESSAGE_LIMIT)


def _timestamp(moment: str) -> str:
    """Without a zone, as Ant's JUnit writes it; it is UTC."""
    return one_line(moment).removesuffix("Z").removesuffix("+00:00").partition(".")[0]


def _seconds(host: HostResult) -> str:
    try:
        took = datetime.fromisoformat(host.finished) - datetime.fromisoformat(host.started)
    except ValueError:
        return "0"
    return f"{max(took.total_seconds(), 0):.3f}"
