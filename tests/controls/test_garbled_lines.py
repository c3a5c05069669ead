"""A line of evidence that does not parse spoils the controls that rest on it, and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import made
import pytest
from recorded import snapshot

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict

if TYPE_CHECKING:
    from ipvs_audit.snapshot import Snapshot

CONTROLS = tuple(f"EST-{number}" for number in range(1, 7))
ODD = "\x01~ odd"

#: By section: the controls that rest on it, of a line that says of nothing to what it belongs.
RESTS = {
    "netns": "EST-5 EST-6",
    "counters": "EST-6",
    "udev": "EST-3",
    "modules-load": "EST-3",
    "modprobe": "EST-2 EST-3",
    "sysctl": "EST-2 EST-3",
    "keys": "EST-2 EST-3",
    "programs": "EST-2 EST-3",
    "late-writers": "EST-2 EST-3",
    "asked": "EST-2 EST-3",
    "loaders": "EST-1 EST-2 EST-3",
    "next-boot": "EST-1 EST-2 EST-3",
    "readers": "",
}


def with_line(evidence: Snapshot, section: str, line: str, instead: str = "end\n") -> Snapshot:
    """The same with a line before, or instead of, another."""
    one = evidence.sections[section]
    kept = instead if instead == "end\n" else ""
    output = one.output.replace(instead, f"{line}\n{kept}", 1)
    assert output != one.output
    return replace(evidence, sections={**evidence.sections, section: replace(one, output=output)})


def verdicts(evidence: Snapshot, policy: Policy | None = None) -> dict[str, Verdict]:
    return {control: made.verdict(control, evidence, policy).verdict for control in CONTROLS}


@pytest.mark.parametrize("section", RESTS)
def test_what_does_not_rest_on_a_garbled_line_is_judged(section: str) -> None:
    evidence = snapshot("compliant")
    errors = dict.fromkeys(RESTS[section].split(), Verdict.ERROR)
    assert verdicts(with_line(evidence, section, ODD)) == verdicts(evidence) | errors


def line_of(evidence: Snapshot, section: str, start: str) -> str:
    output = evidence.sections[section].output
    return next(line for line in output.splitlines(keepends=True) if line.startswith(start))


def test_a_wrong_namespace_is_a_fail_beside_a_garbled_one() -> None:
    evidence = snapshot("namespaced")
    (wrong,) = (one for one in evidence.census.others if one.value == 1 and one.holds_rules)
    (right,) = (one for one in evidence.census.others if one.value == 0)
    for garbled, expected in ((right, Verdict.FAIL), (wrong, Verdict.ERROR)):
        line = line_of(evidence, "netns", f"netns {garbled.inode} ")
        found = verdicts(with_line(evidence, "netns", ODD, line))
        assert (found["EST-5"], found["EST-6"]) == (expected, Verdict.ERROR)
        assert found["EST-4"] is Verdict.PASS


def test_an_exemption_does_not_cover_a_namespace_that_cannot_be_read() -> None:
    evidence = with_line(snapshot("compliant"), "netns", ODD)
    assert verdicts(evidence, Policy(ack=True))["EST-5"] is Verdict.ERROR


@pytest.mark.parametrize("line", [
    "2 {} 99.0 1 x", "switch {} 99.0 run_estimation=x", "switch {}", "moved {} twice", "5 {}",
])  # fmt: skip
def test_a_garbled_line_of_counters_spoils_those_of_its_namespace(line: str) -> None:
    evidence = snapshot("namespaced")
    assert verdicts(evidence)["EST-6"] is Verdict.PASS
    (wrong,) = (one for one in evidence.census.others if one.value == 1 and one.holds_rules)
    (right,) = (one for one in evidence.census.others if one.value == 0)
    for netns, expected in ((right, Verdict.ERROR), (wrong, Verdict.PASS)):  # EST-5 has that one
        one = with_line(evidence, "counters", line.format(netns.inode))
        assert verdicts(one) == verdicts(evidence) | {"EST-6": expected}
