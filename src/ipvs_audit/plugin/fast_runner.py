"""Runs a control without pytest's three phases, where nothing could notice the difference.

pytest sets up, calls and tears down each test with fixtures, capturing, logging and a traceback for
each failure. A control needs none of that. With 60,000 tests that is most of the time. So a control
whose fixtures are all the audit's own is evaluated here, and the reports that pytest would have
made are given to pytest: what listens to reports (the terminal,
``--junitxml``, ``--lf``, ``-x``, xdist) sees the same. Where only those listen to whom a set-up or
tear-down that passed says nothing, it is not reported: two reports of three.

Where something could see more, the control takes the ordinary path: a hook of another
plugin or of a conftest.py around a test, a marker, an overridden or automatic fixture, ``--pdb``,
``--setup-show``, ``--html`` and the like, a fail that is waived, a check that breaks or prints.
"""

from __future__ import annotations

import os
import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

import pytest

from ipvs_audit.controls.control import control_of
from ipvs_audit.controls.discovery import FROM_EVIDENCE
from ipvs_audit.model.target import Target
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.plugin.outcomes import describe, failed_because, properties, skipped_because
from ipvs_audit.plugin.pytest_internals import (
    ReportText,
    failure_text,
    fixture_info,
    forget_fixtures,
    tear_down_for,
)
from ipvs_audit.plugin.selection import markers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipvs_audit.controls.control import Check
    from ipvs_audit.model.control import Control

#: What a control may ask for, and is given without a fixture.
_OWN = frozenset({"target", "snapshot", "policy", "assessment", "request"})
_OURS = "ipvs_audit.plugin.fixtures"
#: Whose hooks around a test do nothing that a control would need.
_KNOWN = (
    "_pytest.",
    "ipvs_audit.",
    "xdist.",
    "testinfra.",
    "pytest_html.",
    "pytest_metadata.",
    "_hypothesis_pytestplugin",
)
#: Whose loop over the tests is taken over.
_LOOPS = ("_pytest.", "ipvs_audit.")
_AROUND_A_TEST = (
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
    "pytest_pyfunc_call",
    "pytest_fixture_setup",
    "pytest_fixture_post_finalizer",
    "pytest_exception_interact",
)
#: Who listens to reports, and does nothing with a set-up or tear-down that passed.
_HEAR_RESULTS_ONLY = frozenset(
    [
        ("_pytest.cacheprovider", "LFPlugin.pytest_runtest_logreport"),
        ("_pytest.logging", "LoggingPlugin.pytest_runtest_logreport"),
        ("_pytest.main", "Session.pytest_runtest_logreport"),
        ("_pytest.terminal", "TerminalProgressPlugin.pytest_runtest_logreport"),
        ("_pytest.terminal", "TerminalReporter.pytest_runtest_logreport"),
        ("ipvs_audit.plugin.run", "AuditRun.pytest_runtest_logreport"),
    ]
)
#: Options that show or do something between the phases of a test.
_BETWEEN = (
    "usepdb",
    "trace",
    "setuponly",
    "setupshow",
    "setupplan",
    "fulltrace",
    "htmlpath",
    "runxfail",
    "log_cli_level",
)
Phase = tuple[
    Literal["setup", "call", "teardown"], Literal["passed", "failed", "skipped"], ReportText
]
_TORN_DOWN: Phase = ("teardown", "passed", None)


