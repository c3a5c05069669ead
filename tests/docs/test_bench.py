"""What ``make bench`` and its parts print, without what they measure."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

BENCH = ROOT / "bench"


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module of that name, as a part of the bench begins with it."""
    monkeypatch.syspath_prepend(BENCH)
    for name in ("timing", "summary", "judge", "collect", "sampling", "wall_clock"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import timing  # noqa: PLC0415

    monkeypatch.setattr(timing, "FOUND", tmp_path)
    return timing


@pytest.mark.parametrize("typed", ["0", "-1", "abc", "1.5", "\u00b2"])
def test_a_size_that_cannot_be_meant_is_refused_by_name(
    timing: ModuleType, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setenv("HOSTS", typed)
    with pytest.raises(SystemExit, match=f"HOSTS={typed}: must be a whole number, 1 or more"):
        timing.given("HOSTS", 400)


@pytest.mark.parametrize(("typed", "shown"), [("60", "s (HOSTS=60)"), ("2000", "s"), ("", "s")])
def test_a_small_run_does_not_pass_for_a_usual_one(
    timing: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    shown: str,
) -> None:
    import summary  # noqa: PLC0415  # found by the fixture

    monkeypatch.setattr(summary, "FOUND", timing.FOUND)
    monkeypatch.setenv("HOSTS", typed)
    timing.given("HOSTS", 2000)
    timing.goals("sampling", "", [timing.Goal("s", 5.88, "<=", 30)])
    capsys.readouterr()
    summary.main()
    rows = [
        line.strip("| ").split(" | ")
        for line in capsys.readouterr().out.splitlines()
        if "sampled" in line
    ]
    assert [row[1:5] for row in rows] == [[shown, "5.88", "<= 30", "met"]]


@pytest.mark.parametrize(
    ("hosts", "sizes"),
    [(10_000, [100, 1_000, 10_000]), (1_000, [100, 1_000]), (500, [100, 500])],
)
def test_judging_is_measured_once_for_each_size_and_of_no_more_hosts_than_asked_for(
    timing: ModuleType, hosts: int, sizes: list[int]
) -> None:
    import judge  # noqa: PLC0415  # found by the fixture

    assert timing
    assert judge.sizes(hosts) == sizes


def test_goals_of_near_and_far_hosts_are_told_apart_and_without_start_up(
    timing: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    import collect  # noqa: PLC0415  # found by the fixture
    import summary  # noqa: PLC0415
    import wall_clock  # noqa: PLC0415

    took = timing.Measured(2.0, 1.0, 1.5, 0.5, 90.0, 0, "")
    programs = (collect.OURS, collect.OPENSSH, collect.BARE, collect.PARALLEL, collect.XARGS)
    for part in ("near", "far"):
        collect.show(part, "", 10, dict.fromkeys(programs, took))
    one = timing.Measured(1.0, 0.5, 0.0, 0.0, 90.0, 0, "")
    others = {
        wall_clock.OURS: wall_clock.Took(one, took, 11),
        wall_clock.STOCK: wall_clock.Took(one, took, 2),
        wall_clock.ANSIBLE: wall_clock.Took(one, took, 6),
    }
    wall_clock.show({"near": others, "with 20 ms": others})
    capsys.readouterr()
    summary.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| coll")]
    told = [tuple(row.split(" | ")[:2]) for row in rows if "not measured" not in row]
    assert len(told) == len(set(told)) == 3 + 3 + 8
    less = [row.split(" | ")[2] for row in rows if "less CPU than" in row]
    assert less == ["10.00", "2.00"] * 2


def test_make_help_names_each_part() -> None:
    told = subprocess.run(
        ["make", "-C", ROOT, "help"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    usages = "".join(path.read_text().split('"""')[1] for path in BENCH.glob("*.py"))
    given = re.findall(r"^    make bench-([\w-]+)", usages, re.MULTILINE)
    assert len(given) > 10
    assert set(given) <= set(told.split())
