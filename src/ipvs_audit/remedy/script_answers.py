r"""The answers of the script that changes a host: what became of each step, and notes on the whole.

>>> parse(b"00 step 1 written\n00 note stale took over\n00 end 9\n", "00").steps[0].outcome.value
'written'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ipvs_audit.model.limits import ANSWER_TEXT_LIMIT

_LINE = re.compile(r"(step ([0-9]{1,6})|note) ([a-z]{1,16})(?: (.*))?")
_END = re.compile(r"end ([0-9]{1,6})")


class StepOutcome(StrEnum):
    """What became of a step. The values are the words of the script, and the journal's."""

    WRITTEN = "written"  # a file
    SET = "set"  # a running value
    RESTORED = "restored"  # a file, by undoing
    ALREADY = "already"  # nothing had to be done
    GONE = "gone"  # the namespace has ended
    CHANGED = "changed"  # somebody else changed it since the plan was made
    REFUSED = "refused"  # the host does not allow it, or undoing would lose somebody's edit
    FAILED = "failed"

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for the step."""
        return self not in (StepOutcome.CHANGED, StepOutcome.REFUSED, StepOutcome.FAILED)

    @property
    def changed_host(self) -> bool:
        """Whether the step has changed the host."""
        return self in (StepOutcome.WRITTEN, StepOutcome.SET)


class NoteKind(StrEnum):
    """What a note on the whole tells. The values are the words of the script."""

    LOCKED = "locked"  # another run is at work on the host
    BLOCKED = "blocked"  # the host lacks what the script needs
    FAILED = "failed"
    STALE = "stale"  # the lock of a run that has ended was taken over
    STOPPED = "stopped"  # the time was up between two steps
    UNCHANGED = "unchanged"  # nothing was changed, and nothing is kept
    NOTHING = "nothing"  # the host holds no change of the run to undo

    @property
    def prevented(self) -> bool:
        """Whether it says why something was not done."""
        return self in (NoteKind.LOCKED, NoteKind.BLOCKED, NoteKind.FAILED)


_NOTES = {kind.value: kind for kind in NoteKind}


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What became of one step.

    Attributes:
        number: of the step, from 1.
        outcome: as the script says it; a word that it does not know counts as failed.
        text: the rest, for people.
    """

    number: int
    outcome: StepOutcome
    text: str = ""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.text}" if self.text else str(self.outcome)


@dataclass(frozen=True, slots=True)
class Note:
    """What concerns the whole run of the script."""

    kind: NoteKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What a run of the script on a host gave.

    Attributes:
        steps: in the order in which they were done.
        notes: in order.
        complete: whether the script came to its end.
        points: how many points of interruption it passed; for the fault sweep.
    """

    steps: tuple[StepAnswer, ...] = ()
    notes: tuple[Note, ...] = ()
    complete: bool = False
    points: int = 0

    def step(self, number: int) -> StepAnswer | None:
        """What became of a step; None where the script did not come to it."""
        return next((one for one in self.steps if one.number == number), None)

    def has_note(self, kind: NoteKind) -> bool:
        """Whether there is a note of that kind."""
        return any(note.kind is kind for note in self.notes)

    @property
    def unsettled(self) -> tuple[StepAnswer, ...]:
        """The steps for which something is left to do."""
        return tuple(one for one in self.steps if not one.outcome.settled)

    @property
    def plan_outdated(self) -> bool:
        """Whether nothing was done because the host has changed since the plan was made."""
        changed = any(one.outcome is StepOutcome.CHANGED for one in self.steps)
        return self.complete and changed and self.has_note(NoteKind.UNCHANGED)

    @property
    def undo_complete(self) -> bool:
        """Whether undoing came to its end with nothing left to undo."""
        prevented = any(note.kind.prevented for note in self.notes)
        return self.complete and not self.unsettled and not prevented

    @property
    def problem(self) -> str:
        """What went wrong, for people; empty for nothing."""
        texts = [note.text for note in self.notes if note.kind.prevented]
        texts += [one.text for one in self.unsettled if one.text not in texts]
        if not self.complete and not texts:
            texts = ["the script on the host did not finish"]
        return "; ".join(texts[:5])


def parse(stdout: bytes, nonce: str) -> ScriptResult:
    """The answers; lines without the nonce, or not of their form, are passed over."""
    steps: list[StepAnswer] = []
    notes: list[Note] = []
    complete, points = False, 0
    for line in stdout.decode("utf-8", "backslashreplace").split("\n"):
        mark, _, rest = line.partition(" ")
        if mark != nonce:
            continue
        if (end := _END.fullmatch(rest)) is not None:
            complete, points = True, int(end[1])
        elif (found := _LINE.fullmatch(rest)) is not None:
            word, text = found[3], (found[4] or "")[:ANSWER_TEXT_LIMIT]
            if found[2] is not None:
                steps.append(_step_answer(int(found[2]), word, text))
            elif word in _NOTES:
                notes.append(Note(_NOTES[word], text))
    return ScriptResult(tuple(steps), tuple(notes), complete, points)


def _step_answer(number: int, word: str, text: str) -> StepAnswer:
    try:
        return StepAnswer(number, StepOutcome(word), text)
    except ValueError:
        return StepAnswer(number, StepOutcome.FAILED, f"unknown answer {word}: {text}")
