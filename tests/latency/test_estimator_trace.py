"""Asking a host for the estimator's runs: whatever comes, a section says it; nothing is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from test_latency_verdicts import OFF, PACED, STEADY, timed

from ipvs_audit.latency import estimator_trace, measure_hosts
from ipvs_audit.latency.measure_hosts import Job, measure_one
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.target import Target
from ipvs_audit.transport import Output, TransportError
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.snapshot import Snapshot
    from ipvs_audit.snapshot.estimator_runs import EstimatorRuns

TIMER = "kind=timer\nseconds=7.1\nevent=000 1.000000 run\nevent=000 1.000020 end\nend\n"


class Host:
    """A connection over which a script gets one answer."""

    fingerprint = ""
    via = "ssh stub"
    direct = True
    openssh_for: tuple[str, ...] = ()

    def __init__(self, behave: Callable[[str], bytes]) -> None:
        self.behave = behave
        self.asked: list[dict[str, float]] = []

    def run_script(self, script: bytes, **limits: float) -> Output:
        self.asked.append(limits)
        found = re.search(rb"nonce='([0-9a-f]{32})'", script)
        assert found is not None
        return Output(0, self.behave(found[1].decode()), b"")

    def close(self) -> None:
        pass


def frames(nonce: str, **sections: str) -> bytes:
    told = "".join(
        f"{nonce} {name.replace('_', '.')} - 99.00 1 {len(text)}\n:{text}\n"
        for name, text in sections.items()
    )
    return f"\n\n{told}{nonce} end {len(sections)}\n".encode()


def asked(behave: Callable[[str], bytes]) -> Snapshot:
    return estimator_trace.with_runs(timed(STEADY, census=OFF), lambda: Host(behave))


def ran_of(evidence: Snapshot) -> EstimatorRuns:
    assert evidence.estimator_runs is not None
    return evidence.estimator_runs


def test_what_the_script_says_joins_the_snapshot() -> None:
    evidence = asked(lambda nonce: frames(nonce, latency_trace=TIMER))
    assert ran_of(evidence).runs == pytest.approx((0.00002,))
    assert evidence.latency == STEADY
    # By the last of the probe's sections evidence is dated: it must not move.
    assert max(one.at for one in evidence.sections.values()) == 1.0


def test_a_host_brings_nothing_else_by_it() -> None:
    evidence = asked(lambda nonce: frames(nonce, latency_trace=TIMER, latency="mine", netns="mine"))
    assert evidence.latency == STEADY
    assert "netns" not in evidence.sections


def broken(why: Exception) -> Callable[[str], bytes]:
    def behave(_nonce: str) -> bytes:
        raise why

    return behave


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        (broken(TransportError("timeout", "web1: not done within 27 s")), "not done within 27 s"),
        (broken(TransportError("protocol", "web1: closed")), "web1: closed"),
        (broken(ValueError("x\x1b[31m")), "unforeseen ValueError"),
        (lambda _: b"bash: sh: not found", "bash: sh: not found"),
        (lambda nonce: frames(nonce, latency_trace=TIMER)[:-30], "incomplete"),
        (lambda nonce: frames(nonce, latency_trace="kind=magic\nend\n"), "the kind is 'magic'"),
        (lambda nonce: frames(nonce, other=TIMER), "did not bring it"),
    ],
)
def test_whatever_goes_wrong_is_said_with_where_to_look(
    behave: Callable[[str], bytes], why: str
) -> None:
    evidence = asked(behave)
    seen = ran_of(evidence)
    assert (seen.kind, seen.runs) == ("none", ())
    assert why in seen.refused
    assert "/sys/kernel/tracing/instances/ipvs_audit_*" in seen.refused
    assert evidence.latency == STEADY


def test_a_connection_that_is_not_to_be_had_has_set_up_nothing() -> None:
    def connect() -> Any:
        raise TransportError("unreachable", "web1: refused")

    seen = ran_of(estimator_trace.with_runs(timed(STEADY), connect))
    assert seen.refused == "web1: refused"


def test_time_and_size_are_bounded() -> None:
    host = Host(lambda nonce: frames(nonce, latency_trace=TIMER))
    estimator_trace.with_runs(timed(STEADY), lambda: host)
    (limits,) = host.asked
    assert 7 < limits["timeout"] <= 60
    assert limits["max_output"] <= 1024 * 1024


def job(trace: bool, **more: Any) -> Job:
    return Job(
        timed(None, census=OFF), Target("web1"), Settings(), Policy(), "ssh", trace=trace, **more
    )


def test_a_host_that_is_traced_is_given_the_time() -> None:
    assert job(True).longest >= job(False).longest + estimator_trace.TIMEOUT


def test_round_trips_that_failed_are_not_traced_and_both_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise TransportError("unreachable", "web1: refused")

    monkeypatch.setattr(measure_hosts, "icmp_echo", refuse)
    evidence = measure_one(job(True))
    assert evidence.latency is not None
    assert evidence.latency.ended == "web1: refused"
    assert "not measured to the end" in ran_of(evidence).refused
    assert measure_one(job(False)).estimator_runs is None


class Answering:
    """Round trips that need no host."""

    via = "icmp"

    def close(self) -> None:
        pass


def test_a_host_measured_by_icmp_is_connected_to_and_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Host(lambda nonce: frames(nonce, latency_trace=TIMER))
    closed = []
    host.close = lambda: closed.append(True)  # type: ignore[method-assign]
    monkeypatch.setattr(measure_hosts, "icmp_echo", lambda *_: (Answering(), "ping"))
    monkeypatch.setattr(measure_hosts, "measure", lambda *_: PACED)
    monkeypatch.setattr(measure_hosts, "open_connection", lambda *_: host)
    evidence = measure_one(job(True))
    assert evidence.latency == PACED
    assert ran_of(evidence).kind == "timer"
    assert closed == [True]
    kept = Host(lambda nonce: frames(nonce, latency_trace=TIMER))
    kept.close = lambda: closed.append(False)  # type: ignore[method-assign]
    assert ran_of(measure_one(job(True, connection=kept))).kind == "timer"
    assert closed == [True]
