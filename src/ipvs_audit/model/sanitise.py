r"""Hostile text made safe: the one place where what a host printed becomes what a person reads.

Characters that draw nothing, or that change how others are drawn, stand as visible escapes.
What is left is legal in XML 1.0 and in UTF-8, and does nothing to a terminal. Escaping for HTML
and XML is left to those who write HTML and XML.

>>> visible("\x1b[31mred\x1b[0m \u202egnp.exe")
'\\x1b[31mred\\x1b[0m \\u202egnp.exe'
>>> one_line("two\nlines")
'two\\nlines'
>>> clip("0123456789", 4)
('0123', 6)
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.model.comparison import Change, Comparison
    from ipvs_audit.model.results import ControlInfo, HostResult, RemedyResult, Run
    from ipvs_audit.model.verdict import Evidence, Result
    from ipvs_audit.model.waiver import Waiver

#: Characters of one field, e.g. a message, that a report keeps.
FIELD_LIMIT = 16_384
#: Characters of one command's output that a report keeps. The whole is in snapshots.jsonl.gz.
OUTPUT_LIMIT = 65_536
#: Characters of a name.
NAME_LIMIT = 512
_MARK = 48  # room for the words that mark a cut

_UNSEEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls, without tab and newline
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # drawn as nothing
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, separators, bidi controls
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"  # fillers, variation, not characters
    r"\ufdd0-\ufdef"
    r"\ud800-\udfff"  # lone surrogates
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ENDS_OF_PLANES = "".join(f"\\U{plane:04x}fffe\\U{plane:04x}ffff" for plane in range(1, 17))
_HIDDEN = re.compile(f"[{_UNSEEN}{_ENDS_OF_PLANES}]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:  # noqa: PLR2004  # what \xNN can hold
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  # \uNNNN


def visible(text: str) -> str:
    """The text with everything unseen made visible; tabs and newlines stay."""
    # Most of what hosts print: looking so is ten times as fast as looking for each hidden one.
    if text.isascii() and (
        text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable()
    ):
        return text
    return _HIDDEN.sub(_escape, text)


def one_line(text: str) -> str:
    r"""The same for names and messages: newlines and tabs stand as ``\n`` and ``\t``."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def encodable(text: str) -> str:
    """The text with only lone surrogates made visible: all else, JSON can say by itself."""
    return text if text.isascii() else _SURROGATE.sub(_escape, text)


