"""Runs the script that changes a host, and reads its answers."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.remedy import script
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.transport import Connection

_OUTPUT = 1024 * 1024
_TEXT = 300
_LINE = re.compile(r"(step) ([0-9]{1,6}) ([a-z]{1,16})(?: (.*))?|(note) ([a-z]{1,16})(?: (.*))?")

#: Words of a step after which its target is as the plan wants it, or needs nothing.
GOOD = frozenset({"written", "set", "already", "gone", "restored"})
#: Words of a note that tells why nothing was done.
HINDERED = frozenset({"locked", "blocked", "failed"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one step, or a note on the whole (``number`` 0).

    Attributes:
        number: of the step, from 1.
        word: ``written``, ``set``, ``already``, ``gone``, ``restored``; ``changed`` (not what the
            plan was made from), ``refused``, ``failed``; of a note ``locked``, ``blocked``,
            ``failed``, ``stale``, ``stopped``, ``nothing`` or ``untouched``.
        text: the rest, for people.
    """

    number: int
    word: str
    text: str

    @property
    def good(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.word in GOOD


@dataclass(frozen=True, slots=True)
class Report:
    """What a script on a host said.

    Attributes:
        answers: in order.
        whole: whether it came to its end.
        points: how many points of interruption it passed; for the fault sweep.
    """

    answers: tuple[Answer, ...] = ()
    whole: bool = False
    points: int = 0

    def of(self, number: int) -> Answer | None:
        """What became of a step; None where it was not come to."""
        return next((one for one in self.answers if one.number == number), None)

    @property
    def notes(self) -> tuple[Answer, ...]:
        """What concerns the whole."""
        return tuple(one for one in self.answers if one.number == 0)

    @property
    def wrong(self) -> tuple[Answer, ...]:
        """The steps that did not end well."""
        return tuple(one for one in self.answers if one.number and not one.good)

    @property
    def outdated(self) -> bool:
        """Whether nothing was done because the plan was made from another state."""
        words = {one.word for one in self.answers}
        return self.whole and {"changed", "untouched"} <= words

    @property
    def undone(self) -> bool:
        """Whether an undoing came to its end with nothing left to take back."""
        hindered = any(one.word in HINDERED for one in self.notes)
        return self.whole and not self.wrong and not hindered

    @property
    def why(self) -> str:
        """What went wrong, in words; empty for nothing."""
        told = [one.text for one in self.answers if one.word in HINDERED]
        told += [one.text for one in self.wrong if one.text not in told]
        if not self.whole and not told:
            told = ["the script on the host did not come to its end"]
        return "; ".join(told[:5])


def apply(
    connection: Connection, plan: Plan, run: str, *, who: str, timeout: float, halt: int = 0
) -> Report:
    """Do a plan's steps on a host. Needs root there.

    Raises:
        TransportError: the connection was lost or the time was up: what was done is not known,
            and :func:`undo` or another look at the host tells.
        ValueError: a step cannot be put into a script.
    """
    nonce = secrets.token_hex(16)
    text = script.render_apply(run, plan.steps, who=who, nonce=nonce, halt=halt)
    return _run(connection, text, nonce, timeout)


def undo(
    connection: Connection, run: str, *, who: str, by: str, timeout: float, halt: int = 0
) -> Report:
    """Take back what a run did on a host, as far as nobody has changed it since. Needs root there.

    Args:
        connection: to the host.
        run: its id.
        who: undoes it.
        by: made it, as the controller's journal names who.
        timeout: in seconds.
        halt: a point at which the script kills itself; for tests.

    Raises:
        TransportError: the connection was lost; undoing again goes on where it stopped.
    """
    nonce = secrets.token_hex(16)
    text = script.render_undo(run, who=who, by=by, nonce=nonce, halt=halt)
    return _run(connection, text, nonce, timeout)


def _run(connection: Connection, text: bytes, nonce: str, timeout: float) -> Report:
    output = connection.run_script(text, timeout=timeout, max_output=_OUTPUT)
    report = parse(output.stdout, nonce)
    if not report.whole and not report.answers:
        said = output.stderr.decode("utf-8", "replace").strip()[-_TEXT:]
        raise TransportError("protocol", f"the script on the host was cut short: {said}")
    return report


def parse(stdout: bytes, nonce: str) -> Report:
    """The answers; lines without the nonce are passed over."""
    answers: list[Answer] = []
    whole, points = False, 0
    for line in stdout.decode("utf-8", "backslashreplace").split("\n"):
        mark, _, rest = line.partition(" ")
        if mark != nonce:
            continue
        if (end := re.fullmatch(r"end ([0-9]{1,6})", rest)) is not None:
            whole, points = True, int(end[1])
        elif (found := _LINE.fullmatch(rest)) is not None:
            if found[1]:
                answers.append(Answer(int(found[2]), found[3], (found[4] or "")[:_TEXT]))
            else:
                answers.append(Answer(0, found[6], (found[7] or "")[:_TEXT]))
    return Report(tuple(answers), whole, points)
