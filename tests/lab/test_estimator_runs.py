"""`--latency-trace` on real kernels: it sees the estimator run, and leaves a host as it was."""

from __future__ import annotations

import contextlib
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.latency import estimator_script, estimator_trace
from ipvs_audit.latency.estimator_runs_text import no_runs_reason
from ipvs_audit.model.limits import ESTIMATOR_TRACE
from ipvs_audit.model.target import Become, Target
from ipvs_audit.probe import framing
from ipvs_audit.snapshot import CollectionInfo, Snapshot, estimator_runs
from ipvs_audit.transport import Limits, TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.settings import Settings
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.guest import Guest

    from ipvs_audit.transport import Connection

VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
TRACING = "/sys/kernel/tracing"
NONCE = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def timer(_qemu_works: None) -> Iterator[Guest]:
    """Linux 6.1, where a timer estimates."""
    folder = lab_fleet.own_folder() / "timer-runs"
    guest = lab_fleet.boot("6.1", folder, name="timer", states=["unset", "services", "traffic"])
    guest.ssh(f"mount -t tracefs tracefs {TRACING}; mount -t debugfs debugfs /sys/kernel/debug")
    yield guest
    guest.stop()


@pytest.fixture(scope="module")
def kthreads(_qemu_works: None) -> Iterator[Guest]:
    """Linux 6.12, where threads do."""
    folder = lab_fleet.own_folder() / "kthread-runs"
    guest = lab_fleet.boot("6.12", folder, name="kthread", states=["unset", "services", "traffic"])
    guest.ssh(f"mount -t tracefs tracefs {TRACING}")
    yield guest
    guest.stop()


def look(
    guest: Guest, *, user: str = "root", seconds: int = ESTIMATOR_TRACE
) -> estimator_runs.EstimatorRuns:
    """What the script says there."""
    script = estimator_script.render(NONCE, seconds=seconds)
    said = guest.ssh("sh -s", stdin=script, user=user, timeout=120).stdout
    return estimator_runs.parse(framing.parse(said.encode(), NONCE)[estimator_runs.SECTION])


OURS = (
    f"ls {TRACING}/instances | grep ipvs_audit; grep ipvs_audit {TRACING}/kprobe_events;"
    " grep -las 'ipvs_audi[t]_' /proc/[0-9]*/cmdline"
)


def ours(guest: Guest) -> str:
    """All that bears our name there: instances, probe events, processes."""
    return guest.ssh(f"{OURS}; true").stdout


def gone(guest: Guest) -> bool:
    """Whether all of it is gone, at once or within a while; by itself."""
    waited = f'n=0; while [ -n "$({OURS})" ] && [ $n -lt 480 ]; do n=$((n+1)); sleep 0.5; done'
    guest.ssh(waited, timeout=300)
    return ours(guest) == ""


def tag_of(guest: Guest) -> str:
    """The tag of the run that is at work, once it is."""
    listed = f"ls -d {TRACING}/instances/ipvs_audit_*/events/ipvs_audit_*/enable"
    waited = f"n=0; until {listed} 2>/dev/null || [ $n = 300 ]; do n=$((n+1)); sleep 0.2; done"
    found = guest.ssh(waited, timeout=150).stdout
    return found.split("/")[-2]


def connected(guest: Guest, user: str = "root", become: Become | None = None) -> Connection:
    target = Target(
        guest.name,
        address="127.0.0.1",
        port=guest.port,
        user=user,
        key_file=str(guest.client_key),
        become=become,
    )
    limits = Limits(connect=240, deadline=900)
    return open_connection(target, Settings(limits, known_hosts=(guest.known_hosts,)))


@contextmanager
def at_work(connection: Connection) -> Iterator[None]:
    """A trace under way over the connection, for as long as a test may need."""

    def run() -> None:
        with contextlib.suppress(TransportError):
            script = estimator_script.render(NONCE, seconds=60)
            connection.run_script(script, timeout=900, max_output=1 << 20)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        connection.close()
        thread.join()


