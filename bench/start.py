"""What people wait for before anything is audited: CPU time, beside an empty pytest run.

    make bench-start [PAIRS=5]

Each command and an empty pytest run without plugins take turns; the median of the ratios counts, so
that other work on the machine weighs on both. Each runs once before that: Python then has compiled
what it imports, as it has for whoever installed it or ran it before.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from ipvs_audit.model.text import counted
from loopback_fleet import quiet_environment
from timing import Goal, cpu, given, goals, in_turn, run, table

_BIN = Path(sys.executable).parent
#: What is typed -> its arguments, its exit codes, at most how many times an empty pytest run.
COMMANDS: dict[str, tuple[list[str], tuple[int, ...], float]] = {
    "ipvs-audit --help": (["--help"], (0,), 2.0),
    "ipvs-audit audit --help": (["audit", "--help"], (0,), 2.0),
    "an option mistyped": (["audit", "--inventroy=hosts.yml"], (4,), 2.0),
    "an inventory mistyped": (["audit", "--inventory", "no-such.yml"], (4,), 2.0),
    "an audit of this machine": (["audit"], (0, 1), 2.5),
}


def main(pairs: int) -> int:
    """Measure; 0 whatever the figures are, unless a program fails."""
    rows, found = [], []
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        (room / "test_empty.py").write_text("def test_nothing():\n    pass\n")
        quiet = quiet_environment()
        quiet.pop("PYTHONDONTWRITEBYTECODE", None)
        plain = quiet | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        empty = [_BIN / "pytest", "-q", "-c", "/dev/null", "--rootdir", room, room]

        nothing = partial(run, empty, cwd=room, env=plain)
        for typed, (words, codes, most) in COMMANDS.items():
            command = [_BIN / "ipvs-audit", *words]

            ours = partial(run, command, cwd=room, env=quiet, expect=codes)
            nothing(), ours()
            took = in_turn(pairs, ours, nothing, typed)
            rows.append([typed, *took.cells(cpu)])
            found.append(Goal(typed, took.times(cpu), "<=", most))
    table(
        f"Start-up, medians of {counted(pairs, 'pair')}",
        ["", "CPU s", "an empty pytest, CPU s", "times", "pairs"],
        rows,
    )
    goals("start", "Start-up: times an empty pytest", found)
    return 0


if __name__ == "__main__":
    sys.exit(main(given("PAIRS", 5)))
