"""What the operator sees and is asked while several threads change hosts."""

from __future__ import annotations

import queue
import time
from concurrent.futures import Future
from enum import StrEnum
from typing import TYPE_CHECKING

from ipvs_audit.model.limits import SIGN_OF_LIFE
from ipvs_audit.model.sanitise import one_line
from ipvs_audit.model.text import duration, some_of
from ipvs_audit.remedy.plan_text import MAX_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ipvs_audit.model.stop_request import StopRequest


class Phase(StrEnum):
    """What is being done to a host. The values are what an operator reads."""

    CHANGING = "changing"
    PLANNING_AGAIN = "planning again"
    ASKING = "waiting for an answer"
    VERIFYING = "verifying"
    REVERTING = "reverting"
    ROLLING_BACK = "rolling back"
    COLLECTING = "collecting again"

    @property
    def reverted_when_late(self) -> bool:
        """Whether it is cut off when a stop was requested, so that time is left to revert it."""
        return self in (Phase.CHANGING, Phase.VERIFYING)


class Operator:
    """Tells how it goes and asks, in the main thread only: there Ctrl-C ends a question.

    While a question waits for its answer, the lines of other hosts wait too.

    Attributes:
        stop: whether the run was asked to end.
    """

    def __init__(
        self,
        stop: StopRequest,
        tell: Callable[[str], None] = lambda _: None,
        ask: Callable[[str], bool] | None = None,
    ) -> None:
        """Keep what is needed; tell nothing yet.

        Args:
            stop: once it is requested, nothing is asked any more.
            tell: prints a line.
            ask: asks a yes/no question; None where nobody can be asked.
        """
        self.stop = stop
        self._tell = tell
        self._ask = ask
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._phases: dict[str, tuple[Phase, float]] = {}
        self._last = time.monotonic()

    @property
    def can_be_asked(self) -> bool:
        """Whether there is somebody to ask."""
        return self._ask is not None

    def tell(self, line: str) -> None:
        """Show a line; from any thread."""
        self._waiting.put(lambda: self._show(line))

    def phase(self, host: str, phase: Phase) -> None:
        """A host comes to a phase; from any thread."""
        self._phases[host] = phase, time.monotonic()
        self.tell(f"  {one_line(host)}: {phase}")

    def done(self, host: str, line: str) -> None:
        """A host is done; from any thread."""
        self._phases.pop(host, None)
        self.tell(line)

    def phase_of(self, host: str) -> Phase | None:
        """What is being done to a host; None for nothing."""
        return self._phases.get(host, (None, 0.0))[0]

    def wake(self) -> None:
        """End :meth:`serve` before its time; from any thread."""
        self._waiting.put(lambda: None)

    def ask(self, about: Iterable[str], question: str) -> bool:
        """Show lines and ask; from any thread but the main one, which must be in :meth:`serve`."""
        answer: Future[bool] = Future()

        def answered() -> None:
            try:
                answer.set_result(self._answer(about, question))
            except Exception as fault:  # noqa: BLE001  # the host's thread deals with it
                answer.set_exception(fault)

        self._waiting.put(answered)
        return answer.result()

    def serve(self, seconds: float) -> None:
        """Show and ask what waits, and name hosts under way that were silent for a while.

        Called in the main thread, again and again. Gives back after so many seconds at most, but
        for a question.
        """
        try:
            self._waiting.get(timeout=seconds)()
            while True:
                self._waiting.get_nowait()()
        except queue.Empty:
            pass
        now = time.monotonic()
        if now - self._last >= SIGN_OF_LIFE and (phases := dict(self._phases)):
            self._show(_under_way(phases, now))

    def _show(self, line: str) -> None:
        self._last = time.monotonic()
        self._tell(line)

    def _answer(self, about: Iterable[str], question: str) -> bool:
        if self._ask is None or self.stop.requested:
            return False
        try:
            with self.stop.interruptible():
                for line in about:
                    self._show(line)
                return self._ask(question)
        except KeyboardInterrupt:
            self.stop.request()
            return False
        finally:
            self._last = time.monotonic()


def _under_way(phases: dict[str, tuple[Phase, float]], now: float) -> str:
    """The hosts that take longest, and what is being done to them."""
    oldest = sorted(phases, key=lambda host: phases[host][1])
    each = [
        f"{one_line(host)} {phases[host][0]} for {duration(max(1, round(now - phases[host][1])))}"
        for host in oldest
    ]
    return f"  under way: {some_of(each, MAX_NAMES)}"
