"""How verdicts reach pytest, and how they travel."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ipvs_audit.audit.options import redact
from ipvs_audit.model.control import Control
from ipvs_audit.model.verdict import Evidence, Result, Verdict, worst
from ipvs_audit.plugin.outcomes import describe, from_report, raise_outcome, recorded

ABOUT = Control("EST-4", "live-value", "high", "document", "why", "fix")
RESULT = Result(
    "EST-4",
    "live-value",
    Verdict.FAIL,
    "high",
    "run_estimation is 1",
    "0",
    "1",
    (Evidence("cat x", "1\n", None, "root (uid 0)", "2026-11-23T02:00:00Z"),),
)


@pytest.mark.parametrize(
    ("verdict", "strict", "outcome"),
    [
        (Verdict.PASS, False, None),
        (Verdict.FAIL, False, pytest.fail.Exception),
        (Verdict.INCONCLUSIVE, False, pytest.skip.Exception),
        (Verdict.INCONCLUSIVE, True, pytest.fail.Exception),
        (Verdict.NOT_APPLICABLE, False, pytest.skip.Exception),
        (Verdict.NOT_APPLICABLE, True, pytest.skip.Exception),
    ],
)
def test_each_verdict_has_its_outcome(
    verdict: Verdict,
    strict: bool,
    outcome: type[BaseException] | None,
) -> None:
    result = replace(RESULT, verdict=verdict)
    if outcome is None:
        raise_outcome(result, strict=strict)
    else:
        with pytest.raises(outcome, match="run_estimation is 1"):
            raise_outcome(result, strict=strict)


def test_a_waived_failure_is_expected_and_says_so() -> None:
    with pytest.raises(pytest.xfail.Exception, match="waived"):
        raise_outcome(replace(RESULT, waiver="OPS-1"), strict=True)


def test_a_verdict_survives_the_way_from_a_worker() -> None:
    told = json.loads(json.dumps(describe("web1", ABOUT, RESULT)))
    assert from_report(told) == ("web1", ABOUT, RESULT)


def test_a_check_that_breaks_is_an_error() -> None:
    result = recorded(ABOUT, KeyError("x"))
    assert result.verdict is Verdict.ERROR
    assert "KeyError" in result.message


def test_the_worst_verdict_names_a_host() -> None:
    assert worst([Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ERROR]) is Verdict.ERROR
    assert worst([Verdict.NOT_APPLICABLE, Verdict.PASS]) is Verdict.PASS


def test_secrets_on_the_command_line_are_redacted() -> None:
    line = ("--limit", "web", "--ssh-password", "hunter2", "--api-token=abc")
    assert redact(line) == ("--limit", "web", "--ssh-password", "***", "--api-token=***")


def test_a_file_that_holds_a_password_is_named() -> None:
    line = ("--vault-password-file", "vault.txt")
    assert redact(line) == line
