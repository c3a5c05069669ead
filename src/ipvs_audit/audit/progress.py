"""How far the collecting has come: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipvs_audit.model.text import counted, duration
from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines where there is no terminal to draw on.
LINE_EVERY = 5.0
#: Seconds before the time left is told: until then most hosts wait for their second sample.
FORESEEN_AFTER = 10.0

OnDone = Callable[[Snapshot | Failure], None]
#: Whether a host fails a check; None where that is not known here.
Fails = Callable[[Snapshot | Failure], bool | None]


@dataclass(slots=True)
class Tally:
    """Hosts that are done, of how many, since when.

    Attributes:
        total: hosts in all.
        started: when, by the monotonic clock, in seconds.
        done: hosts that are done.
        unreachable: hosts of which there is no evidence.
        failing: other hosts that fail a check; None while that is not known of any.
    """

    total: int
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    unreachable: int = 0
    failing: int | None = None

    def count(self, evidence: Snapshot | Failure, *, fails: bool | None = None) -> None:
        """One more host is done."""
        self.done += 1
        if isinstance(evidence, Failure):
            self.unreachable += 1
        elif fails is not None:
            self.failing = (self.failing or 0) + fails

    @property
    def wrong(self) -> str:
        """The hosts that are not as they should be, in words."""
        failing = "" if self.failing is None else f"{self.failing} failing, "
        return f"{failing}{self.unreachable} unreachable"

    def rate(self, now: float) -> float:
        """Hosts a second."""
        return self.done / max(now - self.started, 1e-3)

    def line(self, now: float) -> str:
        """How far it is, in words."""
        rate = self.rate(now)
        still = self.total - self.done
        foreseen = rate and still and now - self.started >= FORESEEN_AFTER
        left = f", about {duration(round(still / rate))} left" if foreseen else ""
        whole = counted(self.total, "host")
        return f"collecting: {self.done} of {whole}, {self.wrong}, {rate:.1f} hosts/s{left}"

    def end(self, now: float) -> str:
        """What came of it, in words."""
        whole = counted(self.total, "host")
        return f"collected {self.done} of {whole} in {duration(now - self.started)}, {self.wrong}"


class Progress:
    """Tells a person how the collecting goes."""

    def __init__(self, console: Console, fails: Fails = lambda _: None) -> None:
        self.console = console
        self._fails = fails

    @contextmanager
    def track(self, total: int) -> Iterator[OnDone]:
        """Follow that many hosts; call what it gives with each one that is done."""
        drawing = self._bar(total) if self.console.is_terminal else self._lines(total)
        with drawing as tell:
            yield tell

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def _bar(self, total: int) -> Iterator[OnDone]:
        from rich import progress  # noqa: PLC0415  # not where there is no terminal

        with progress.Progress(
            progress.TextColumn("collecting"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("hosts, {task.fields[wrong]},"),
            progress.TextColumn("{task.fields[rate]:.1f}/s,"),
            progress.TimeRemainingColumn(),
            console=self.console,
            transient=True,
        ) as bar:
            tally = Tally(total)
            task = bar.add_task("", total=total, wrong=tally.wrong, rate=0.0)

            def tell(evidence: Snapshot | Failure) -> None:
                tally.count(evidence, fails=self._fails(evidence))
                rate = tally.rate(time.monotonic())
                bar.update(task, advance=1, wrong=tally.wrong, rate=rate)

            yield tell

    @contextmanager
    def _lines(self, total: int) -> Iterator[OnDone]:
        tally = Tally(total)
        last = tally.started

        def tell(evidence: Snapshot | Failure) -> None:
            nonlocal last
            tally.count(evidence, fails=self._fails(evidence))
            now = time.monotonic()
            if now - last >= LINE_EVERY:
                last = now
                self.say(tally.line(now))

        yield tell
        self.say(tally.end(time.monotonic()))
