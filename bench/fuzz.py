"""Throws random input at each parser of configuration: 100,000 examples or ten minutes on each.

    make fuzz [EXAMPLES=100000] [SECONDS=600]

The properties are those of tests/persistence/test_persistence_crash.py, and hold here too.
Prints examples, seconds and failures for each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, seed, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/persistence"))

import test_persistence_crash as properties

ROUND = 2_000


def main(examples: int, seconds: float) -> int:
    """Fuzz every property of the module; 1 where one of them failed."""
    tests = {name: test for name, test in vars(properties).items() if hasattr(test, "hypothesis")}
    failed = 0
    for name, test in tests.items():
        done, count, start = 0, 0, time.monotonic()
        inner = test.hypothesis.inner_test

        def counted(*given: object, inner: object = inner, **named: object) -> None:
            nonlocal count
            count += 1
            inner(*given, **named)  # type: ignore[operator]

        test.hypothesis.inner_test = counted
        said = "no failure"
        bounded = settings(
            max_examples=ROUND,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(test)
        while count < examples and time.monotonic() - start < seconds:
            done += 1
            try:
                seed(done)(bounded)()
            except Exception as wrong:  # noqa: BLE001  # it is what is looked for
                failed, said = 1, f"FAILED with seed {done}: {wrong!r}"
                break
        print(f"{name}: {count} examples in {time.monotonic() - start:.0f} s, {said}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))