class FastRunner:
    """Which tests can be run so, and the running."""

    def __init__(
        self,
        config: pytest.Config,
        judged: Callable[[str, Check], Result | None],
        record: Callable[[str, Control, Result], None] | None,
        *,
        strict: bool,
    ) -> None:
        """Decide nothing yet: a conftest.py may come as late as the tests.

        Args:
            config: pytest's.
            judged: the verdict of a check on a host; None where the ordinary way must be taken.
            record: takes a verdict; None lets it travel with the report, as a worker must.
            strict: whether inconclusive fails.
        """
        self._config = config
        self._judged = judged
        self._record = record
        self._strict = strict
        self._unseen: bool | None = None
        self._every_phase = True
        self._fit: dict[int, bool] = {}
        self._places: dict[int, tuple[str, str, int | None]] = {}

    def can_run(self, item: pytest.Item) -> bool:
        """Whether a test can be run here."""
        if self._unseen is None:
            self._unseen = _unseen(self._config)
            self._every_phase = _every_phase_is_heard(self._config)
        if not self._unseen or type(item) is not pytest.Function:
            return False
        info, control = fixture_info(item), control_of(item.obj)
        ours = {"parametrize", *(markers_of(control) if control else ())}
        # The same for all tests that one function was made into.
        if id(info) not in self._fit:
            self._fit[id(info)] = (
                control is not None
                and FROM_EVIDENCE.issuperset(info.argnames)
                and _OWN.issuperset(info.names_closure)
                and all(_is_ours(found) for found in info.name2fixturedefs.values())
                and all(mark.name in ours for mark in item.iter_markers())
            )
        return self._fit[id(info)] and all(mark.name in ours for mark in item.own_markers)

    def run_all(self, session: pytest.Session) -> bool | None:
        """The loop of pytest, but that a control does not pass through the hooks around a test.

        None where somebody else has a loop: xdist's two processes, a plugin.
        """
        loops = self._config.hook.pytest_runtestloop.get_hookimpls()
        if any(not one.function.__module__.startswith(_LOOPS) for one in loops):
            return None
        for item, nextitem in zip_longest(session.items, session.items[1:]):
            if not self.take(item, nextitem):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        return True

    def take(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test, where it is a control and nothing could notice the difference."""
        target = target_of(item)
        if target is None or not self.can_run(item):
            return False
        return self.run(item, target.name, nextitem)  # type: ignore[arg-type]

    def run(self, item: pytest.Function, host: str, nextitem: pytest.Item | None) -> bool:
        """Judge, and report what pytest would; false where the ordinary way must be taken."""
        check: Check = item.obj
        control = control_of(check)
        start, clock = time.time(), time.perf_counter()
        result = self._judged(host, check)
        if result is None or control is None or result.waived:
            return False
        took = time.perf_counter() - clock
        ihook = item.ihook
        path, line = self._place(item)
        ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        phases = self._phases(result, path, line)
        told = phases[-1][0]
        if self._record is not None:
            self._record(host, control, result)
        keywords: Mapping[str, Literal[1]] = dict.fromkeys(item.keywords, 1)
        item.user_properties += properties(result)
        for when, outcome, why in (*phases, _TORN_DOWN):
            if when == "teardown":
                # What tests before this one have set up, and this one's neighbours do not need.
                ending = item.session.shouldfail or item.session.shouldstop
                tear_down_for(item, None if ending else nextitem)
            if when != told and not self._every_phase:
                continue
            report = pytest.TestReport(
                item.nodeid,
                item.location,
                keywords,
                outcome,
                why,
                when,
                duration=took if when == told else 0.0,
                start=start,
                stop=start + took,
                user_properties=item.user_properties,
            )
            if when == told and self._record is None:
                vars(report)["ipvs_audit"] = describe(host, control, result)
            ihook.pytest_runtest_logreport(report=report)
        forget_fixtures(item)
        ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _phases(self, result: Result, path: str, line: int) -> list[Phase]:
        """What pytest reports of the set-up, and of the test where it got so far."""
        if result.verdict is Verdict.ERROR:
            return [("setup", "failed", failure_text(path, line, result.message))]
        if (because := skipped_because(result, strict=self._strict)) is not None:
            called: Phase = ("call", "skipped", (path, line, f"Skipped: {because}"))
        elif (because := failed_because(result)) is not None:
            called = ("call", "failed", failure_text(path, line, because))
        else:
            called = ("call", "passed", None)
        return [("setup", "passed", None), called]

    def _place(self, item: pytest.Function) -> tuple[str, int]:
        """File and line of a test; pytest looks for them again for each one of a function."""
        key = id(fixture_info(item))
        if key not in self._places:
            self._places[key] = (os.fspath(item.reportinfo()[0]), *item.location[:2])
        path, relative, line = self._places[key]
        vars(item)["location"] = relative, line, item.getmodpath()
        return path, (line or 0) + 1


def target_of(item: pytest.Item) -> Target | None:
    """The host that a test is for, if any."""
    callspec = getattr(item, "callspec", None)
    found = callspec.params.get("target") if callspec is not None else None
    # Where no host is to be audited, pytest puts a mark of its own in its place.
    return found if isinstance(found, Target) else None


def _unseen(config: pytest.Config) -> bool:
    """Whether nobody looks at what happens between the reports of a test."""
    if any(config.getoption(name, None) for name in _BETWEEN):
        return False
    if config.getini("log_cli") or float(config.getini("faulthandler_timeout") or 0):
        return False
    return all(
        impl.function.__module__.startswith(_KNOWN)
        for name in _AROUND_A_TEST
        for impl in getattr(config.hook, name).get_hookimpls()
    )


def _every_phase_is_heard(config: pytest.Config) -> bool:
    """Whether somebody may do something with a set-up or tear-down that passed."""
    if config.getoption("durations", None) is not None:
        return True
    heard = config.hook.pytest_runtest_logreport.get_hookimpls()
    return not _HEAR_RESULTS_ONLY.issuperset(
        (impl.function.__module__, impl.function.__qualname__) for impl in heard
    )


def _is_ours(definitions: object) -> bool:
    """Whether a fixture has one definition, and that is the audit's own."""
    one = definitions[-1] if isinstance(definitions, list | tuple) and definitions else None
    function = getattr(one, "func", None)
    return len(definitions) == 1 and getattr(function, "__module__", "") == _OURS  # type: ignore[arg-type]
