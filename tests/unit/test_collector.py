"""The collector, with connections made of nothing."""

from __future__ import annotations

import pickle
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from ipvs_audit.probe import attempt
from ipvs_audit.probe.collector import collect
from ipvs_audit.probe.threads import Threads
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.targets import Target
from ipvs_audit.transport import Again, Limits, Output, TransportError
from ipvs_audit.transport.settings import Settings

SETTINGS = Settings(limits=Limits(connect=1, deadline=1))
SLOW = replace(SETTINGS, limits=Limits(connect=1, deadline=30))


def answer(script: bytes) -> bytes:
    nonce = re.search(rb"nonce='([0-9a-f]{32})'", script)[1]
    return b"%s host - 1.00 4 6\nechoanswer\n%s end 1\n" % (nonce, nonce)


class Stub:
    """A connection that behaves as it is told."""

    fingerprint = "SHA256:stub"
    via = "stub"
    direct = True

    def __init__(self, behave: Any = None) -> None:
        self.behave = behave or (lambda script: Output(0, answer(script), b""))
        self.closed = 0
        self.ended = threading.Event()

    def run_script(self, script: bytes, **_limits: float) -> Any:
        return self.behave(script)

    def close(self) -> None:
        self.closed += 1
        self.ended.set()


def targets(count: int) -> list[Target]:
    return [Target(f"host{number}") for number in range(count)]


def gather(count: int, open_connection: Any, **changes: Any) -> list[Snapshot | Failure]:
    changes.setdefault("settings", SETTINGS)
    return list(collect(targets(count), open_connection=open_connection, **changes))


def test_every_host_comes_back_once() -> None:
    stubs = []

    def connect(_target: Target, _settings: Settings) -> Any:
        stubs.append(Stub())
        return stubs[-1]

    taken = gather(50, connect, forks=7)
    assert sorted(each.target for each in taken) == sorted(each.name for each in targets(50))
    assert all(isinstance(each, Snapshot) for each in taken)
    assert [stub.closed for stub in stubs] == [1] * 50


def test_a_probe_cannot_bring_measurements_of_its_own() -> None:
    def behave(script: bytes) -> Output:
        nonce = re.search(rb"nonce='([0-9a-f]{32})'", script)[1]
        names = (b"host", b"latency", b"latency.before", b"latency.trace", b"latency.trace.before")
        frames = b"".join(b"%s %s - 1.00 4 2\nechono\n" % (nonce, name) for name in names)
        return Output(0, frames + b"%s end 5\n" % nonce, b"")

    (taken,) = gather(1, lambda *_: Stub(behave))
    assert isinstance(taken, Snapshot)
    assert set(taken.sections) == {"host"}


def test_no_more_than_forks_are_under_way_or_read_ahead() -> None:
    under_way, most, asked = [], [], []

    def connect(target: Target, _settings: Settings) -> Any:
        under_way.append(target.name)
        most.append(len(under_way))
        time.sleep(0.01)
        under_way.remove(target.name)
        return Stub()

    def fleet() -> Any:
        for target in targets(40):
            asked.append(target)
            yield target

    results = collect(fleet(), open_connection=connect, settings=SETTINGS, forks=5)
    next(results)
    assert len(asked) <= 6
    assert len(list(results)) == 39
    assert max(most) <= 5


class Crowd:
    """Counts the hosts that connect and those that are probed."""

    def __init__(self, *, together: int, direct: bool = True, seconds: float = 0) -> None:
        self.direct = direct
        self.seconds = seconds
        self.lock = threading.Lock()
        self.connecting, self.probing = set(), set()
        self.most_connecting = self.most_probing = 0
        self.all_wait = threading.Barrier(together)

    def connect(self, target: Target, _settings: Settings) -> Any:
        with self.lock:
            self.connecting.add(target.name)
            self.most_connecting = max(self.most_connecting, len(self.connecting))
        time.sleep(0.005)
        stub = Stub(lambda script: self.probe(target.name, script))
        stub.direct = self.direct
        with self.lock:
            self.connecting.discard(target.name)
        return stub

    def probe(self, name: str, script: bytes) -> Output:
        with self.lock:
            self.probing.add(name)
            self.most_probing = max(self.most_probing, len(self.probing))
        self.all_wait.wait(20)  # broken, and the host a failure, unless so many wait at a time
        time.sleep(self.seconds)
        with self.lock:
            self.probing.discard(name)
        return Output(0, answer(script), b"")


def test_connected_hosts_wait_together_and_no_more_than_forks_connect() -> None:
    crowd = Crowd(together=12)
    taken = gather(36, crowd.connect, forks=2, under_way=12, settings=SLOW)
    assert [type(each) for each in taken] == [Snapshot] * 36
    assert crowd.most_connecting <= 2
    assert crowd.most_probing == 12


def test_host_behind_a_jump_host_keeps_its_place_to_the_end() -> None:
    crowd = Crowd(together=1, direct=False, seconds=0.05)
    taken = gather(20, crowd.connect, forks=2, under_way=12, settings=SLOW)
    assert [type(each) for each in taken] == [Snapshot] * 20
    assert crowd.most_probing <= 2


