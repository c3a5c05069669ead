"""A program timed from outside, tables of such figures, and the goals that they are held to."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Where each part of the bench leaves its goals for ``summary.py``.
FOUND = Path(__file__).parents[1] / ".cache" / "bench"
#: No program here takes longer, unless it hangs.
LONGEST = 1200.0
#: What a program may print to say where its start-up ends: the monotonic clock, which all processes
#: share, and the CPU seconds that it has used by then.
_STARTED = re.compile(r"^started ([\d.]+) ([\d.]+)$", re.MULTILINE)
#: Sizes that were typed and are not the usual ones, as ``HOSTS=60``: see :func:`given`.
_TYPED: list[str] = []


@dataclass(frozen=True, slots=True)
class Measured:
    """What a program took.

    Attributes:
        seconds: from start to end.
        cpu: CPU seconds, user and system, of it and of the children that it waited for.
        working: of the seconds, those after it said that it has started: without its imports.
        working_cpu: of the CPU seconds, likewise.
        peak: peak memory of the largest process, MiB.
        status: exit status.
        output: what it printed.
    """

    seconds: float
    cpu: float
    working: float
    working_cpu: float
    peak: float
    status: int
    output: str


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    expect: tuple[int, ...] = (0,),
    longest: float = LONGEST,
) -> Measured:
    """Run a program to its end.

    Raises:
        RuntimeError: its exit status is none of those expected; says what it printed last.
    """
    said = cwd / f"said-{time.monotonic_ns()}"
    start = time.perf_counter()
    with said.open("wb") as out:
        process = subprocess.Popen(
            ["timeout", "-k", "5", str(longest), *map(str, command)],
            cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:  # Ctrl-C does not reach it: timeout(1) has a group of its own
            process.terminate()
            process.wait(10)
            raise
    end = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    output = said.read_text("utf-8", "replace")
    if process.returncode not in expect:
        raise RuntimeError(f"{command[0]}: exit {process.returncode}: {output[-2000:]}")
    cpu = used.ru_utime + used.ru_stime
    began, spent = start, 0.0
    if (said_so := _STARTED.search(output)) is not None:
        began, spent = float(said_so[1]), float(said_so[2])
    return Measured(
        seconds=end - start,
        cpu=cpu,
        working=end - began,
        working_cpu=cpu - spent,
        peak=used.ru_maxrss / 1024,
        status=process.returncode,
        output=output,
    )


def say_started() -> None:
    """To be called by a measured program where its start-up ends."""
    print(f"started {time.perf_counter():.3f} {time.process_time():.3f}", flush=True)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table to stdout."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, and what it is held to.

    Attributes:
        what: what was measured, with its unit, e.g. ``peak memory, MB``.
        found: the figure.
        sign: ``<=`` or ``>=``.
        want: the goal.
    """

    what: str
    found: float
    sign: str
    want: float

    @property
    def met(self) -> bool:
        """Whether the figure is as it shall be."""
        return self.found <= self.want if self.sign == "<=" else self.found >= self.want

    @property
    def cells(self) -> list[str]:
        """For a row of a table."""
        digits = 0 if self.found >= 100 else 2
        return [
            self.what,
            f"{self.found:,.{digits}f}",
            f"{self.sign} {self.want:,g}",
            "met" if self.met else "**missed**",
        ]


def goals(part: str, title: str, found: Sequence[Goal]) -> None:
    """Print goals, and keep them for the table of all parts; of which size, where it was typed."""
    of = f" ({' '.join(_TYPED)})" if _TYPED else ""
    shown = [replace(each, what=each.what + of) for each in found]
    table(title, ["", "found", "goal", ""], [each.cells for each in shown])
    FOUND.mkdir(parents=True, exist_ok=True)
    (FOUND / f"{part}.json").write_text(json.dumps([asdict(each) for each in shown]))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two programs that took turns, so that other work on the machine weighs on both."""

    ours: list[Measured]
    theirs: list[Measured]

    def times(self, of: Callable[[Measured], float]) -> float:
        """The median of what ours took as often as theirs, pair by pair."""
        both = zip(self.ours, self.theirs, strict=True)
        return statistics.median(of(one) / of(other) for one, other in both)

    def median(self, of: Callable[[Measured], float]) -> float:
        """What ours took."""
        return statistics.median(map(of, self.ours))

    def cells(self, of: Callable[[Measured], float]) -> list[str]:
        """The medians of both, for a table; each pair's ratio, lowest and highest."""
        both = zip(self.ours, self.theirs, strict=True)
        ratios = [of(one) / of(other) for one, other in both]
        return [
            f"{self.median(of):.2f}",
            f"{statistics.median(map(of, self.theirs)):.2f}",
            f"{self.times(of):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        ]


def cpu(took: Measured) -> float:
    """CPU seconds: other work on the machine weighs less on them than on the clock."""
    return took.cpu


def in_turn(
    pairs: int,
    ours: Callable[[], Measured],
    theirs: Callable[[], Measured],
    what: str,
    of: Callable[[Measured], float] = cpu,
) -> Pairs:
    """Run two programs one after the other, that many times; tell after each what ``of`` says."""
    found = Pairs([], [])
    for number in range(1, pairs + 1):
        found.theirs.append(theirs())
        found.ours.append(ours())
        times = of(found.ours[-1]) / of(found.theirs[-1])
        note(f"{what}, pair {number} of {pairs}: {times:.2f} times the CPU")
    return found


def given(name: str, default: int) -> int:
    """What was typed, as in ``make bench-judge HOSTS=1000``: make hands it on.

    What is no whole number, 1 or more, ends the program with exit status 1, and says so.
    """
    typed = os.environ.get(name) or str(default)
    if not (typed.isdecimal() and int(typed) > 0):
        sys.exit(f"{name}={typed}: must be a whole number, 1 or more (default {default})")
    if int(typed) != default:
        _TYPED.append(f"{name}={typed}")
    return int(typed)


def note(text: str) -> None:
    """Tell who waits what is going on."""
    print(text, file=sys.stderr, flush=True)
