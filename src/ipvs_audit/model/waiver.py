"""A waiver, and what became of it in a run: plain data, which reports carry."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # pydantic reads it
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ipvs_audit.model.fields import Count, Name, Text  # noqa: TC001  # pydantic reads it
from ipvs_audit.model.text import counted


@dataclass(frozen=True, slots=True)
class Waiver:
    """One entry of the waiver file."""

    place: Annotated[Text, Field(description="file:line of the entry")]
    hosts: Annotated[Text, Field(description="an Ansible host pattern")]
    control: Name
    justification: Text
    ticket: Text
    approver: Text
    expires: Annotated[
        str, Field(pattern=r"^\d{4}-\d\d-\d\d$", description="the last day, UTC, on which it holds")
    ]

    @property
    def text(self) -> str:
        """What a waived verdict carries with it."""
        return (
            f"{self.ticket}: {self.justification}"
            f" (approved by {self.approver}, expires {self.expires} UTC)"
        )

    def days_left(self, day: date) -> int:
        """How many days after this one, UTC, it still holds; below 0 where it does no more."""
        return (date.fromisoformat(self.expires) - day).days

    def holds(self, day: date) -> bool:
        """Whether it covers anything on a day, UTC."""
        return self.days_left(day) >= 0


class WaiverState(StrEnum):
    """What became of a waiver in a run. The values are those of results.json."""

    IN_FORCE = "in_force"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"
    NOT_NEEDED = "not_needed"

    @property
    def word(self) -> str:
        """As people read it."""
        return "matches nothing" if self is WaiverState.UNMATCHED else self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """A waiver, and what it did in a run."""

    waiver: Waiver
    state: WaiverState
    matched: Annotated[Count, Field(description="hosts of this run that its pattern selects")]
    found: Annotated[
        Mapping[str, Count], Field(description="raw verdict of its control -> hosts")
    ] = field(default_factory=dict)
    ends_soon: Annotated[
        bool, Field(description="it holds, and ends within the days asked for")
    ] = False

    @property
    def needs_attention(self) -> bool:
        """Whether somebody has to do something about it."""
        return (
            self.state is not WaiverState.IN_FORCE or self.ends_soon or bool(self.found.get("pass"))
        )

    @property
    def summary(self) -> str:
        """What became of it, in a clause."""
        failing, passing = self.found.get("fail", 0), self.found.get("pass", 0)
        others = sum(self.found.values()) - failing - passing
        match self.state:
            case WaiverState.EXPIRED:
                again = (
                    f"{counted(failing, 'failure')} no longer covered"
                    if failing
                    else "nothing fails"
                )
                return f"expired on {self.waiver.expires}; {again}"
            case WaiverState.UNMATCHED if not self.matched:
                return "no host of this run matches its pattern"
            case WaiverState.UNMATCHED:
                return f"{self.waiver.control} was not evaluated on the hosts that it names"
            case WaiverState.NOT_NEEDED if others:
                return f"nothing to waive: pass on {passing:,}, not proven on {others:,}"
            case WaiverState.NOT_NEEDED:
                return f"nothing to waive: pass on {counted(passing, 'host')}; remove it"
            case WaiverState.IN_FORCE:
                also = f", not needed on {counted(passing, 'host')}" if passing else ""
                soon = f"; expires soon, on {self.waiver.expires}" if self.ends_soon else ""
                return f"covers {counted(failing, 'failure')}{also}{soon}"
