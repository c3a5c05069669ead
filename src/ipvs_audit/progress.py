"""How far the collecting has come: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines where there is no terminal to draw on.
LINE_EVERY = 5.0

Tell = Callable[[Snapshot | Failure], None]


class Progress:
    """Tells a person how the collecting goes."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def over(self, total: int) -> Iterator[Tell]:
        """Follow that many hosts; call what it gives with each one that is done."""
        drawing = self._bar(total) if self.console.is_terminal else self._lines(total)
        with drawing as tell:
            yield tell

    @contextmanager
    def _bar(self, total: int) -> Iterator[Tell]:
        failed = 0
        with Bar(
            TextColumn("collecting"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("hosts, {task.fields[failed]} unreachable,"),
            TextColumn("{task.fields[rate]:.1f}/s,"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        ) as bar:
            task = bar.add_task("", total=total, failed=0, rate=0.0)
            start = time.monotonic()
            done = 0

            def tell(taken: Snapshot | Failure) -> None:
                nonlocal failed, done
                done += 1
                failed += isinstance(taken, Failure)
                rate = done / max(time.monotonic() - start, 1e-3)
                bar.update(task, advance=1, failed=failed, rate=rate)

            yield tell

    @contextmanager
    def _lines(self, total: int) -> Iterator[Tell]:
        start = last = time.monotonic()
        done = failed = 0

        def tell(taken: Snapshot | Failure) -> None:
            nonlocal done, failed, last
            done += 1
            failed += isinstance(taken, Failure)
            now = time.monotonic()
            if now - last >= LINE_EVERY:
                last = now
                rate = done / max(now - start, 1e-3)
                self._line(
                    f"collecting: {done} of {total} hosts, {failed} unreachable,"
                    f" {rate:.1f} hosts/s, about {(total - done) / rate:.0f} s left"
                )

        yield tell
        seconds = time.monotonic() - start
        self._line(f"collected {done} of {total} hosts in {seconds:.1f} s, {failed} unreachable")

    def _line(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