def test_the_timer_is_seen_and_nothing_stays_behind(timer: Guest) -> None:
    seen = look(timer)
    assert (seen.kind, seen.refused, seen.kprobes) == ("timer", "", "1")
    assert len(seen.runs) >= 2
    assert (seen.fewer, seen.doubtful, seen.left, seen.removed) == (False, False, (), ())
    assert ours(timer) == ""


def test_root_by_sudo_sees_the_same(timer: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator_trace, "TIMEOUT", 200.0)  # of an emulated guest, beside others
    bare = Snapshot(timer.name, CollectionInfo("", "", "ssh", "", ""), {})
    connection = connected(timer, "audit", Become())
    seen = estimator_trace.with_runs(bare, lambda: connection).estimator_runs
    connection.close()
    assert seen is not None
    assert (seen.kind, seen.refused) == ("timer", "")
    assert gone(timer)


def test_an_ordinary_account_is_refused(timer: Guest) -> None:
    seen = look(timer, user="audit")
    assert (seen.kind, seen.runs) == ("none", ())
    assert "only root may trace" in seen.refused


@pytest.mark.parametrize(("user", "become"), [("root", None), ("audit", Become())])
def test_a_connection_that_is_cut_leaves_nothing(
    timer: Guest, user: str, become: Become | None
) -> None:
    connection = connected(timer, user, become)
    with at_work(connection):
        tag_of(timer)
        connection.close()
        assert gone(timer)


def test_a_script_that_is_killed_leaves_nothing(timer: Guest) -> None:
    with at_work(connected(timer)):
        timer.ssh(f"kill -9 {tag_of(timer).split('_')[3]}")
        assert gone(timer)


def orphan(timer: Guest) -> str:
    """A run that was killed together with its watcher; its tag."""
    with at_work(connected(timer)):
        tag = tag_of(timer)
        watcher = f"$(grep -las '[i]{tag[1:]}' /proc/[0-9]*/cmdline | cut -d/ -f3)"
        timer.ssh(f"kill -9 {tag.split('_')[3]} {watcher}")
    return tag


def test_the_next_run_removes_what_a_killed_one_left(timer: Guest) -> None:
    tag = orphan(timer)
    assert tag in ours(timer)
    assert look(timer, seconds=1).removed == (tag,)
    assert ours(timer) == ""


def test_what_cannot_be_removed_is_named_and_removed_once_it_can(timer: Guest) -> None:
    tag = orphan(timer)
    holder = timer.ssh(
        f"exec 9<{TRACING}/instances/{tag}/trace_pipe; sleep 300 >/dev/null 2>&1 & echo $!"
    ).stdout
    seen = look(timer, seconds=1)
    assert seen.left == (f"{TRACING}/instances/{tag}",)
    assert seen.removed == ()
    timer.ssh(f"kill {holder}")
    assert look(timer, seconds=1).removed == (tag,)
    assert ours(timer) == ""


def test_names_of_others_are_left_alone(timer: Guest) -> None:
    own = timer.ssh("readlink /proc/self/ns/pid | tr -dc 0-9; echo; cut -d' ' -f22 /proc/1/stat")
    space, start = own.stdout.split()
    alive, elsewhere = f"ipvs_audit_{space}_1_{start}_1", "ipvs_audit_1_99999999_1_1"
    timer.ssh(f"cd {TRACING}/instances && mkdir {alive} {elsewhere} ipvs_audit_mine audit")
    try:
        seen = look(timer, seconds=1)
        assert (seen.removed, seen.left, seen.other) == ((), (), (elsewhere,))
        assert len(timer.ssh(f"ls {TRACING}/instances").stdout.split()) == 4
    finally:
        timer.ssh(f"cd {TRACING}/instances && rmdir *")


