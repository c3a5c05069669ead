"""Checks of a host that are judged together: those that speak are told from the others."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from made import snapshot

from ipvs_audit.controls.control import control, judge_quietly
from ipvs_audit.model.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.controls.control import Check


def warn() -> None:
    warnings.warn("odd", stacklevel=1)


def broken() -> None:
    raise ZeroDivisionError


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


def test_each_that_breaks_prints_or_warns_has_none_and_the_others_have_theirs() -> None:
    prints = [lambda: sys.stdout.write("said"), lambda: sys.stderr.write("said")]
    assert judged(*prints, list, broken) == [None, None, "OPS-2", None]
    # Python shows a warning of one place once, unless somebody else has looked for warnings since.
    assert judged(warn, list, warn) == [None, "OPS-1", None]
