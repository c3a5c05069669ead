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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

import pytest

from ipvs_audit.controls.control import control_of
from ipvs_audit.model.target import Target
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.plugin.onlookers import every_phase_is_heard, marks_to_have, nobody_looks
from ipvs_audit.plugin.outcomes import describe, failed_because, properties, skipped_because
from ipvs_audit.plugin.pytest_internals import (
    ReportText,
    failure_text,
    fixture_info,
    forget_fixtures,
    node_id,
    tear_down_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import pluggy

    from ipvs_audit.controls.control import Check
    from ipvs_audit.model.control import Control

#: Whose loop over the tests is taken over.
_LOOPS = ("_pytest.", "ipvs_audit.")
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
        self._marks: dict[int, frozenset[str] | None] = {}
        self._places: dict[int, _Place] = {}
        self._phases = lru_cache(maxsize=256)(self._made_phases)

    def can_run(self, item: pytest.Item) -> bool:
        """Whether a test can be run here."""
        if self._unseen is None:
            self._unseen = nobody_looks(self._config)
            self._every_phase = every_phase_is_heard(self._config)
        if not self._unseen or type(item) is not pytest.Function:
            return False
        info = fixture_info(item)
        # The same for all tests that one function was made into.
        if id(info) not in self._marks:
            self._marks[id(info)] = marks_to_have(item, info)
        ours = self._marks[id(info)]
        return ours is not None and all(mark.name in ours for mark in item.own_markers)

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
        place = self._place(item)
        ihook = place.ihook
        ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        about = (result.control, result.name, result.verdict, result.message)
        phases = self._phases(about, place)
        told = phases[-1][0]
        if self._record is not None:
            self._record(host, control, result)
        keywords: Mapping[str, Literal[1]] = (
            dict.fromkeys(item.keywords, 1) if self._every_phase else _Keywords(item.keywords)
        )
        item.user_properties += properties(result)
        for when, outcome, why in (*phases, _TORN_DOWN):
            if when == "teardown":
                # What tests before this one have set up, and this one's neighbours do not need.
                ending = item.session.shouldfail or item.session.shouldstop
                tear_down_for(item, None if ending else nextitem)
            if when != told and not self._every_phase:
                continue
            report = pytest.TestReport(
                node_id(item),
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

    def _made_phases(self, about: tuple[str, str, Verdict, str], place: _Place) -> list[Phase]:
        """What pytest reports of the set-up, and of the test where it got so far."""
        control, name, verdict, message = about
        path, line = place.path, place.line
        result = Result(control, name, verdict, "", message, "", "")
        if verdict is Verdict.ERROR:
            return [("setup", "failed", failure_text(path, line, message))]
        if (because := skipped_because(result, strict=self._strict)) is not None:
            called: Phase = ("call", "skipped", (path, line, f"Skipped: {because}"))
        elif (because := failed_because(result)) is not None:
            called = ("call", "failed", failure_text(path, line, because))
        else:
            called = ("call", "passed", None)
        return [("setup", "passed", None), called]

    def _place(self, item: pytest.Function) -> _Place:
        """Where a test stands; pytest looks for it again for each one of a function."""
        key = id(fixture_info(item))
        if key not in self._places:
            relative, line, _ = item.location
            path = os.fspath(item.reportinfo()[0])
            self._places[key] = _Place(path, relative, line, item.ihook)
        place = self._places[key]
        name = item.getmodpath()
        name = item.name if name == item.name else name  # one text instead of two
        vars(item)["location"] = place.relative, place.found, name
        return place


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a function stands.

    Attributes:
        path: the file.
        relative: the same, as pytest's locations have it.
        found: its first line, as pytest's locations have it: from 0 on; None if it is not known.
        ihook: the hooks that hold there.
    """

    path: str
    relative: str
    found: int | None
    ihook: pluggy.HookRelay

    @property
    def line(self) -> int:
        """Where it begins, from 1 on."""
        return (self.found or 0) + 1


class _Keywords(Mapping[str, Literal[1]]):
    """The keywords of a test, as its report has them, without a copy of their names."""

    __slots__ = ("_names",)

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def __getitem__(self, name: str) -> Literal[1]:
        if name in self._names:
            return 1
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def target_of(item: pytest.Item) -> Target | None:
    """The host that a test is for, if any."""
    callspec = getattr(item, "callspec", None)
    found = callspec.params.get("target") if callspec is not None else None
    # Where no host is to be audited, pytest puts a mark of its own in its place.
    return found if isinstance(found, Target) else None
