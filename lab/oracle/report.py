"""The oracle's count, and its report of each mismatch, printed at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.oracle.trial import TrialResult


class Tally:
    """Counts tries by userland or kernel, and by kind, and keeps the mismatches."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tries: Counter[tuple[str, str]] = Counter()
        self.unpredicted: Counter[tuple[str, str]] = Counter()
        self.mismatches: list[tuple[str, TrialResult]] = []

    def add(self, where: str, result: TrialResult) -> None:
        """Count one try."""
        self.tries[where, result.what] += 1
        if result.expected.value is None and not result.expected.fault:
            self.unpredicted[where, result.what] += 1
        if result.mismatch:
            self.mismatches.append((where, result))
            print(f"{where}: {self.explain(result)}", flush=True)

    def of(self, where: str) -> list[TrialResult]:
        """The mismatches of one of them, one for each kind of try first."""
        found = [result for on, result in self.mismatches if on == where]
        kinds: dict[str, list[TrialResult]] = {}
        for result in found:
            kinds.setdefault(result.what, []).append(result)
        longest = max(map(len, kinds.values()), default=0)
        return [
            ones[place] for place in range(longest) for ones in kinds.values() if place < len(ones)
        ]

    def line(self, where: str, seconds: float) -> str:
        """How far its trials are."""
        tries = sum(count for (on, _), count in self.tries.items() if on == where)
        mismatch = len(self.of(where))
        return f"{tries} tries in {seconds:.0f} s, {mismatch} mismatches"

    def summary(self) -> str:
        """A line for each userland or kernel and each kind of try; the seed repeats them."""
        lines = [f"seed {self.seed}"]
        for (where, what), count in sorted(self.tries.items()):
            mismatch = sum(on == where and result.what == what for on, result in self.mismatches)
            unpredicted = self.unpredicted[where, what]
            lines.append(
                f"{where:14} {what:14} {count:5} tried, {mismatch:4} mismatches, "
                f"{unpredicted:4} not predicted ({unpredicted / count:.0%})"
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
        lines += [f"  {path}: {text!r:.400}" for path, text in sorted(result.case.files.items())]
        lines += [f"  {path} -> {target}" for path, target in sorted(result.case.links.items())]
        return "\n".join(lines)
