"""Latency before and after a remedy: kept beside each other, and no judge of what is reverted."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from bench.synthetic_round_trips import estimator, seen
from made import check, snapshot
from test_latency_verdicts import PACED, STEADY, timed

from ipvs_audit.audit.latency import keep_earlier_traces
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.remedy.remediation import Remediation
from ipvs_audit.snapshot import Failure, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

LOST = Failure("web1", "timeout", "web1: gone", "", "")


def test_the_trace_before_a_remedy_stays_beside_the_one_after() -> None:
    before, after = timed(PACED), Snapshot("web1", timed(None).collection, timed(STEADY).sections)
    collected: dict[str, Snapshot | Failure] = {"web1": after}
    keep_earlier_traces(collected, {"web1": before})
    now = collected["web1"]
    assert isinstance(now, Snapshot)
    assert now.latency_before == PACED
    assert now.latency == STEADY


def test_hosts_that_were_lost_or_not_looked_at_again_keep_what_they_had() -> None:
    same = timed(seen(estimator(0.1, Random(1)), Random(1)))  # noqa: S311
    collected: dict[str, Snapshot | Failure] = {"lost": LOST, "same": same}
    keep_earlier_traces(collected, {"lost": timed(PACED), "same": same})
    assert collected == {"lost": LOST, "same": same}


def test_a_host_not_yet_measured_again_is_not_judged_by_its_latency(tmp_path: Path) -> None:
    remedy = Remediation(
        options=None,  # type: ignore[arg-type]
        policies={"web1": Policy()},
        access=None,
        reports=tmp_path,
        directory=tmp_path,
        forks=1,
        tell=print,
        ask=lambda _: False,
        stop=StopRequest(),
    )
    remedy.add_check("web1", check("EST-7"))
    remedy.add_check("web1", check("EST-4"))
    assert remedy.judge("web1", timed(PACED))["EST-7"].verdict is Verdict.FAIL
    bare = snapshot()
    bare.sections.pop("latency", None)  # type: ignore[attr-defined]
    assert set(remedy.judge("web1", bare)) == {"EST-4"}
    assert remedy.judge("web1", LOST)["EST-7"].verdict is Verdict.ERROR
