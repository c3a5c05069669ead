"""What changed since an earlier run, by raw verdicts: a waiver mends nothing.

>>> kind_of("pass", "fail"), kind_of("fail", "pass"), kind_of("fail", "error")
('newly_failing', 'fixed', 'unproven')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ipvs_audit.model.fields import Moment, Name, Text  # noqa: TC001  # pydantic reads it

#: The lists of changes in a :class:`Comparison`, the worst first -> as people read them.
KINDS = {
    "newly_failing": "newly failing",
    "unproven": "no longer known",
    "still_failing": "still failing",
    "fixed": "fixed",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One control on one host, in the earlier run and in this one: raw verdicts."""

    host: Name
    control: Name
    was: Annotated[str, Field(description="empty where it was not evaluated")]
    now: Annotated[str, Field(description="empty where it was not evaluated")]

    @property
    def words(self) -> tuple[str, str]:
        """Both as people read them: ``not applicable``, ``not evaluated``."""
        was, now = self.was.replace("_", " "), self.now.replace("_", " ")
        return was or "not evaluated", now or "not evaluated"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed since an earlier run, by raw verdicts."""

    id: Annotated[Name, Field(description="of the earlier run")]
    finished: Moment
    sha256: Annotated[str, Field(description="of the earlier results.json")]
    newly_failing: Annotated[
        tuple[Change, ...], Field(description="fails now, and did not then, or was not there")
    ] = ()
    fixed: Annotated[tuple[Change, ...], Field(description="failed then, passes now")] = ()
    still_failing: Annotated[tuple[Change, ...], Field(description="failed then and now")] = ()
    unproven: Annotated[
        tuple[Change, ...],
        Field(description="failed or passed then, and neither now, e.g. an error"),
    ] = ()
    appeared: Annotated[tuple[Name, ...], Field(description="hosts that only this run has")] = ()
    gone: Annotated[tuple[Name, ...], Field(description="hosts that only the earlier one had")] = ()
    notes: Annotated[
        tuple[Text, ...], Field(description="what makes the two hard to compare: another policy")
    ] = ()


def kind_of(was: str, now: str) -> str:
    """Which list of a :class:`Comparison` a change belongs to; empty for none."""
    if now == "fail":
        return "still_failing" if was == "fail" else "newly_failing"
    if was == "fail":
        return "fixed" if now == "pass" else "unproven"
    return "unproven" if was == "pass" and now in ("error", "inconclusive") else ""
