"""Sending by the clock, with a clock of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from ipvs_audit.latency.analysis import analyse
from ipvs_audit.latency.echo import EchoError, Schedule, measure

if TYPE_CHECKING:
    from ipvs_audit.snapshot.round_trips import RoundTrips

SCHEDULE = Schedule(0.005, 1.0, 0.5)


class Host:
    """Answers each after 1 ms, but for the times at which it stands still; moves the clock."""

    via: Literal["ssh"] = "ssh"

    def __init__(
        self,
        stalls: tuple[tuple[float, float], ...] = (),
        absences: tuple[tuple[float, float], ...] = (),
        dies: float = 1e9,
        deaf: float = 1e9,
    ) -> None:
        self.now = 100.0
        self.start = self.now
        self.stalls, self.absences = stalls, list(absences)
        self.dies, self.deaf = dies, deaf
        self.due: list[tuple[float, int]] = []

    def clock(self) -> float:
        return self.now

    def send(self, number: int) -> None:
        at = self.now - self.start
        if at > self.dies:
            raise EchoError("the connection ended")
        if at > self.deaf:
            return
        back = at + 0.001
        for start, length in self.stalls:
            if start <= back < start + length:
                back = start + length
        self.due.append((self.start + back, number))

    def answers(self, until: float) -> list[tuple[int, float]]:
        first = min((at for at, _ in self.due), default=until)
        self.now = max(self.now, min(first, until)) + 1e-6
        found = [(number, at) for at, number in self.due if at <= self.now]
        self.due = [(at, number) for at, number in self.due if at > self.now]
        if self.absences and self.now - self.start >= self.absences[0][0]:
            self.now += self.absences.pop(0)[1]
        return found

    def close(self) -> None:
        pass


def measured(host: Host) -> RoundTrips:
    return measure(host, SCHEDULE, host.clock)


def test_sending_does_not_wait_for_answers() -> None:
    trace = measured(Host(stalls=((0.4, 0.1),)))
    assert len(trace.sent) == pytest.approx(200, abs=2)
    delayed = [rtt for rtt in trace.rtt if rtt is not None and rtt > 0.01]
    assert len(delayed) == pytest.approx(19, abs=2)
    assert max(delayed) == pytest.approx(0.1, abs=0.006)
    assert trace.stalls == ()


def test_the_controllers_own_absence_is_told_from_the_hosts() -> None:
    trace = measured(Host(absences=((0.4, 0.1),)))
    ((start, length),) = trace.stalls
    assert start == pytest.approx(0.4, abs=0.006)
    assert length == pytest.approx(0.1, abs=0.006)
    assert len(trace.sent) == pytest.approx(180, abs=3)
    assert analyse(trace).spikes == ()


def test_a_host_that_goes_deaf_is_all_loss_and_ends_in_time() -> None:
    host = Host(deaf=0.5)
    trace = measured(host)
    assert trace.ended == ""
    assert sum(rtt is None for rtt in trace.rtt) == pytest.approx(100, abs=2)
    assert host.now - host.start < SCHEDULE.duration + SCHEDULE.limit + 0.1


def test_a_connection_that_ends_leaves_what_was_measured_and_says_so() -> None:
    trace = measured(Host(dies=0.5))
    assert trace.ended == "after 500 ms: the connection ended"
    assert 90 < len(trace.sent) < 110


def test_an_answer_after_the_limit_is_lost() -> None:
    trace = measured(Host(stalls=((0.1, 0.8),)))
    assert any(rtt is None for rtt in trace.rtt)
    assert all(rtt <= SCHEDULE.limit for rtt in trace.rtt if rtt is not None)
