"""The five verdicts, and what each carries with it.

>>> Verdict.NOT_APPLICABLE.word
'not applicable'
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  # pydantic reads it
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from ipvs_audit.model.fields import Count, Limit, Name, Text
from ipvs_audit.model.limits import OUTPUT_CHARACTERS


class Verdict(StrEnum):
    """What an audit can say of one control on one host. The values are those of results.json."""

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    FAIL = "fail"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"

    @property
    def word(self) -> str:
        """The verdict as people read it, in the terminal, JUnit and HTML alike."""
        return self.value.replace("_", " ")

    @property
    def bad(self) -> bool:
        """Whether it is a failure or an error: what ends a run with exit code 1."""
        return self in (Verdict.FAIL, Verdict.ERROR)


#: Worst first: the order in which reports list verdicts, and how a host's overall word is chosen.
WORST_FIRST = (
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)


#: How the last line of a fix begins, where ``--remediate`` can do it.
PLAN = "Plan: --remediate-plan --limit"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A section of what the probe printed, as it came from the host."""

    section: Annotated[Name, Field(description="which one; `run.by_hand` has a command for it")]
    output: Annotated[
        str,
        Limit(OUTPUT_CHARACTERS, counted_in="cut"),
        Field(description=r"what the probe printed; undecodable bytes as \xNN"),
    ]
    status: Annotated[
        int | None, Field(description="exit status; null where the probe put it together")
    ]
    user: Annotated[Name, Field(description="effective user on the host, e.g. root (uid 0)")]
    at: Annotated[Name, Field(description="UTC time by the controller's clock, ISO 8601")]
    cut: Annotated[Count, Field(description="characters of output left out; 0 = whole")] = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict of one control on one host."""

    control: Annotated[Name, Field(alias="id", description="e.g. EST-4")]
    name: Annotated[Name, Field(description="e.g. live-value")]
    verdict: Annotated[Verdict, Field(description="the raw verdict, whatever a waiver says")]
    severity: Name
    message: Text
    expected: Text
    observed: Text
    #: A tuple, but in a merged run, which leaves it on disk.
    evidence: Annotated[Sequence[Evidence], AfterValidator(tuple)] = ()
    waiver: Annotated[
        Text | None, Field(description="the waiver that covers a failure, or null")
    ] = None
    before: Annotated[
        Verdict | None,
        Field(description="the verdict before remediation; null where there was none"),
    ] = None
    evaluated: Annotated[
        bool, Field(description="false where the run stopped before it came to this control")
    ] = True
    fix: Annotated[
        Text, Field(description="what an operator does on this host; empty unless it fails")
    ] = ""

    @property
    def waived(self) -> bool:
        """True where a valid waiver covers a raw fail."""
        return self.waiver is not None and self.verdict is Verdict.FAIL

    @property
    def fix_by_hand(self) -> str:
        """The fix without the options that show what remediation would change on this one host."""
        return self.fix.partition(f"\n{PLAN}")[0]


def worst(verdicts: list[Verdict]) -> Verdict | None:
    """The word for a host: the worst of its controls; None where it has none."""
    return min(verdicts, key=WORST_FIRST.index, default=None)
