"""A control: what the policy requires, and all that is known of it besides its check."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from ipvs_audit.model.fields import Name, Text  # noqa: TC001  # pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Iterable

SEVERITIES = ("high", "medium", "low")
_NIST = "NIST SP 800-53 "


@dataclass(frozen=True, slots=True)
class Control:
    """The metadata of a check."""

    id: Annotated[Name, Field(description="stable identifier, e.g. EST-4")]
    name: Annotated[Name, Field(description="in the words of the field, e.g. live-value")]
    severity: Annotated[Name, Field(description="high, medium or low")]
    source: Annotated[Text, Field(description="source of the requirement")]
    rationale: Annotated[Text, Field(description="why it matters")]
    fix: Annotated[Text, Field(description="what an operator does, where a result says no more")]
    evidence: Annotated[
        tuple[Name, ...],
        Field(description="sections of the evidence that it rests on, shown with each verdict"),
    ] = ()
    required: Annotated[
        bool, Field(description="whether 'Compliant' needs it; a run without it is incomplete")
    ] = True
    proves: Annotated[
        bool, Field(description="whether a pass shows that estimation is as the policy demands")
    ] = False
    remediable: Annotated[
        bool, Field(description="whether --remediate can remediate a failure")
    ] = False
    references: Annotated[
        tuple[Name, ...],
        Field(description="requirements of standards, and the organisation's own (policy)"),
    ] = ()
    file: Annotated[
        Name, Field(description="its check, with its directory; empty where unknown")
    ] = ""

    @property
    def nist(self) -> tuple[str, ...]:
        """Its controls in NIST SP 800-53, e.g. ``CM-6``."""
        return tuple(one.removeprefix(_NIST) for one in self.references if one.startswith(_NIST))

    def with_references(self, own: Iterable[str]) -> Self:
        """The control with an organisation's own references after those that it has."""
        return replace(self, references=tuple(dict.fromkeys((*self.references, *own))))