def test_another_tracer_goes_on_as_it_was(timer: Guest) -> None:
    state = f"cd {TRACING}; head -n 50 current_tracer set_ftrace_filter kprobe_events"
    state += " tracing_on trace_clock buffer_size_kb events/theirs/*/enable instances/*/tracing_on"
    count = f"grep -c ': mine: (' {TRACING}/trace; grep -c estimation_timer"
    count += f" {TRACING}/instances/other/trace; true"
    timer.ssh(
        f"cd {TRACING}; echo 'p:theirs/mine ip_vs:estimation_timer' >>kprobe_events"
        " && echo 'r:theirs/mine_too ip_vs:estimation_timer' >>kprobe_events"
        " && echo 1 >events/theirs/enable && echo estimation_timer >set_ftrace_filter"
        " && echo function >current_tracer && mkdir instances/other"
        " && echo 1 >instances/other/events/theirs/enable"
    )
    try:
        before, seen_before = timer.ssh(state).stdout, timer.ssh(count).stdout.split()
        seen = look(timer)
        assert timer.ssh(state).stdout == before
        grown = zip(seen_before, timer.ssh(count).stdout.split(), strict=True)
        assert all(int(after) > int(early) for early, after in grown)
        assert len(seen.runs) >= 2
        assert seen.left == ()
    finally:
        timer.ssh(
            f"cd {TRACING}; echo nop >current_tracer; echo >set_ftrace_filter;"
            " echo 0 >events/theirs/enable; echo 0 >instances/other/events/theirs/enable;"
            " rmdir instances/other; echo -:theirs/mine >>kprobe_events;"
            " echo -:theirs/mine_too >>kprobe_events"
        )
    assert ours(timer) == ""


@pytest.mark.parametrize(
    ("switch", "named"),
    [
        ("/sys/kernel/debug/kprobes/enabled", "kprobes/enabled is 0"),
        ("/proc/sys/kernel/ftrace_enabled", "kernel.ftrace_enabled is 0"),
    ],
)
def test_probe_events_that_are_switched_off_prove_nothing(
    timer: Guest, switch: str, named: str
) -> None:
    timer.ssh(f"echo 0 >{switch}")
    try:
        seen = look(timer)
    finally:
        timer.ssh(f"echo 1 >{switch}")
    assert (seen.runs, seen.left) == ((), ())
    assert "proves nothing" in no_runs_reason(seen)
    assert named in no_runs_reason(seen)


def test_the_idle_timer_of_a_host_with_estimation_off_is_not_work(timer: Guest) -> None:
    timer.ssh(f"echo 0 >{VALUE}")
    try:
        seen = look(timer)
    finally:
        timer.ssh(f"echo 1 >{VALUE}")
    assert len(seen.runs) >= 2  # it fires, and returns at once


def test_tracefs_below_debugfs_will_do_and_none_is_refused(timer: Guest) -> None:
    timer.ssh(f"umount {TRACING}")
    try:
        assert look(timer, seconds=5).kind == "timer"
        timer.ssh("umount /sys/kernel/debug/tracing; umount /sys/kernel/debug")
        assert "mount -t tracefs" in look(timer, seconds=1).refused
    finally:
        timer.ssh(f"mount -t tracefs tracefs {TRACING}; mount -t debugfs d /sys/kernel/debug")
    assert ours(timer) == ""


def test_a_kernel_that_is_locked_down_is_named(timer: Guest) -> None:
    """The last on this guest: there is no way back."""
    timer.ssh(
        "mount -t securityfs s /sys/kernel/security; echo confidentiality"
        " >/sys/kernel/security/lockdown"
    )
    seen = look(timer, seconds=1)
    assert seen.kind == "none"
    assert "locked down" in seen.refused


def test_threads_are_told_by_their_cpu_time_and_nothing_is_written(kthreads: Guest) -> None:
    state = f"ls {TRACING}/instances; cat {TRACING}/kprobe_events {TRACING}/tracing_on"
    before = kthreads.ssh(state).stdout
    seen = look(kthreads)
    assert (seen.kind, seen.refused, seen.holds) == ("threads", "", ())
    assert sum(seen.runs) > 0
    assert kthreads.ssh(state).stdout == before


def test_threads_that_are_not_there_prove_nothing(kthreads: Guest) -> None:
    kthreads.ssh(f"echo 0 >{VALUE}")
    try:
        seen = look(kthreads, seconds=1)
    finally:
        kthreads.ssh(f"echo 1 >{VALUE}")
    assert (seen.kind, seen.runs) == ("threads", ())
    assert "proves nothing" in no_runs_reason(seen)
