"""A program timed from outside, and tables of such figures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: No program here takes longer, unless it hangs.
LONGEST = 1200.0
#: What a program may print to say where its start-up ends: the monotonic clock, which all processes
#: share, and the CPU seconds that it has used by then.
_STARTED = re.compile(r"^started ([\d.]+) ([\d.]+)$", re.MULTILINE)


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
) -> Measured:
    """Run a program to its end.

    Raises:
        RuntimeError: its exit status is none of those expected; says what it printed last.
    """
    said = cwd / f"said-{time.monotonic_ns()}"
    start = time.perf_counter()
    with said.open("wb") as out:
        process = subprocess.Popen(
            ["timeout", "-k", "5", str(LONGEST), *map(str, command)],
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


def goal(met: bool) -> str:
    """As the tables say it."""
    return "met" if met else "**missed**"


def note(text: str) -> None:
    """Tell who waits what is going on."""
    print(text, file=sys.stderr, flush=True)