def test_lost_hosts_that_connect_again_are_among_the_forks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "_FIRST_PAUSE", 0.01)
    crowd, lost = Crowd(together=1), set()

    def connect(target: Target, settings: Settings) -> Any:
        stub = crowd.connect(target, settings)
        if target.name not in lost:
            lost.add(target.name)
            stub.behave = lose
        return stub

    all_lost = threading.Barrier(12)

    def lose(_script: bytes) -> Any:
        all_lost.wait(20)
        raise TransportError("protocol", "cut off", again="once")

    taken = gather(36, connect, forks=2, under_way=12, settings=SLOW)
    assert [type(each) for each in taken] == [Snapshot] * 36
    assert len(lost) == 36
    assert crowd.most_connecting <= 2


def test_hosts_stuck_in_connecting_starve_the_others_until_their_deadline_only() -> None:
    free = threading.Event()

    def connect(target: Target, _settings: Settings) -> Any:
        if target.name in {"host0", "host1"}:
            free.wait(20)
        return Stub()

    settings = replace(SETTINGS, limits=Limits(deadline=0.5))
    begun = time.monotonic()
    taken = {
        each.target: each
        for each in gather(10, connect, forks=2, under_way=8, settings=settings, grace=0.2)
    }
    assert time.monotonic() - begun < 5
    assert {name for name, each in taken.items() if isinstance(each, Failure)} == {"host0", "host1"}
    assert taken["host0"].kind == taken["host1"].kind == "timeout"
    assert len(taken) == 10
    free.set()


def test_where_no_more_threads_start_hosts_wait_for_those_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most = [], []

    class Few(Threads):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            if len(running) == 3:
                raise RuntimeError("can't start new thread")
            running.append(1)
            most.append(len(running))
            future = super().submit(fn, *args, **kwargs)
            future.add_done_callback(lambda _: running.pop())
            return future

    monkeypatch.setattr("ipvs_audit.probe.collector.Threads", Few)

    def probe(script: bytes) -> Output:
        time.sleep(0.02)
        return Output(0, answer(script), b"")

    taken = gather(20, lambda *_: Stub(probe), forks=2, under_way=12, settings=SLOW)
    assert sorted(each.target for each in taken) == sorted(each.name for each in targets(20))
    assert {type(each) for each in taken} == {Snapshot}
    assert max(most) == 3


def test_failed_host_is_data_and_the_others_are_unaffected() -> None:
    def connect(target: Target, _settings: Settings) -> Any:
        if target.name == "host1":
            raise TransportError("authentication", "no way in")
        return Stub()

    taken = {each.target: each for each in gather(3, connect)}
    assert isinstance(taken["host0"], Snapshot)
    failed = taken["host1"]
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.message) == ("authentication", "no way in")
    assert failed.started <= failed.finished


def test_surprise_in_a_library_is_one_hosts_failure() -> None:
    def connect(_target: Target, _settings: Settings) -> None:
        raise ZeroDivisionError("with distinctive-secret")

    target = Target("host0", password=SecretStr("distinctive-secret"))
    (taken,) = collect([target], open_connection=connect, settings=SETTINGS)
    assert taken.kind == "protocol"
    assert "ZeroDivisionError" in taken.message
    assert "distinctive-secret" not in taken.message


@pytest.mark.parametrize(
    "behave",
    [
        lambda script: Output(0, answer(script)[:-10], b""),
        lambda _script: Output(1, b"garbage \x1b[2J <script>", b""),
        lambda _script: Output(None, b"", b"noise"),
    ],
)
def test_garbled_output_is_a_failure_that_names_the_host(behave: Any) -> None:
    (taken,) = gather(1, lambda *_: Stub(behave))
    assert taken.kind == "protocol"
    assert "host0" in taken.message
    assert taken.message.isprintable()


def test_host_that_hangs_in_a_library_is_given_up_on_and_takes_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ipvs_audit.probe.collector.GRACE", 0.2)
    free = threading.Event()
    hung = Stub(lambda _script: free.wait(20) and None)

    def connect(target: Target, _settings: Settings) -> Any:
        return hung if target.name == "host0" else Stub()

    settings = replace(SETTINGS, limits=Limits(deadline=0.5))
    begun = time.monotonic()
    taken = {each.target: each for each in gather(10, connect, forks=1, settings=settings)}
    assert time.monotonic() - begun < 5
    assert taken["host0"].kind == "timeout"
    assert all(isinstance(taken[f"host{n}"], Snapshot) for n in range(1, 10))
    assert hung.closed
    free.set()


