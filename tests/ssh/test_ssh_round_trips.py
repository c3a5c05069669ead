"""Round trips through a real sshd: stalls of its session are seen, and called what they are."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openssh import descendants

from ipvs_audit.latency.analysis import analyse
from ipvs_audit.latency.echo import EchoError, Schedule, measure
from ipvs_audit.latency.echo_icmp import IcmpEcho, answers_echo
from ipvs_audit.latency.echo_ssh import COMMAND, SshEcho
from ipvs_audit.latency.measure_hosts import Job, measure_all, measure_one
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import CollectionInfo, Snapshot
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.ssh.connection import SshConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

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
def standing_still(
    pid: int, first: float, length: float, rest: float
) -> Iterator[list[tuple[float, float]]]:
    """Stop a process for so long, again and again, with so long a rest after each time.

    Gives when it stood still, from when to when by the wall clock; it grows.
    """
    over, stood = threading.Event(), list[tuple[float, float]]()

    def run() -> None:
        over.wait(first)
        while not over.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                began = time.time()
                time.sleep(length)
                stood.append((began, time.time()))
                os.kill(pid, signal.SIGCONT)
            over.wait(rest)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stood
    finally:
        over.set()
        thread.join()


def watched(
    server: Server, seconds: float, first: float, length: float, rest: float
) -> tuple[RoundTrips, list[tuple[float, float]]]:
    """A trace to a host that stands still in that manner, and when it did, on the trace's clock."""
    connection = open_connection(server.target(), server.settings)
    assert isinstance(connection, SshConnection)
    try:
        echo = SshEcho(connection.open_pipe(COMMAND, timeout=10))
        with standing_still(cat_of(server), first, length, rest) as stood:
            trace = measure(echo, Schedule(0.005, seconds, 5.0))
    finally:
        connection.close()
    zero = datetime.fromisoformat(trace.started).timestamp()
    return trace, [(began - zero, ended - zero) for began, ended in stood]


def test_each_time_that_a_session_stands_still_is_a_delay_as_long_as_it_was(sshd: Server) -> None:
    trace, stood = watched(sshd, 6, 0.5, 0.3, 1.0)
    assert trace.ended == ""
    found = analyse(trace, spike=0.1)
    assert found.p50 is not None
    assert len(stood) >= 3
    for began, ended in stood[:-1]:  # the last may be cut by the end
        # Something else on a busy machine may make it longer; a stall of this process counts for
        # nobody's.
        seen = [one for one in found.spikes if one.at < ended and one.at + one.width > ended - 0.01]
        own = any(at < ended and at + length > began for at, length in trace.stalls)
        assert own or max(one.height for one in seen) + found.p50 > ended - began - 0.05


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
