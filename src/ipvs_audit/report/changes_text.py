"""What changed since an earlier run, as the text of a mail; empty where nothing did.

>>> print(changes_text(run).splitlines()[0])  # doctest: +SKIP
2 newly failing, 1 fixed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.comparison import KINDS, Comparison
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import counted
from ipvs_audit.report.summary import headline, reconciliation, remediation_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipvs_audit.model.comparison import Change
    from ipvs_audit.model.results import Run

_QUIET = "still_failing"
_MOST = 50


def changes_text(run: Run) -> str:
    """One line that counts what changed, fit for a subject, then the sums and what it is.

    Empty where the run has an earlier one to compare with and nothing differs: what still fails, or
    still cannot be evaluated, is no change. A run without an earlier one, or that planned or made
    changes on hosts, always has a text. It is plain ASCII where names are, ends in a newline, and
    lists at most 50 entries of a kind.
    """
    subject = _subject(run)
    if not subject:
        return ""
    lines = [subject, "", headline(run).sentence, reconciliation(run)]
    lines += map(one_line, remediation_lines(run, run.id))
    if run.baseline is not None:
        earlier = f"{run.baseline.id}, finished {run.baseline.finished}"
        lines += [one_line(f"Compared with run {earlier}.")]
        lines += [one_line(note) for note in run.baseline.notes]
        lines += _listed(run.baseline)
    return "\n".join(lines) + "\n"


def _subject(run: Run) -> str:
    if remediated := remediation_lines(run, run.id):
        return remediated[0].partition(";")[0]
    if run.baseline is None:
        return f"{headline(run).claim}; no earlier run to compare with"
    return ", ".join(_counts(run.baseline))


def _counts(comparison: Comparison) -> Iterator[str]:
    for kind, words in KINDS.items():
        if kind != _QUIET and (changes := getattr(comparison, kind)):
            yield f"{len(changes):,} {words}"
    if comparison.appeared:
        yield f"{counted(len(comparison.appeared), 'host')} new"
    if comparison.gone:
        yield f"{counted(len(comparison.gone), 'host')} not in this run any more"
    if comparison.notes:
        yield "not fully comparable"


def _listed(comparison: Comparison) -> Iterator[str]:
    for kind, words in KINDS.items():
        changes: Sequence[Change] = getattr(comparison, kind)
        if not changes:
            continue
        if kind == _QUIET:
            yield f"\n{words.capitalize()}: {counted(len(changes), 'result')}"
            continue
        yield f"\n{words.capitalize()}:"
        yield from _first([f"{one.control} on {one.host}: {_way(one)}" for one in changes])
    for title, hosts in (
        ("New hosts", comparison.appeared),
        ("Not in this run any more", comparison.gone),
    ):
        if hosts:
            yield f"\n{title}:"
            yield from _first(hosts)


def _first(entries: Sequence[str]) -> Iterator[str]:
    for entry in entries[:_MOST]:
        yield f"  {one_line(entry)}"
    if len(entries) > _MOST:
        yield f"  and {len(entries) - _MOST:,} more"


def _way(change: Change) -> str:
    was, now = change.words
    return f"{was} before, {now} now"
