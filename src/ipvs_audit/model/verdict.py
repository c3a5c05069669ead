"""The five verdicts, and what each carries with it.

>>> Verdict.NOT_APPLICABLE.word
'not applicable'
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


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


@dataclass(frozen=True, slots=True)
class Evidence:
    r"""One command's worth of proof, as it came from the host.

    Attributes:
        command: what ran on the host, as a person would type it.
        output: what it printed, UTF-8 with undecodable bytes as ``\\xNN``.
        status: exit status; None where the shell itself read a file.
        user: effective user on the host, e.g. ``root (uid 0)``.
        at: UTC time by the controller's clock, ISO 8601.
        cut: how many characters of output were left out; 0 = whole.
    """

    command: str
    output: str
    status: int | None
    user: str
    at: str
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict of one control on one host.

    ``verdict`` is always the raw one; ``waiver`` names the waiver that covers a failure, if any.
    ``before`` is the verdict before a remedy, where one was at work; None otherwise.
    ``evidence`` is a tuple but in a merged run, which leaves it on disk.
    """

    control: str
    name: str
    verdict: Verdict
    severity: str
    message: str
    expected: str
    observed: str
    evidence: Sequence[Evidence] = ()
    waiver: str | None = None
    before: Verdict | None = None

    @property
    def waived(self) -> bool:
        """True where a valid waiver covers a raw fail."""
        return self.waiver is not None and self.verdict is Verdict.FAIL


def worst(verdicts: list[Verdict]) -> Verdict:
    """The word for a host: the worst of its controls; not applicable where it has none."""
    return min(verdicts, key=WORST_FIRST.index, default=Verdict.NOT_APPLICABLE)
