"""The oracle's count, and its words for a mismatch, said at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.oracle.trial import Seen


class Tally:
    """Counts tries by kernel and kind, and keeps the mismatches."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tries: Counter[tuple[str, str]] = Counter()
        self.silent: Counter[tuple[str, str]] = Counter()
        self.mismatches: list[tuple[str, Seen]] = []

    def add(self, kernel: str, seen: Seen) -> None:
        """Count one try."""
        self.tries[kernel, seen.what] += 1
        if seen.said.value is None:
            self.silent[kernel, seen.what] += 1
        if seen.wrong:
            self.mismatches.append((kernel, seen))
            print(f"{kernel}: {self.explain(seen)}", flush=True)

    def of(self, kernel: str) -> list[Seen]:
        """A kernel's mismatches, one for each kind of try first."""
        found = [seen for on, seen in self.mismatches if on == kernel]
        kinds: dict[str, list[Seen]] = {}
        for seen in found:
            kinds.setdefault(seen.what, []).append(seen)
        longest = max(map(len, kinds.values()), default=0)
        return [
            ones[place] for place in range(longest) for ones in kinds.values() if place < len(ones)
        ]

    def line(self, kernel: str, seconds: float) -> str:
        """Where a kernel stands."""
        tries = sum(count for (on, _), count in self.tries.items() if on == kernel)
        wrong = len(self.of(kernel))
        return f"{tries} tries in {seconds:.0f} s, {wrong} mismatches"

    def summary(self) -> str:
        """A line for each kernel and kind of try, and the way to repeat the run."""
        lines = [f"seed {self.seed}"]
        for (kernel, what), count in sorted(self.tries.items()):
            wrong = sum(on == kernel and seen.what == what for on, seen in self.mismatches)
            silent = self.silent[kernel, what]
            lines.append(
                f"{kernel:5} {what:22} {count:5} tried, {wrong:4} mismatches, {silent:4} unsaid"
            )
        return "\n".join(lines)

    def explain(self, seen: Seen) -> str:
        """A mismatch with its tree: enough to make a scenario of it."""
        lines = [
            f"mismatch: seed {self.seed} case {seen.case.number} {seen.what}: {seen.wrong}",
            f"  the model: {seen.said.why}",
            f"  modprobe {seen.case.trigger}, exit status {seen.status}",
        ]
        lines += [f"  {path}: {text!r}" for path, text in sorted(seen.case.files.items())]
        lines += [f"  {path} -> {target}" for path, target in sorted(seen.case.links.items())]
        return "\n".join(lines)
