"""What ``ipvs-audit explain`` prints of each tree of the corpora, against what real programs did.

It agrees with them or says that it does not know, and contradicts itself nowhere.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from test_field_cases import CASES, OPEN, OPEN_AS_A_TREE, tree
from test_loader_corpus import BEFORE, KEY, MODPROBE, SYSCTL, cases, hook_of, lay_out

from ipvs_audit.cli import explain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def explained(
    capsys: pytest.CaptureFixture[str], places: Iterable[Path], *options: str
) -> list[dict[str, Any]]:
    """What explain prints of trees, in their order."""
    assert explain.main([*map(str, places), "--format", "jsonl", *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", SYSCTL)
def test_explain_agrees_with_real_loaders(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, number, *_ = name.split("-")
    version = f"{number}-{SYSCTL[name][0]}" if SYSCTL[name][0] else number
    by_loader: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for place, case in enumerate(cases(name)):
        top = lay_out(tmp_path / str(place), case)
        which = {"p": "sysctl-p", "system": "sysctl-system"}[case["mode"]]
        loader = which if program == "procps" else "systemd-sysctl"
        by_loader.setdefault(loader, []).append((top, case))
    said: Counter[str] = Counter()
    for loader, trees in by_loader.items():
        asked = ("--key", KEY.dotted, "--integer", "--loader", loader, f"--{program}", version)
        lines = explained(capsys, [top for top, _ in trees], *asked)
        for line, (_, case) in zip(lines, trees, strict=True):
            (found,) = line["loaders"]
            value = BEFORE if found["value"] is None else found["value"]
            word = "unsure" if found["doubt"] else "agrees"
            assert word == "unsure" or value == case["value"], (line, case)
            said[word] += 1
    with capsys.disabled():
        print(f"\nexplain, {name}: {dict(said)}")  # noqa: T201  # the share is asked for
    assert said["unsure"] <= SYSCTL[name][1]


@pytest.mark.parametrize("name", MODPROBE)
def test_explain_names_the_hook_that_a_real_modprobe_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = [(lay_out(tmp_path / str(at), case), case) for at, case in enumerate(cases(name))]
    lines = explained(capsys, [top for top, _ in every], "--kmod", name.split("-")[1])
    said: Counter[str] = Counter()
    for line, (_, case) in zip(lines, every, strict=True):
        assert_consistent(line)
        shown = " ".join(line["hook"]["command"].split()) if line["hook"] else ""
        same = hook_of(case["output"]) in (shown, f"{shown} x=1")
        # These trees hold no modules: whether a soft dependency exists is not known.
        assert same or line["reload"]["doubt"], (line, case)
        said["agrees" if same else "unsure"] += 1
    with capsys.disabled():
        print(f"\nexplain, {name}: {dict(said)}")  # noqa: T201  # the share is asked for


def assert_consistent(line: dict[str, Any]) -> None:
    """The parts of one explanation contradict each other nowhere."""
    predicted = line["reload"], line["boot"]
    holds = [each["holds"] for each in predicted]
    verdict = "fail" if False in holds else "inconclusive" if None in holds else "pass"
    assert line["verdicts"]["EST-3"] == verdict, line
    for each in predicted:
        assert (each["holds"] is not None) or each["doubt"], line
        assert not (each["doubt"] and each["holds"]), line
        assert each["value"] is None or not each["doubt"], line
        assert not each["holds"] or each["value"] in (0, None), line
        assert each["because"] or each["doubt"], line
    values = [loader["value"] for loader in line["loaders"] if not loader["doubt"]]
    wrong = any(value not in (0, None) for value in values)
    assert not wrong or line["verdicts"]["EST-2"] == "fail", line
    if line["verdicts"]["EST-2"] == "pass":
        assert not any(loader["doubt"] for loader in line["loaders"]), line


def assert_says(text: str, line: dict[str, Any]) -> None:
    """The text for people, from the value after a reload on, says what the JSON line says."""
    reload, boot = line["reload"], line["boot"]
    for said, each in ((text, reload), (text.split("after a boot: ")[1], boot)):
        open_ = each["holds"] is None
        value = "not known" if open_ else "not set" if each["value"] is None else each["value"]
        assert said.startswith(f"{value}: "), (said, line)
    for control, verdict in line["verdicts"].items():
        assert f"\n{control}: {verdict}\n".replace("_", " ") in text, (text, line)


def test_explain_agrees_with_the_guests_on_field_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tops = [tmp_path / case["name"] for case in CASES]
    for top, case in zip(tops, CASES, strict=True):
        tree(case, top)
    lines = explained(capsys, tops)
    assert explain.main([*map(str, tops)]) == 0
    told = capsys.readouterr().out.split("after a reload: ")[1:]
    left = 0
    for line, text, case in zip(lines, told, CASES, strict=True):
        assert_consistent(line)
        assert_says(text, line)
        left += line["verdicts"]["EST-3"] == "inconclusive"
        seen, found = case.get("after_reload"), line["reload"]
        if seen and not found["doubt"]:
            assert found["value"] == seen["value"], (line, case)
    with capsys.disabled():
        print(f"\nexplain, field cases: {left} of {len(CASES)} inconclusive")  # noqa: T201
    assert left == len(OPEN | OPEN_AS_A_TREE)
