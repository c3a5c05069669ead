"""How far the collecting has come: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines where there is no terminal to draw on.
LINE_EVERY = 5.0

Tell = Callable[[Snapshot | Failure], None]


@dataclass(slots=True)
class Tally:
    """Hosts that are done, of how many, since when."""

    total: int
    begun: float = field(default_factory=time.monotonic)
    done: int = 0
    unreachable: int = 0

    def count(self, taken: Snapshot | Failure) -> None:
        """One more host is done."""
        self.done += 1
        self.unreachable += isinstance(taken, Failure)

    def rate(self, now: float) -> float:
        """Hosts a second."""
        return self.done / max(now - self.begun, 1e-3)

    def line(self, now: float) -> str:
        """Where it stands, in words."""
        rate = self.rate(now)
        left = f", about {(self.total - self.done) / rate:.0f} s left" if rate else ""
        return (
            f"collecting: {self.done} of {self.total} hosts, {self.unreachable} unreachable,"
            f" {rate:.1f} hosts/s{left}"
        )

    def end(self, now: float) -> str:
        """What came of it, in words."""
        seconds = now - self.begun
        return (
            f"collected {self.done} of {self.total} hosts in {seconds:.1f} s,"
            f" {self.unreachable} unreachable"
        )


class Progress:
    """Tells a person how the collecting goes.

    How many hosts fail is not known before they are judged: pytest's own progress shows that.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def over(self, total: int) -> Iterator[Tell]:
        """Follow that many hosts; call what it gives with each one that is done."""
        drawing = self._bar(total) if self.console.is_terminal else self._lines(total)
        with drawing as tell:
            yield tell

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def _bar(self, total: int) -> Iterator[Tell]:
        with Bar(
            TextColumn("collecting"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("hosts, {task.fields[unreachable]} unreachable,"),
            TextColumn("{task.fields[rate]:.1f}/s,"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        ) as bar:
            tally = Tally(total)
            task = bar.add_task("", total=total, unreachable=0, rate=0.0)

            def tell(taken: Snapshot | Failure) -> None:
                tally.count(taken)
                rate = tally.rate(time.monotonic())
                bar.update(task, advance=1, unreachable=tally.unreachable, rate=rate)

            yield tell

    @contextmanager
    def _lines(self, total: int) -> Iterator[Tell]:
        tally = Tally(total)
        last = tally.begun

        def tell(taken: Snapshot | Failure) -> None:
            nonlocal last
            tally.count(taken)
            now = time.monotonic()
            if now - last >= LINE_EVERY:
                last = now
                self.say(tally.line(now))

        yield tell
        self.say(tally.end(time.monotonic()))
