"""What is used of pytest's private parts is still there; a new version fails here by name."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from ipvs_audit.plugin.pytest_internals import option_names

PARTS = [
    ("_pytest.fixtures", "FuncFixtureInfo.names_closure", "which tests the fast runner takes"),
    ("_pytest.runner", "SetupState.teardown_exact", "fixtures of tests before a fast one"),
    ("_pytest._code.code", "ExceptionChainRepr.toterminal", "a failure's text in a report"),
    ("_pytest._code.code", "ReprEntry", "a failure's text in a report"),
    ("_pytest._code.code", "ReprFileLocation", "a failure's place in a report"),
    ("_pytest._code.code", "ReprTraceback", "a failure's text in a report"),
    ("_pytest.outcomes", "Skipped", "where a skipped control is reported"),
]
#: What pytest's parametrization of a function of this module has.
OF_METAFUNC: set[str] = set()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    OF_METAFUNC.update(vars(metafunc))


@pytest.mark.parametrize(("module", "path", "need"), PARTS)
def test_pytest_still_has(module: str, path: str, need: str) -> None:
    here: object = import_module(module)
    for name in path.split("."):
        known = hasattr(here, name) or name in getattr(here, "__annotations__", {})
        assert known, f"{module}.{path} is gone: needed for {need}"
        here = getattr(here, name, None)


def test_an_item_still_knows_its_fixtures(request: pytest.FixtureRequest) -> None:
    item = request.node
    assert hasattr(item, "_fixtureinfo"), "Function._fixtureinfo is gone: needed by the fast runner"
    assert hasattr(item.session, "_setupstate"), "Session._setupstate is gone: needed for teardown"
    assert "_request" in vars(item), "Function._request is gone: needed to let go of fixtures"
    assert "funcargs" in vars(item), "Function.funcargs is gone: needed for checks that use host"


def test_a_parametrization_still_shows_what_it_makes() -> None:
    parts = {"_calls", "_arg2fixturedefs", "_params_directness"}
    assert parts <= OF_METAFUNC, "a part of Metafunc is gone: needed to share parameters"


def test_the_parser_still_tells_its_options(request: pytest.FixtureRequest) -> None:
    assert {"--junitxml", "-k"} <= option_names(request.config._parser)


def test_a_skip_can_still_be_reported_at_the_test() -> None:
    taken = inspect.signature(import_module("_pytest.outcomes").Skipped.__init__).parameters
    assert "_use_item_location" in taken, "Skipped(_use_item_location=) is gone: needed for -rs"


def test_the_terminal_reporter_still_tells_its_stream(request: pytest.FixtureRequest) -> None:
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    assert hasattr(reporter._tw, "_file"), "TerminalWriter._file is gone: needed by the summary"
