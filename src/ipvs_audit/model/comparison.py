"""What changed since an earlier run, by raw verdicts: a waiver mends nothing.

>>> kind_of("pass", "fail"), kind_of("fail", "pass"), kind_of("fail", "error")
('newly_failing', 'fixed', 'unproven')
"""

from __future__ import annotations

from dataclasses import dataclass

#: The lists of changes in a :class:`Comparison`, the worst first.
KINDS = ("newly_failing", "unproven", "still_failing", "fixed")


@dataclass(frozen=True, slots=True)
class Change:
    """One control on one host, then and now: raw verdicts, empty where it was not judged."""

    host: str
    control: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run set beside an earlier one.

    Attributes:
        id, finished: of the earlier run.
        sha256: of its results.json.
        newly_failing: fails now, and did not then (or was not judged, or not there).
        fixed: failed then, passes now.
        still_failing: failed then and now.
        unproven: failed or passed then, and is neither now; nobody knows.
        appeared, gone: hosts that only this, or only the earlier inventory holds.
        notes: what makes the two hard to compare, e.g. another policy.
    """

    id: str
    finished: str
    sha256: str
    newly_failing: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()
    still_failing: tuple[Change, ...] = ()
    unproven: tuple[Change, ...] = ()
    appeared: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def kind_of(was: str, now: str) -> str:
    """Which list of a :class:`Comparison` a change belongs to; empty for none."""
    if now == "fail":
        return "still_failing" if was == "fail" else "newly_failing"
    if was == "fail":
        return "fixed" if now == "pass" else "unproven"
    return "unproven" if was == "pass" and now in ("error", "inconclusive") else ""
