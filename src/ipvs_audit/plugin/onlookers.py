"""Who could tell a control that runs without pytest's phases from one that has them.

A hook of another plugin or of a conftest.py around a test, a marker, a fixture that is not the
audit's own, an option that shows something between the phases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.controls.control import control_of
from ipvs_audit.controls.discovery import FROM_EVIDENCE
from ipvs_audit.plugin.selection import markers_of

if TYPE_CHECKING:
    import pytest

    from ipvs_audit.plugin.pytest_internals import FixtureInfo

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
    "pytest_assertion_pass",
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
    "log_level",
)


def nobody_looks(config: pytest.Config) -> bool:
    """Whether nobody looks at what happens between the reports of a test."""
    if any(config.getoption(name, None) for name in _BETWEEN):
        return False
    if any(map(config.getini, ("log_cli", "log_level"))):
        return False
    if float(config.getini("faulthandler_timeout") or 0):
        return False
    return all(
        impl.function.__module__.startswith(_KNOWN)
        for name in _AROUND_A_TEST
        for impl in getattr(config.hook, name).get_hookimpls()
    )


def every_phase_is_heard(config: pytest.Config) -> bool:
    """Whether somebody may do something with a set-up or tear-down that passed."""
    if config.getoption("durations", None) is not None:
        return True
    heard = config.hook.pytest_runtest_logreport.get_hookimpls()
    return not _HEAR_RESULTS_ONLY.issuperset(
        (impl.function.__module__, impl.function.__qualname__) for impl in heard
    )


def marks_to_have(item: pytest.Function, info: FixtureInfo) -> frozenset[str] | None:
    """The marks that the tests of a function may have to be run here; None where none may."""
    control = control_of(item.obj)
    ours = frozenset(("parametrize", *(markers_of(control) if control else ())))
    fits = (
        control is not None
        and FROM_EVIDENCE.issuperset(info.argnames)
        and _OWN.issuperset(info.names_closure)
        and all(_is_ours(found) for found in info.name2fixturedefs.values())
        and all(mark.name in ours for mark in item.iter_markers())
    )
    return ours if fits else None


def _is_ours(definitions: object) -> bool:
    """Whether a fixture has one definition, and that is the audit's own."""
    one = definitions[-1] if isinstance(definitions, list | tuple) and definitions else None
    function = getattr(one, "func", None)
    return len(definitions) == 1 and getattr(function, "__module__", "") == _OURS  # type: ignore[arg-type]
