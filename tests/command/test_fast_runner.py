"""A control that is run without pytest's phases looks to everyone as if it had them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from program import Audit
    from ran import Ran

#: A plugin that looks at each test: reason enough for the ordinary way.
WATCHER = "def pytest_runtest_call(item):\n    print('watched', item.name)\n"
#: One that only listens, and says what it heard.
LISTENER = """\
import collections

heard = collections.Counter()

def pytest_runtest_logreport(report):
    heard[report.when] += 1

def pytest_unconfigure():
    print("heard", *(f"{when}={count}" for when, count in sorted(heard.items())))
"""
#: One that looks at what the terminal has kept.
COUNTED = """\
def pytest_terminal_summary(terminalreporter):
    kept = sum(map(len, terminalreporter.stats.values()))
    print(f"kept {kept} reports")
"""
#: One that looks for a report's keywords when all is over.
NAMED = """\
def pytest_terminal_summary(terminalreporter):
    kept = [one for reports in terminalreporter.stats.values() for one in reports]
    named = all(dict(one.keywords)[one.nodeid.partition("::")[2]] == 1 for one in kept)
    print(f"named {named}, est1 {sum('est1' in one.keywords for one in kept)}")
"""
#: One that keeps as many objects as a fleet has, and counts how often all of them are looked at.
HOARDER = """\
import gc

kept, passes = [], []
gc.callbacks.append(lambda phase, about: passes.append(about["generation"]))

def pytest_runtestloop():
    passes.clear()
    kept.extend([] for _ in range(500_000))
    print("of the young:", 0 in passes, "of all:", passes.count(2))
"""
#: One that tells with how many different parameters there are how many tests.
PARAMETERS = """\
def pytest_collection_finish(session):
    of = {}
    for item in session.items:
        of.setdefault(item.originalname, []).append(item.callspec)
    every = [one for each in of.values() for one in each]
    print("functions", len(of), "tests", len(every), "different", len({id(one) for one in every}))
    print("named", all(item.name.endswith(f"[{item.callspec.id}]") for item in session.items))
"""
#: Checks with parameters, or a target, of their own.
OF_THEIR_OWN = """\
import pytest
from ipvs_audit.controls.control import control

@pytest.mark.parametrize("number", [1, 2])
def test_numbered(snapshot, number):
    assert snapshot.target

@pytest.mark.parametrize("snapshot", ["mine"])
def test_of_mine(target, snapshot):
    assert target.name
    assert snapshot == "mine"

@control("OPS-1", "first", severity="low", source="x", fix="x")
def test_first(snapshot, policy, assessment):
    assessment.observe(snapshot.target)

@control("OPS-2", "second", severity="low", source="x", fix="x")
def test_second(snapshot, policy, assessment):
    assessment.observe(snapshot.target)
"""
#: One with a loop of its own, that runs the tests backwards.
BACKWARDS = """\
import pytest

@pytest.hookimpl
def pytest_runtestloop(session):
    print("backwards")
    for item in reversed(session.items):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return True
"""
#: A check that logs what few look for, and one that hears which asserts have passed.
LOGGING = """\
import logging
from ipvs_audit.controls.control import control

@control("OPS-1", "logs", severity="low", source="x", fix="x")
def test_logs(snapshot, policy, assessment):
    logging.getLogger("mine").info("told by the way")
    assessment.observe("y")
    assert snapshot.target
    assert snapshot.target == "nobody", "no"
"""
PASSED = """\
def pytest_assertion_pass(item, lineno, orig, expl):
    print("has passed:", orig)
"""
WAIVER = """\
waivers:
  - hosts: drifted
    control: EST-4
    justification: x
    ticket: OPS-1
    approver: A
    expires: 9999-12-31
"""
#: A check as a user might write it, that has something to say beside its verdict.
SPEAKING = """\
import warnings
from ipvs_audit.controls.control import control

@control("OPS-1", "speaks", severity="low", source="x", fix="x")
def test_speaks(snapshot, policy, assessment):
    print("said by the check")
    assessment.expect("x")
    assessment.observe("y")
    assert snapshot.target != "drifted", "no"

@control("OPS-2", "breaks", severity="low", source="x", fix="x")
def test_breaks(snapshot, policy, assessment):
    raise ZeroDivisionError("broken here")
