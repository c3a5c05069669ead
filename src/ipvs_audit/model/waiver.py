"""A waiver, and what became of it in a run: plain data, which reports carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from ipvs_audit.model.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Waiver:
    """One entry of the file.

    Attributes:
        place: ``file:line`` of the entry.
        hosts: an Ansible host pattern.
        control: a control's id.
        justification, ticket, approver: why, where it was decided, by whom.
        expires: the last day on which it holds, UTC, ISO 8601.
    """

    place: str
    hosts: str
    control: str
    justification: str
    ticket: str
    approver: str
    expires: str

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


class State(StrEnum):
    """What became of a waiver in a run. The values are those of results.json."""

    IN_FORCE = "in force"
    EXPIRED = "expired"
    UNMATCHED = "matches nothing"
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True)
class Account:
    """A waiver, and what it did in a run.

    Attributes:
        waiver: the waiver.
        state: what became of it.
        matched: hosts of the run that its pattern selects.
        found: what its control came out as on those hosts: raw verdict -> hosts.
        ends_soon: it holds, and ends within the days that were asked to be warned of.
    """

    waiver: Waiver
    state: State
    matched: int
    found: Mapping[str, int] = field(default_factory=dict)
    ends_soon: bool = False

    @property
    def remarkable(self) -> bool:
        """Whether somebody has to do something about it."""
        return self.state is not State.IN_FORCE or self.ends_soon or bool(self.found.get("pass"))

    @property
    def said(self) -> str:
        """What became of it, in a clause."""
        failing, passing = self.found.get("fail", 0), self.found.get("pass", 0)
        others = sum(self.found.values()) - failing - passing
        match self.state:
            case State.EXPIRED:
                again = (
                    f"{counted(failing, 'failure')} no longer covered"
                    if failing
                    else "nothing fails"
                )
                return f"expired on {self.waiver.expires}; {again}"
            case State.UNMATCHED if not self.matched:
                return "no host of this run matches its pattern"
            case State.UNMATCHED:
                return f"{self.waiver.control} was not judged on the hosts that it names"
            case State.NOT_NEEDED if others:
                return f"nothing to waive: pass on {passing:,}, not proven on {others:,}"
            case State.NOT_NEEDED:
                return f"nothing to waive: pass on {counted(passing, 'host')}; remove it"
            case State.IN_FORCE:
                also = f", not needed on {counted(passing, 'host')}" if passing else ""
                soon = f"; ends soon, on {self.waiver.expires}" if self.ends_soon else ""
                return f"covers {counted(failing, 'failure')}{also}{soon}"