def visible_head(text: str, limit: int) -> tuple[str, int]:
    r"""The head of a text made visible, and how many characters of the text are not in it.

    The work is bounded by the limit, not by the text.

    >>> visible_head("\x1b[0m and much more", 12)
    ('\\x1b[0m and ', 9)
    """
    head = text[:limit]
    while len(shown := visible(head)) > limit:
        head = head[: len(head) * limit // len(shown)]
    return shown, len(text) - len(head)


def clip(text: str, limit: int) -> tuple[str, int]:
    """The head of a text, and how many characters were cut off it."""
    return (text, 0) if len(text) <= limit else (text[:limit], len(text) - limit)


def clipped(text: str, limit: int) -> str:
    """The head of a text, its cut marked at the end; no longer than the limit, mark included."""
    if len(text) <= limit:
        return text
    head, cut = clip(text, limit - _MARK)
    return f"{head} [… {cut:,} characters cut]"


def bounded(run: Run) -> Run:
    """The run with every field and output within its limit, and without lone surrogates.

    A run that is already so comes back equal, which is what makes results.json round-trip.
    """
    return replace(
        run,
        id=_name(run.id),
        version=_name(run.version),
        operator=_field(run.operator),
        controller=_field(run.controller),
        argv=tuple(map(_field, run.argv)),
        versions=bounded_facts(run.versions),
        inventory=tuple(map(_field, run.inventory)),
        notes=tuple(map(_field, run.notes)),
        controls=tuple(map(_control, run.controls)),
        hosts=tuple(map(_host, run.hosts)),
        policy={_name(key): _plain(value) for key, value in run.policy.items()},
        job=_field(run.job),
        waivers=tuple(replace(one, waiver=_waiver(one.waiver)) for one in run.waivers),
        baseline=None if run.baseline is None else _compared(run.baseline),
        shard=None if run.shard is None else replace(run.shard, limit=_field(run.shard.limit)),
    )


def _plain(value: object) -> object:
    if isinstance(value, str):
        return _field(value)
    if isinstance(value, dict):
        return {_name(str(key)): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _waiver(waiver: Waiver) -> Waiver:
    return replace(
        waiver,
        place=_field(waiver.place),
        hosts=_field(waiver.hosts),
        justification=_field(waiver.justification),
        ticket=_field(waiver.ticket),
        approver=_field(waiver.approver),
    )


def _compared(found: Comparison) -> Comparison:
    return replace(
        found,
        id=_name(found.id),
        newly_failing=tuple(map(_change, found.newly_failing)),
        fixed=tuple(map(_change, found.fixed)),
        still_failing=tuple(map(_change, found.still_failing)),
        unproven=tuple(map(_change, found.unproven)),
        appeared=tuple(map(_name, found.appeared)),
        gone=tuple(map(_name, found.gone)),
        notes=tuple(map(_field, found.notes)),
    )


def _change(change: Change) -> Change:
    return replace(change, host=_name(change.host), control=_name(change.control))


def _field(text: str) -> str:
    return clipped(encodable(text), FIELD_LIMIT)


def _name(text: str) -> str:
    return clipped(encodable(text), NAME_LIMIT)


def bounded_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts of a host, as :func:`bounded` leaves them."""
    return {_name(label): _field(text) for label, text in facts.items()}


def _control(about: ControlInfo) -> ControlInfo:
    return replace(
        about,
        id=_name(about.id),
        name=_name(about.name),
        severity=_name(about.severity),
        source=_field(about.source),
        rationale=_field(about.rationale),
        fix=_field(about.fix),
    )


def _fit(limit: int, *texts: str | None) -> bool:
    """Whether texts need no change: nearly all of them, so it pays to look first."""
    for text in texts:
        if text is not None and (len(text) > limit or not text.isascii()):
            return False
    return True


def _host(host: HostResult) -> HostResult:
    return replace(
        host,
        name=_name(host.name),
        id=_name(host.id),
        groups=tuple(map(_name, host.groups)),
        reason=_field(host.reason),
        kernel=_name(host.kernel),
        facts=bounded_facts(host.facts),
        controls=tuple(map(bounded_result, host.controls)),
        remedy=None if host.remedy is None else _remedy(host.remedy),
    )


def _remedy(remedy: RemedyResult) -> RemedyResult:
    return replace(
        remedy,
        status=_name(remedy.status),
        message=_field(remedy.message),
        notes=tuple(map(_field, remedy.notes)),
        steps=tuple(
            replace(
                step,
                control=_name(step.control),
                title=_field(step.title),
                reason=_field(step.reason),
                detail=clipped(encodable(step.detail), OUTPUT_LIMIT),
                outcome=_field(step.outcome),
            )
            for step in remedy.steps
        ),
    )


def bounded_result(result: Result) -> Result:
    """One result, as :func:`bounded` leaves it; the same where nothing is to be done."""
    evidence = tuple(map(_evidence, result.evidence))
    if (
        evidence == result.evidence
        and _fit(NAME_LIMIT, result.control, result.name, result.severity)
        and _fit(FIELD_LIMIT, result.message, result.expected, result.observed, result.waiver)
    ):
        return result
    return replace(
        result,
        control=_name(result.control),
        name=_name(result.name),
        severity=_name(result.severity),
        message=_field(result.message),
        expected=_field(result.expected),
        observed=_field(result.observed),
        evidence=evidence,
        waiver=None if result.waiver is None else _field(result.waiver),
    )


def _evidence(shown: Evidence) -> Evidence:
    if (
        _fit(OUTPUT_LIMIT, shown.output)
        and _fit(FIELD_LIMIT, shown.command)
        and _fit(NAME_LIMIT, shown.user, shown.at)
    ):
        return shown
    output, cut = clip(encodable(shown.output), OUTPUT_LIMIT)
    return replace(
        shown,
        command=_field(shown.command),
        output=output,
        user=_name(shown.user),
        at=_name(shown.at),
        cut=shown.cut + cut,
    )