"""


def normal(text: str) -> str:
    """A report without what differs from run to run: times, places, the order of attributes."""
    text = re.sub(r"\d{4}-\d\d-\d\dT?[\d:.+Z-]*", "TIME", text)
    text = re.sub(r'time="[\d.]+"', "", text)
    text = re.sub(r"in [\d.]+ ?s\b( \([\d:]+\))?|[\d.]+s", "", text)
    text = re.sub(r"={3,}", "===", text)  # as long as the time leaves room for
    return re.sub(r"reports/\S+|/tmp/\S+", "PLACE", text)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, str]]:
    """Puts a plugin where an audit finds it, and gives the arguments that bring it in."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def put(text: str) -> tuple[str, str]:
        (tmp_path / "plugged.py").write_text(text)
        return "-p", "plugged"

    return put


@pytest.fixture
def both(audit: Audit, saved: Path, tmp_path: Path, plugin: Any) -> Any:
    """Runs the same audit in both ways."""

    def run(*arguments: str | Path) -> tuple[Ran, Ran, str, str]:
        ran, own = [], []
        for number, more in enumerate(((), plugin(WATCHER))):
            junit = tmp_path / f"own-{number}.xml"
            ran.append(
                audit("--from-snapshots", saved, "--junitxml", junit, "-rA", *arguments, *more)
            )
            shown = re.sub(r"<system-out>.*?</system-out>", "", junit.read_text(), flags=re.DOTALL)
            own.append(normal(shown))
            (audit.reports / "latest" / "results.json").rename(tmp_path / f"results-{number}.json")
        return ran[0], ran[1], own[0], own[1]

    return run


def hosts(tmp_path: Path, number: int) -> str:
    """Of results.json, what was found."""
    return (tmp_path / f"results-{number}.json").read_text().partition('"hosts":[\n')[2]


def summary(ran: Ran) -> list[str]:
    """The lines of pytest's short test summary, and its last line."""
    lines = ran.output.splitlines()
    told = [line for line in lines if line.startswith(("PASSED", "FAILED", "SKIPPED", "ERROR"))]
    return [normal(line) for line in [*told, *(line for line in lines if line.startswith("==="))]]


