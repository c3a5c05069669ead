"""Round trips through a real sshd: stalls of its session are seen, and called what they are."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openssh import descendants

from ipvs_audit.latency.analysis import LatencyAnalysis, analyse
from ipvs_audit.latency.echo import EchoError, Schedule, measure
from ipvs_audit.latency.echo_icmp import IcmpEcho, answers_echo
from ipvs_audit.latency.echo_ssh import COMMAND, SshEcho
from ipvs_audit.latency.measure_hosts import Job, measure_all, measure_one
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import CollectionInfo, Snapshot
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.ssh.connection import SshConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from openssh import Server, Start

    from ipvs_audit.latency.options import MethodChoice
    from ipvs_audit.snapshot.round_trips import RoundTrips

#: Below what a policy may ask, for tests that need no verdict.
BRIEF = Policy.model_construct(**{**Policy().model_dump(), "latency_seconds": 1})


def cat_of(server: Server) -> int:
    """The ``cat`` of the only session that runs one."""
    (found,) = (
        pid
        for pid in descendants(server.pid)
        if Path(f"/proc/{pid}/cmdline").read_bytes() == b"cat\0"
    )
    return found


@contextlib.contextmanager
def standing_still(pid: int, first: float, length: float, rest: float) -> Callable[[], None]:  # type: ignore[misc]
    """Stop a process for so long, again and again, with so long a rest after each time."""
    over = threading.Event()

    def run() -> None:
        over.wait(first)
        while not over.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(length)
                os.kill(pid, signal.SIGCONT)
            over.wait(rest)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield over.set
    finally:
        over.set()
        thread.join()


def watched(server: Server, seconds: float, first: float, length: float, rest: float) -> RoundTrips:
    """A trace to a host that stands still in that manner."""
    connection = open_connection(server.target(), server.settings)
    assert isinstance(connection, SshConnection)
    try:
        echo = SshEcho(connection.open_pipe(COMMAND, timeout=10))
        with standing_still(cat_of(server), first, length, rest):
            return measure(echo, Schedule(0.005, seconds, 5.0))
    finally:
        connection.close()


def test_a_session_that_stands_still_is_one_delay_as_long_as_it_was(sshd: Server) -> None:
    trace = watched(sshd, 2, 1.0, 0.3, 60)
    assert trace.ended == ""
    found = analyse(trace, spike=0.1)
    # A busy machine adds delays of its own, and raises the median that a height counts from.
    stall = [one for one in found.spikes if one.at == pytest.approx(1.0, abs=0.25)]
    assert found.p50 is not None
    assert 0.25 < max(one.height for one in stall) + found.p50 < 0.6


def test_the_estimators_time_is_told_from_another(start: Start) -> None:
    """At once: stalls with 2 s of rest between them, and stalls every 0.7 s."""

    def found(rest: float) -> LatencyAnalysis:
        with start() as server:
            return analyse(watched(server, 12, 0.4, 0.25, rest), spike=0.12)

    with ThreadPoolExecutor(2) as pool:
        timer, other = pool.map(found, (2.0, 0.45))
    assert timer.period_test.members >= 4, timer
    assert timer.period_test.period == pytest.approx(2.25, abs=0.2)
    # A machine with too much to do puts stalls of its own beside those of the test.
    disturbed = timer.period_test.among - timer.period_test.members + timer.period_test.missed
    assert timer.period_test.estimator or disturbed, timer
    assert len(other.spikes) > 10
    assert not other.period_test.estimator


def job(server: Server, choice: MethodChoice = "ssh", policy: Policy = BRIEF) -> Job:
    evidence = Snapshot("web1", CollectionInfo("", "", "ssh", "", ""), {})
    return Job(evidence, server.target(), server.settings, policy, choice)


def trace_of(evidence: Snapshot) -> RoundTrips:
    assert evidence.latency is not None
    return evidence.latency


def test_several_hosts_are_measured_at_once(sshd: Server) -> None:
    begun = time.monotonic()
    traces = [trace_of(evidence) for evidence in measure_all([job(sshd)] * 4, 4)]
    assert time.monotonic() - begun < 20
    assert [trace.ended for trace in traces] == [""] * 4
    assert all(len(trace.sent) > 50 for trace in traces)
    assert all(rtt is not None for trace in traces for rtt in trace.rtt)


def test_the_connection_that_is_open_is_used_and_stays_open(sshd: Server) -> None:
    connection = open_connection(sshd.target(), sshd.settings)
    try:
        before = len(sshd.sessions())
        one = job(sshd)
        kept = Job(one.snapshot, one.target, one.settings, one.policy, "ssh", connection)
        assert trace_of(measure_one(kept)).ended == ""
        assert connection.run_script(b"echo alive", timeout=10, max_output=100).stdout == b"alive\n"
        assert len(sshd.sessions()) <= before + 1
    finally:
        connection.close()


def test_auto_does_not_take_this_machine_for_the_host_behind_its_port(sshd: Server) -> None:
    assert trace_of(measure_one(job(sshd, "auto"))).via == "ssh"
    refused = trace_of(measure_one(job(sshd, "icmp")))
    assert refused.sent == ()
    assert "127.0.0.1 is this machine itself" in refused.ended


def test_a_host_that_dies_on_the_way_ends_its_trace(start: Start) -> None:
    with start() as server:
        begun = time.monotonic()

        def kill() -> None:
            time.sleep(1)
            for pid in server.sessions():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        trace = trace_of(measure_one(job(server, policy=Policy())))
        killer.join()
        assert "ended" in trace.ended
        assert time.monotonic() - begun < 11


def test_an_account_that_runs_another_command_is_told(start: Start) -> None:
    with start("ForceCommand /bin/true") as server:
        trace = trace_of(measure_one(job(server)))
    assert trace.sent == ()
    assert "before cat returned what it was sent" in trace.ended


def test_what_a_login_shell_prints_first_is_passed_over(start: Start) -> None:
    with start("ForceCommand printf 'Welcome to web1\\n'; exec cat") as server:
        trace = trace_of(measure_one(job(server)))
    assert trace.ended == ""
    assert len(trace.sent) > 50


def test_answers_that_were_never_asked_for_end_the_trace(start: Start) -> None:
    with start("ForceCommand head -c 32; yes") as server:
        trace = trace_of(measure_one(job(server)))
    assert "what came back is not what was sent" in trace.ended


def test_a_host_that_cannot_be_reached_says_so(sshd: Server) -> None:
    gone = job(sshd)
    down = Job(gone.snapshot, sshd.target(port=1), gone.settings, gone.policy, "ssh")
    assert "refused" in trace_of(measure_one(down)).ended.lower()


def test_echo_requests_need_no_low_descriptor() -> None:
    """With many connections open, descriptors go beyond what select(2) knows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            stack.enter_context(open(os.devnull))  # noqa: PTH123
        try:
            echo = IcmpEcho("127.0.0.1")
        except EchoError as why:
            pytest.skip(str(why))
        stack.callback(echo.close)
        assert answers_echo(echo)


def test_echo_requests_to_this_machine_are_answered() -> None:
    try:
        echo = IcmpEcho("127.0.0.1")
    except EchoError as why:
        pytest.skip(str(why))
    try:
        trace = measure(echo, Schedule(0.02, 1, 1.0))
    finally:
        echo.close()
    assert trace.via == "icmp"
    assert trace.ended == ""
    assert len(trace.sent) > 10
    assert sum(rtt is not None for rtt in trace.rtt) > 0.9 * len(trace.rtt)