@pytest.mark.parametrize(("again", "tries"), [("never", 1), ("once", 2), ("backoff", 11)])
def test_only_what_can_help_is_tried_again(
    again: Again, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(attempt, "_FIRST_PAUSE", 0.01)
    calls = []

    def connect(*_: Any) -> None:
        calls.append(1)
        raise TransportError("unreachable", "no", again=again)

    gather(1, connect, settings=SLOW)
    assert len(calls) == tries


def test_back_off_ends_in_success_when_the_server_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "_FIRST_PAUSE", 0.01)
    calls = []

    def connect(*_: Any) -> Any:
        calls.append(1)
        if len(calls) < 4:
            raise TransportError("unreachable", "busy", again="backoff")
        return Stub()

    (taken,) = gather(1, connect, settings=SLOW)
    assert isinstance(taken, Snapshot)


def test_kept_connections_stay_open_and_others_do_not() -> None:
    stubs = {}

    def connect(target: Target, _settings: Settings) -> Any:
        stubs[target.name] = Stub()
        return stubs[target.name]

    gather(4, connect, keep=lambda target, _: target.name == "host2")
    assert {name for name, stub in stubs.items() if not stub.closed} == {"host2"}


def test_connection_is_closed_where_the_probe_fails() -> None:
    stub = Stub(lambda _script: (_ for _ in ()).throw(TransportError("timeout", "slow")))
    gather(1, lambda *_: stub, keep=lambda *_: True)
    assert stub.closed


def test_on_done_is_told_before_the_host_is_given() -> None:
    told = []
    for taken in collect(
        targets(5), open_connection=lambda *_: Stub(), settings=SETTINGS, on_done=told.append
    ):
        assert told[-1] is taken
    assert len(told) == 5


def drain(results: Any, into: list[Any]) -> None:
    for each in results:
        into.append(each)  # noqa: PERF402  # what came before an exception must stay


def test_interrupt_gives_what_is_known_and_accounts_for_the_rest() -> None:
    waiting = Stub()
    waiting.behave = lambda _script: waiting.ended.wait(20) and Output(0, b"", b"")
    results = collect(
        targets(5),
        open_connection=lambda target, _: Stub() if target.name == "host0" else waiting,
        settings=SLOW,
        forks=2,
    )
    taken = [next(results), results.throw(KeyboardInterrupt)]  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        drain(results, taken)
    assert isinstance(taken[0], Snapshot)
    assert [each.kind for each in taken[1:]] == ["interrupted"] * 4
    assert waiting.ended.wait(20)


def test_interrupt_ends_hosts_that_wait_and_none_connects_again() -> None:
    all_there, stubs = threading.Barrier(6), {}

    def connect(target: Target, _settings: Settings) -> Any:
        stub = stubs[target.name] = Stub()

        def wait(script: bytes) -> Output:
            all_there.wait(20)
            if target.name == "host0":
                return Output(0, answer(script), b"")
            stub.ended.wait(20)
            raise TransportError("protocol", "closed", again="once")

        stub.behave = wait
        return stub

    before = threading.active_count()
    results = collect(targets(9), open_connection=connect, settings=SLOW, forks=1, under_way=6)
    taken = [next(results), results.throw(KeyboardInterrupt)]  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        drain(results, taken)
    assert isinstance(taken[0], Snapshot)
    assert sorted(each.target for each in taken) == [f"host{number}" for number in range(9)]
    assert [each.kind for each in taken[1:]] == ["interrupted"] * 8
    for _ in range(200):
        if threading.active_count() == before:
            break
        time.sleep(0.05)
    assert threading.active_count() == before
    assert len(stubs) == 6
    assert all(stub.closed for stub in stubs.values())


def test_walking_away_from_the_results_ends_what_is_under_way() -> None:
    waiting = Stub()
    waiting.behave = lambda _script: waiting.ended.wait(20) and Output(0, b"", b"")
    results = collect(
        targets(3),
        open_connection=lambda target, _: Stub() if target.name == "host0" else waiting,
        settings=SLOW,
        forks=3,
    )
    next(results)
    time.sleep(0.1)
    results.close()
    assert waiting.closed


def test_any_executor_will_do_and_is_given_no_more_than_forks() -> None:
    given = []

    class Pool(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            future = super().submit(fn, *args, **kwargs)
            given.append(future)
            assert sum(not each.done() for each in given) <= 3
            return future

    with Pool(8) as pool:
        taken = gather(10, Crowd(together=1).connect, executor=pool, forks=3, under_way=8)
    assert len(taken) == 10


def test_job_and_errors_cross_process_boundaries() -> None:
    job = attempt.Job(Target("web", password=SecretStr("x")), SETTINGS, SETTINGS_OPEN)
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301
    error = TransportError("timeout", "slow", again="once")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (copy.kind, copy.message, copy.again) == ("timeout", "slow", "once")


def SETTINGS_OPEN(*_: Any) -> Any:  # noqa: N802
    return Stub()


def test_threads_serve_one_host_after_the_other_and_none_is_left() -> None:
    before, used = threading.active_count(), set()

    def connect(*_: Any) -> Any:
        used.add(threading.current_thread())
        return Stub()

    gather(200, connect, forks=4)
    assert len(used) < 40
    for each in used:
        each.join(20)
    assert threading.active_count() == before
