"""The oracle's count, and its report of each mismatch, printed at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.oracle.trial import TrialResult


class Tally:
    """Counts tries by kernel and kind, and keeps the mismatches."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tries: Counter[tuple[str, str]] = Counter()
        self.unpredicted: Counter[tuple[str, str]] = Counter()
        self.mismatches: list[tuple[str, TrialResult]] = []

    def add(self, kernel: str, result: TrialResult) -> None:
        """Count one try."""
        self.tries[kernel, result.what] += 1
        if result.expected.value is None:
            self.unpredicted[kernel, result.what] += 1
        if result.mismatch:
            self.mismatches.append((kernel, result))
            print(f"{kernel}: {self.explain(result)}", flush=True)

    def of(self, kernel: str) -> list[TrialResult]:
        """A kernel's mismatches, one for each kind of try first."""
        found = [result for on, result in self.mismatches if on == kernel]
        kinds: dict[str, list[TrialResult]] = {}
        for result in found:
            kinds.setdefault(result.what, []).append(result)
        longest = max(map(len, kinds.values()), default=0)
        return [
            ones[place] for place in range(longest) for ones in kinds.values() if place < len(ones)
        ]

    def line(self, kernel: str, seconds: float) -> str:
        """How far a kernel's trials are."""
        tries = sum(count for (on, _), count in self.tries.items() if on == kernel)
        mismatch = len(self.of(kernel))
        return f"{tries} tries in {seconds:.0f} s, {mismatch} mismatches"

    def summary(self) -> str:
        """A line for each kernel and kind of try, and the way to repeat the run."""
        lines = [f"seed {self.seed}"]
        for (kernel, what), count in sorted(self.tries.items()):
            mismatch = sum(on == kernel and result.what == what for on, result in self.mismatches)
            unpredicted = self.unpredicted[kernel, what]
            lines.append(
                f"{kernel:5} {what:22} {count:5} tried, {mismatch:4} mismatches, "
                f"{unpredicted:4} not predicted"
            )
        return "\n".join(lines)

    def explain(self, result: TrialResult) -> str:
        """A mismatch with its tree: enough to make a scenario of it."""
        lines = [
            f"mismatch: seed {self.seed} case {result.case.number}",
            f"  {result.what}: {result.mismatch}",
            f"  the model: {result.expected.why}",
            f"  modprobe {result.case.trigger}, exit status {result.status}",
        ]
        lines += [f"  {path}: {text!r}" for path, text in sorted(result.case.files.items())]
        lines += [f"  {path} -> {target}" for path, target in sorted(result.case.links.items())]
        return "\n".join(lines)
