"""Verdicts ahead of the tests: once per host, and anew where its evidence is another."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from made import snapshot

from ipvs_audit.audit.early_verdicts import EarlyVerdicts
from ipvs_audit.controls.control import control
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.snapshot import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.model.verdict import Result

GONE = Failure("web1", "unreachable", "no route", "", "")


class Waivers:
    """Accepts every fail, or none."""

    def __init__(self, *, accept: bool = False) -> None:
        self.accept = accept

    def apply(self, _host: str, result: Result) -> Any:
        return SimpleNamespace(verdict=result.verdict, waived=self.accept)


@pytest.fixture
def asked() -> list[str]:
    return []


def ahead(
    asked: list[str], *, accept: bool = False, recent: Callable[[str, Any], Any] = lambda _, it: it
) -> tuple[EarlyVerdicts, Any]:
    @control("OPS-1", "right", severity="low", source="x", fix="x")
    def right(snapshot: Any, policy: Any, assessment: Any) -> None:  # noqa: ARG001
        asked.append(snapshot.target)
        assessment.expect("x")
        assessment.observe("x")
        assert snapshot.collection.probe != "wrong", "it is wrong"

    audit: Any = SimpleNamespace(
        policies={"web1": Policy()},
        waivers=Waivers(accept=accept),
        facts={},
        recent_enough=recent,
    )
    made = EarlyVerdicts(audit, {"web1": {"OPS-1"}})
    made.add_check(right)
    return made, right


def evidence_of(probe: str = "right") -> Any:
    made = replace(snapshot(), target="web1")
    when = "2026-01-01T00:00:00.000Z"
    return replace(
        made, collection=replace(made.collection, started=when, finished=when, probe=probe)
    )


def test_a_host_is_judged_once_for_progress_and_test(asked: list[str]) -> None:
    made, check = ahead(asked)
    evidence = evidence_of("wrong")
    assert made.fails(evidence) is True
    result = made.result("web1", check, evidence)
    assert result is not None
    assert result.verdict == "fail"
    assert len(asked) == 1


def test_new_evidence_is_judged_anew(asked: list[str]) -> None:
    """After a remedy, or with a latency trace beside it, the old verdict must not stand."""
    made, check = ahead(asked)
    assert made.fails(evidence_of("wrong")) is True
    result = made.result("web1", check, evidence_of("right"))
    assert result is not None
    assert result.verdict == "pass"
    assert len(asked) == 2


def test_right_waived_and_unreachable_hosts(asked: list[str]) -> None:
    made, check = ahead(asked)
    right = evidence_of()
    assert made.fails(right) is False
    result = made.result("web1", check, right)
    assert result is not None
    assert result.verdict == "pass"
    assert ahead(asked, accept=True)[0].fails(evidence_of("wrong")) is False
    assert ahead(asked)[0].fails(GONE) is True


def test_evidence_that_is_too_old_fails_unseen(asked: list[str]) -> None:
    made, check = ahead(asked, recent=lambda host, _: Failure(host, "too-old", "old", "", ""))
    right = evidence_of()
    assert made.fails(right) is True
    result = made.result("web1", check, right)
    assert result is not None
    assert result.verdict is Verdict.ERROR
    assert asked == []


def test_where_no_check_is_known_nothing_is_said(asked: list[str]) -> None:
    audit: Any = SimpleNamespace(policies={}, waivers=Waivers(), facts={})
    assert EarlyVerdicts(audit, {}).fails(evidence_of("wrong")) is None
    assert asked == []
