"""The private names of pytest that are used, each with what needs it; no other module may.

pytest is held to one major version for them, and a test names the one that a new version takes
away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from _pytest._code.code import ExceptionChainRepr, ReprEntry, ReprFileLocation, ReprTraceback
from _pytest.outcomes import Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest


#: What a report holds besides its outcome: a failure's text, or where and why it was skipped.
ReportText = ExceptionChainRepr | tuple[str, int, str] | None


class FixtureInfo(Protocol):
    """What pytest knows of the fixtures of a test: alike for all that one function was made into.

    Attributes:
        argnames: fixtures that the function itself asks for.
        names_closure: those, and all that they need.
        name2fixturedefs: the definitions of each.
    """

    argnames: tuple[str, ...]
    names_closure: list[str]
    name2fixturedefs: Mapping[str, Sequence[object]]


def option_names(parser: pytest.Parser) -> set[str]:
    """All options, pytest's own and those of plugins.

    Needed: pytest does not say which option a mistyped one is near to.
    """
    return set(parser.optparser._option_string_actions)  # noqa: SLF001


def fixture_info(item: pytest.Item) -> FixtureInfo:
    """Which fixtures a test has.

    Needed: the fast runner takes a test only where it knows all its fixtures; what that saves is
    in docs/performance.md.
    """
    return cast("FixtureInfo", item._fixtureinfo)  # type: ignore[attr-defined]  # noqa: SLF001


#: What pytest knows of the parameters of each test of a function.
Parameters = list[object]


def parametrize_alike(
    metafunc: pytest.Metafunc,
    name: str,
    values: Sequence[object],
    ids: Sequence[str],
    made: Parameters,
) -> None:
    """Make a test for each value of a fixture, with the parameters of an earlier function's tests.

    Needed: pytest makes five objects for the parameters of each of 60,000 tests, which are alike
    for all the controls of a host.

    Args:
        metafunc: the function.
        name: of the fixture.
        values: the same at each call, as are ``ids``.
        ids: of the values.
        made: what an earlier call has made; the first one fills it.
    """
    # Another parametrization or another fixture of that name makes other parameters, and where
    # there are no values pytest names the function in their place.
    definitions = metafunc._arg2fixturedefs.get(name, ())  # noqa: SLF001
    alone = bool(values) and not metafunc._calls  # noqa: SLF001
    alike = alone and [one.scope for one in definitions] == ["function"]
    if alike and made:
        metafunc._calls = made.copy()  # type: ignore[assignment]  # noqa: SLF001
        metafunc._params_directness[name] = "indirect"  # noqa: SLF001
        return
    metafunc.parametrize(name, values, ids=ids, indirect=True)
    if alike:
        made.extend(metafunc._calls)  # noqa: SLF001


def node_id(item: pytest.Item) -> str:
    """The id of a test, which a report takes as it takes the text of it.

    Needed: a report takes the text apart, and keeps the parts, for each of 60,000 tests.
    """
    return cast("str", item.id)


def fixture_values(item: pytest.Item) -> dict[str, object]:
    """The values of a test's fixtures, once they are set up.

    Needed: a check that asks for more than evidence, e.g. ``host``, is judged in the set-up.
    """
    return dict(getattr(item, "funcargs", {}))


def tear_down_for(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tear down what earlier tests have set up and the next one does not need.

    Needed: the fast runner runs between tests that pytest runs.
    """
    state = item.session._setupstate  # noqa: SLF001
    if state.stack:
        state.teardown_exact(nextitem)


def forget_fixtures(item: pytest.Function) -> None:
    """Let go of a test's fixtures, as pytest does at its end.

    Needed: 60,000 tests hold their fixtures' values otherwise.
    """
    vars(item).update(_request=False, funcargs=None)


def failure_text(path: str, line: int, message: str) -> ExceptionChainRepr:
    """What ``pytest.fail(message, pytrace=False)`` is represented by in a report.

    Needed: reports of the fast runner are those that pytest would have made.
    """
    shown = ReprTraceback(
        [ReprEntry(message.split("\n"), None, None, None, "value")], None, style="value"
    )
    crash = ReprFileLocation(path, line, f"Failed: {message}")
    return ExceptionChainRepr([(shown, crash, None)])


def skip_at_the_test(reason: str) -> Skipped:
    """A skip that is reported at the test's place, not at ours.

    Needed: ``-rs`` would name the plugin's file for every skipped control.
    """
    return Skipped(reason, _use_item_location=True)


def terminal_output(reporter: Any) -> TextIO:  # noqa: ANN401  # pytest's reporter has no public type
    """The stream that pytest's terminal reporter writes to.

    Needed: the summary goes where pytest's own output goes, with colours only on a terminal.
    """
    return cast("TextIO", reporter._tw._file)  # noqa: SLF001


def put_output(reporter: Any, stream: object) -> None:  # noqa: ANN401  # the same
    """Put another stream in its place.

    Needed: a terminal that was closed must not end a run that changes hosts.
    """
    reporter._tw._file = stream  # noqa: SLF001
