"""How long ``make check`` and ``make test`` take by the clock; more than half an hour.

    make bench-tests

Not part of make bench. Minutes, on two cores, with nothing else at work.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from loopback_fleet import ROOT
from timing import Goal, goals, note, run


def main() -> int:
    """Measure; 0 unless tests fail."""
    found = []
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        for target, most in (("check", 3), ("test", 30)):
            took = run(
                ["make", "-C", ROOT, target], cwd=Path(name), env=dict(os.environ), longest=7200
            )
            note(f"make {target}: {took.seconds:.0f} s")
            found.append(Goal(f"make {target}, minutes", took.seconds / 60, "<=", most))
    goals("tests", "Tests: goals", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
