"""Checks of a host that are judged together: those that speak are told from the others."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from made import snapshot

from ipvs_audit.controls.control import control, judge, judge_quietly
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.controls.control import Check


def warn() -> None:
    warnings.warn("odd", stacklevel=1)


def log() -> None:
    logging.getLogger("made").warning("odd")


def broken() -> None:
    raise ZeroDivisionError


def compare() -> None:
    assert [1, 2] == [1, 3]


def compare_and_say() -> None:
    assert [1, 2] == [1, 3], "they differ"


def check(number: int, speak: Callable[[], object]) -> Check:
    @control(f"OPS-{number}", "made", severity="low", source="x", fix="x")
    def made(snapshot: Any, policy: Any, assessment: Any) -> None:  # noqa: ARG001
        assessment.observe("seen")
        speak()

    return made


def judged(*speaking: Callable[[], object]) -> list[str | None]:
    checks = [check(number, speak) for number, speak in enumerate(speaking)]
    return [one and one.control for one in judge_quietly(checks, snapshot(), Policy())]


def test_all_have_a_verdict_where_none_speaks() -> None:
    assert judged(list, dict, set) == ["OPS-0", "OPS-1", "OPS-2"]


def test_each_that_breaks_prints_warns_or_logs_has_none_and_the_others_have_theirs() -> None:
    prints = [lambda: sys.stdout.write("said"), lambda: sys.stderr.write("said")]
    assert judged(*prints, list, broken, log) == [None, None, "OPS-2", None, None]
    # Python shows a warning of one place once, unless somebody else has looked for warnings since.
    assert judged(warn, list, warn) == [None, "OPS-1", None]


def test_what_a_check_logs_comes_out_once_when_it_is_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert judged(log) == [None]
    assert caplog.messages == []
    log()
    assert caplog.messages == ["odd"]


@pytest.mark.parametrize(
    ("speak", "says"), [(compare, "seen"), (compare_and_say, "they differ"), (list, "seen")]
)
def test_a_message_has_nothing_that_pytest_adds(speak: Callable[[], object], says: str) -> None:
    # verify judges again without pytest, and takes another message for a change.
    assert judge(check(0, speak), snapshot(), Policy()).message == says


def test_a_fail_without_any_word_says_so() -> None:
    @control("OPS-1", "made", severity="low", source="x", fix="x")
    def silent(snapshot: Any, **_others: Any) -> None:
        assert not snapshot

    found = judge(silent, snapshot(), Policy())
    assert found.verdict is Verdict.FAIL
    assert "give its assert a message" in found.message
