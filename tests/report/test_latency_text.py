"""What a remedy did to the latency, as the terminal tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sample_run
from sample_run import QUIET, STALLED
from test_terminal import printed

from ipvs_audit.report.latency_text import latency_changes

if TYPE_CHECKING:
    from ipvs_audit.model.results import LatencyResult, Run


def measured(*pairs: tuple[LatencyResult | None, LatencyResult | None]) -> Run:
    host = sample_run.lab_hosts()[0]
    return sample_run.run(
        tuple(
            replace(host, name=f"lb{number}", id=f"lb{number}", latency_before=before, latency=now)
            for number, (before, now) in enumerate(pairs)
        )
    )


def test_before_and_after_stand_side_by_side() -> None:
    assert latency_changes(measured((STALLED, QUIET))) == [
        (
            "latency of lb0: 5 delays up to 241 ms, one every 2.31 s, p99.9 238 ms before"
            " remediation; no delay, p99.9 16 ms after it"
        )
    ]
    assert "latency of lb0: 5 delays up to 241 ms" in printed(measured((STALLED, QUIET)), 200)


def test_a_period_that_is_not_the_estimators_is_not_told() -> None:
    other = replace(STALLED, estimator=False, spikes=1)
    assert (
        "1 delay up to 241 ms, p99.9 238 ms before" in latency_changes(measured((other, QUIET)))[0]
    )


def test_hosts_that_were_not_measured_twice_are_left_out() -> None:
    assert latency_changes(measured((None, QUIET), (STALLED, None), (None, None))) == []


def test_what_was_not_measured_to_the_end_is_said() -> None:
    cut = replace(QUIET, ended="the line was cut")
    assert latency_changes(measured((STALLED, cut)))[0].endswith(
        "; not measured to the end after it"
    )


def test_the_longest_delays_come_first_and_the_rest_is_counted() -> None:
    many = [(replace(STALLED, highest=number / 100), QUIET) for number in range(1, 9)]
    lines = latency_changes(measured(*many))
    assert [line.split(":")[0] for line in lines[:2]] == ["latency of lb7", "latency of lb6"]
    assert len(lines) == 6
    assert lines[-1] == "and the latency of 3 more hosts, before and after, in the report"