@pytest.mark.parametrize(
    "arguments",
    [(), ("--estimation", "enabled", "-x", "-v")],
    ids=" ".join,
)
def test_results_reports_and_summary_are_those_of_the_ordinary_way(
    both: Any, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    lean, ordinary, own, theirs = both(*arguments)
    assert lean.status == ordinary.status
    assert "watched" not in lean.output
    assert hosts(tmp_path, 0) == hosts(tmp_path, 1)
    assert own == theirs
    found = [line for line in summary(lean) if "SKIPPED" not in line]
    assert found == [line for line in summary(ordinary) if "SKIPPED" not in line]
    assert len(found) > 1


def test_the_terminal_says_the_same_where_nobody_else_listens(
    audit: Audit, saved: Path, plugin: Any
) -> None:
    lean = audit("--from-snapshots", saved, "-rA")
    found = lean.verdicts()
    ordinary = audit("--from-snapshots", saved, "-rA", *plugin(WATCHER))
    assert (lean.status, found) == (ordinary.status, ordinary.verdicts())
    told = [[line for line in summary(one) if "SKIPPED" not in line] for one in (lean, ordinary)]
    assert told[0] == told[1]
    assert len(told[0]) > 1


def test_what_passed_in_setup_is_not_reported_where_nobody_listens(
    audit: Audit, saved: Path, plugin: Any
) -> None:
    ran = audit("--from-snapshots", saved, *plugin(COUNTED))
    verdicts = [one for host in ran.verdicts().values() for one in host.values()]
    assert f"kept {len(verdicts)} reports" in ran.output


def test_reports_that_the_terminal_keeps_have_the_keywords_of_their_tests(
    audit: Audit, saved: Path, plugin: Any
) -> None:
    ran = audit("--from-snapshots", saved, *plugin(NAMED))
    judged = sum("EST-1" in one for one in ran.verdicts().values())
    assert f"named True, est1 {judged}" in ran.output


def test_no_garbage_is_looked_for_among_all_that_a_fleet_leaves(
    audit: Audit, saved: Path, plugin: Any
) -> None:
    ran = audit("--from-snapshots", saved, *plugin(HOARDER))
    assert "of the young: True of all: 0" in ran.output


def test_the_controls_of_a_host_share_its_parameters_and_other_tests_have_their_own(
    audit: Audit, saved: Path, tmp_path: Path, plugin: Any
) -> None:
    checks = tmp_path / "test_own.py"
    checks.write_text(OF_THEIR_OWN)
    arguments = ("-c", "pyproject.toml", checks, *plugin(PARAMETERS))
    ran = audit("--from-snapshots", saved, *arguments)
    hosts = len(ran.verdicts())
    assert hosts > 1
    # Two numbers, one of mine, and one for both controls.
    assert f"functions 4 tests {5 * hosts} different {4 * hosts}" in ran.output
    assert "named True" in ran.output
    told = {name: set(found) for name, found in ran.verdicts().items()}
    assert set(map(frozenset, told.values())) == {frozenset(("OPS-1", "OPS-2"))}


def test_who_listens_to_reports_hears_every_phase_of_every_test(
    audit: Audit, saved: Path, plugin: Any
) -> None:
    ran = audit("--from-snapshots", saved, *plugin(LISTENER))
    verdicts = [one for host in ran.verdicts().values() for one in host.values()]
    tests, errors = len(verdicts), verdicts.count("error")
    assert f"heard call={tests - errors} setup={tests} teardown={tests}" in ran.output
    assert "setup" in audit("--from-snapshots", saved, "--durations", "0", "-vv").output


def test_a_plugin_with_a_loop_of_its_own_keeps_it(audit: Audit, saved: Path, plugin: Any) -> None:
    whole = audit("--from-snapshots", saved).verdicts()
    ran = audit("--from-snapshots", saved, *plugin(BACKWARDS))
    assert "backwards" in ran.output
    assert ran.verdicts() == whole


def test_a_waived_fail_and_an_inconclusive_one_under_strict_are_the_same(
    both: Any, tmp_path: Path
) -> None:
    waivers = tmp_path / "waivers.yml"
    waivers.write_text(WAIVER)
    lean, ordinary, own, theirs = both("--waivers", waivers, "--strict")
    assert (lean.status, own) == (ordinary.status, theirs)
    assert hosts(tmp_path, 0) == hosts(tmp_path, 1)
    assert "waived (" in own


def test_what_a_check_prints_and_how_it_breaks_is_shown_as_pytest_shows_it(
    audit: Audit, saved: Path, tmp_path: Path
) -> None:
    checks = tmp_path / "test_speaking.py"
    checks.write_text(SPEAKING)
    ran = audit("--from-snapshots", saved, "-c", "pyproject.toml", checks, "--tb=short")
    assert "Captured stdout setup" in ran.output
    assert "said by the check" in ran.output
    assert "ZeroDivisionError: broken here" in ran.output
    found = {one for host in ran.verdicts().values() for one in host.items()}
    assert found == {("OPS-1", "pass"), ("OPS-1", "fail"), ("OPS-2", "error")}


def test_log_lines_of_a_level_that_is_asked_for_are_shown(
    audit: Audit, saved: Path, tmp_path: Path
) -> None:
    checks = tmp_path / "test_logging.py"
    checks.write_text(LOGGING)
    arguments = ("--from-snapshots", saved, "-c", "pyproject.toml", checks, "--tb=short")
    assert "told by the way" in audit(*arguments, "--log-level", "INFO").output
    assert "told by the way" in audit(*arguments, "-o", "log_level=INFO").output


def test_who_listens_to_asserts_that_pass_hears_them(
    audit: Audit, saved: Path, tmp_path: Path, plugin: Any
) -> None:
    checks = tmp_path / "test_logging.py"
    checks.write_text(LOGGING)
    listening = ("-o", "enable_assertion_pass_hook=true", "--tb=short", *plugin(PASSED))
    ran = audit("--from-snapshots", saved, "-c", "pyproject.toml", checks, *listening)
    assert "has passed: snapshot.target" in ran.output


def test_failures_come_again_with_lf_and_workers_find_the_same(audit: Audit, saved: Path) -> None:
    whole = audit("--from-snapshots", saved, "--cache-clear")
    verdicts = whole.verdicts()
    again = audit("--from-snapshots", saved, "--lf", "-q")
    failed = sum(list(one.values()).count("fail") for one in verdicts.values())
    assert re.search(rf"^=* ?{failed} failed,? .*", again.output, re.MULTILINE)
    assert " passed" not in again.output.splitlines()[-1]
    assert audit("--from-snapshots", saved, "-n", "2").verdicts() == verdicts
