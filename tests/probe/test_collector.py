"""The collector, with connections made of nothing."""

from __future__ import annotations

import pickle
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from stub_hosts import SETTINGS, SLOW, Crowd, Stub, answer, gather, targets

from ipvs_audit.model import limits
from ipvs_audit.model.target import Target
from ipvs_audit.probe import collect_host
from ipvs_audit.probe.collector import collect
from ipvs_audit.probe.connection_slots import ConnectionSlots
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import Limits, Output, Retry, TransportError

if TYPE_CHECKING:
    from ipvs_audit.transport.settings import Settings


def test_every_host_comes_back_once() -> None:
    stubs = []

    def connect(_target: Target, _settings: Settings) -> Any:
        stubs.append(Stub())
        return stubs[-1]

    evidence = gather(50, connect, forks=7)
    assert sorted(each.target for each in evidence) == sorted(each.name for each in targets(50))
    assert all(isinstance(each, Snapshot) for each in evidence)
    assert [stub.closed for stub in stubs] == [1] * 50


def test_a_probe_cannot_bring_measurements_of_its_own() -> None:
    def behave(script: bytes) -> Output:
        nonce = re.search(rb"nonce='([0-9a-f]{32})'", script)[1]
        names = (b"host", b"latency", b"latency.before", b"latency.trace", b"latency.trace.before")
        frames = b"".join(b"%s %s - 1.00 4 2\nechono\n" % (nonce, name) for name in names)
        return Output(0, frames + b"%s end 5\n" % nonce, b"")

    (evidence,) = gather(1, lambda *_: Stub(behave))
    assert isinstance(evidence, Snapshot)
    assert set(evidence.sections) == {"host"}


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


def test_waiting_for_the_last_hosts_costs_no_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    spinning, asked = threading.Event(), []
    really = ConnectionSlots.try_acquire

    def try_acquire(slots: ConnectionSlots, owner: Any) -> bool:
        asked.append(owner)
        if len(asked) > 50:
            spinning.set()
        return really(slots, owner)

    def connect(_target: Target, _settings: Settings) -> Any:
        spinning.wait(limits.INTERRUPT_CHECK)
        return Stub()

    monkeypatch.setattr(ConnectionSlots, "try_acquire", try_acquire)
    assert len(gather(2, connect, forks=8)) == 2
    assert not spinning.is_set()


def test_failed_host_is_data_and_the_others_are_unaffected() -> None:
    def connect(target: Target, _settings: Settings) -> Any:
        if target.name == "host1":
            raise TransportError("authentication", "no way in")
        return Stub()

    evidence = {each.target: each for each in gather(3, connect)}
    assert isinstance(evidence["host0"], Snapshot)
    failed = evidence["host1"]
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.message) == ("authentication", "no way in")
    assert failed.started <= failed.finished


def test_surprise_in_a_library_is_one_hosts_failure() -> None:
    def connect(_target: Target, _settings: Settings) -> None:
        raise ZeroDivisionError("with distinctive-secret")

    target = Target("host0", password=SecretStr("distinctive-secret"))
    (evidence,) = collect([target], open_connection=connect, settings=SETTINGS)
    assert evidence.kind == "protocol"
    assert "ZeroDivisionError" in evidence.message
    assert "distinctive-secret" not in evidence.message


@pytest.mark.parametrize(
    "behave",
    [
        lambda script: Output(0, answer(script)[:-10], b""),
        lambda _script: Output(1, b"garbage \x1b[2J <script>", b""),
        lambda _script: Output(None, b"", b"noise"),
    ],
)
def test_garbled_output_is_a_failure_that_names_the_host(behave: Any) -> None:
    (evidence,) = gather(1, lambda *_: Stub(behave))
    assert evidence.kind == "protocol"
    assert "host0" in evidence.message
    assert evidence.message.isprintable()


def test_host_that_hangs_in_a_library_is_given_up_on_and_takes_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ipvs_audit.model.limits.DEADLINE_OVERRUN", 0.2)
    free = threading.Event()
    hung = Stub(lambda _script: free.wait(20) and None)

    def connect(target: Target, _settings: Settings) -> Any:
        return hung if target.name == "host0" else Stub()

    settings = replace(SETTINGS, limits=Limits(deadline=0.5))
    begun = time.monotonic()
    evidence = {each.target: each for each in gather(10, connect, forks=1, settings=settings)}
    assert time.monotonic() - begun < 5
    assert evidence["host0"].kind == "timeout"
    assert all(isinstance(evidence[f"host{n}"], Snapshot) for n in range(1, 10))
    assert hung.closed
    free.set()


def test_hosts_that_were_done_in_time_are_not_late_because_nobody_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, under_way = SimpleNamespace(monotonic=lambda: 1000.0), []
    monkeypatch.setattr("ipvs_audit.transport.deadline.time", clock)

    class Pool(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            under_way.append(super().submit(fn, *args, **kwargs))
            return under_way[-1]

    with Pool(8) as pool:
        results = collect(
            targets(8),
            open_connection=lambda *_: Stub(),
            settings=SETTINGS,
            executor=pool,
            forks=8,
        )
        evidence = [next(results)]
        assert not wait(under_way, 20).not_done
        clock.monotonic = lambda: 2000.0  # so long did it take to save the first
        evidence += results
    assert [each.message for each in evidence if isinstance(each, Failure)] == []
    assert len(evidence) == 8


def four_that_wait(**more: Any) -> tuple[Stub, Any]:
    """What they wait on, and the results of five hosts, of which the first answers at once."""
    waiting = Stub()
    waiting.behave = lambda _script: waiting.ended.wait(20) and Output(0, b"", b"")
    results = collect(
        targets(5),
        open_connection=lambda target, _: Stub() if target.name == "host0" else waiting,
        settings=SLOW,
        forks=2,
        **more,
    )
    return waiting, results


def test_a_request_to_stop_interrupts_it_in_its_own_time() -> None:
    asked = threading.Event()
    waiting, results = four_that_wait(stop=asked.is_set)
    evidence = [next(results)]
    asked.set()
    with pytest.raises(KeyboardInterrupt):
        drain(results, evidence)
    assert isinstance(evidence[0], Snapshot)
    assert [each.kind for each in evidence[1:]] == ["interrupted"] * 4
    assert waiting.ended.wait(20)


@pytest.mark.parametrize(("retry", "tries"), [("never", 1), ("once", 2), ("backoff", 11)])
def test_only_what_can_help_is_tried_again(
    retry: Retry, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(limits, "RETRY_FIRST_PAUSE", 0.01)
    calls = []

    def connect(*_: Any) -> None:
        calls.append(1)
        raise TransportError("unreachable", "no", retry=retry)

    gather(1, connect, settings=SLOW)
    assert len(calls) == tries


def test_back_off_ends_in_success_when_the_server_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETRY_FIRST_PAUSE", 0.01)
    calls = []

    def connect(*_: Any) -> Any:
        calls.append(1)
        if len(calls) < 4:
            raise TransportError("unreachable", "busy", retry="backoff")
        return Stub()

    (evidence,) = gather(1, connect, settings=SLOW)
    assert isinstance(evidence, Snapshot)


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


def drain(results: Any, into: list[Any]) -> None:
    for each in results:
        into.append(each)  # noqa: PERF402  # what came before an exception must stay


def test_interrupt_gives_what_is_known_and_accounts_for_the_rest() -> None:
    waiting, results = four_that_wait()
    evidence = [next(results), results.throw(KeyboardInterrupt)]  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        drain(results, evidence)
    assert isinstance(evidence[0], Snapshot)
    assert [each.kind for each in evidence[1:]] == ["interrupted"] * 4
    assert waiting.ended.wait(20)


@pytest.mark.parametrize("submitted", [False, True])
def test_interrupt_while_a_host_is_started_loses_none(*, submitted: bool) -> None:
    class Executor(ThreadPoolExecutor):
        calls = 0

        def submit(self, *args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == 3 and not submitted:
                raise KeyboardInterrupt
            future = super().submit(*args, **options)
            if self.calls == 3:
                raise KeyboardInterrupt
            return future

    evidence: list[Any] = []

    def gathered() -> None:
        with Executor(4) as executor:
            evidence.extend(
                collect(
                    targets(6),
                    settings=SETTINGS,
                    open_connection=lambda *_: Stub(),
                    executor=executor,
                    forks=4,
                )
            )

    with pytest.raises(KeyboardInterrupt):
        gathered()
    assert sorted(each.target for each in evidence) == sorted(each.name for each in targets(6))


def test_interrupt_ends_hosts_that_wait_and_none_connects_again() -> None:
    all_there, stubs = threading.Barrier(6), {}

    def connect(target: Target, _settings: Settings) -> Any:
        stub = stubs[target.name] = Stub()

        def wait(script: bytes) -> Output:
            all_there.wait(20)
            if target.name == "host0":
                return Output(0, answer(script), b"")
            stub.ended.wait(20)
            raise TransportError("protocol", "closed", retry="once")

        stub.behave = wait
        return stub

    before = set(threading.enumerate())
    results = collect(targets(9), open_connection=connect, settings=SLOW, forks=1, under_way=6)
    evidence = [next(results), results.throw(KeyboardInterrupt)]  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        drain(results, evidence)
    assert isinstance(evidence[0], Snapshot)
    assert sorted(each.target for each in evidence) == [f"host{number}" for number in range(9)]
    assert [each.kind for each in evidence[1:]] == ["interrupted"] * 8
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
    assert set(threading.enumerate()) <= before
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
        evidence = gather(10, Crowd(together=1).connect, executor=pool, forks=3, under_way=8)
    assert len(evidence) == 10


def test_job_and_errors_cross_process_boundaries() -> None:
    job = collect_host.Job(Target("web", password=SecretStr("x")), SETTINGS, SETTINGS_OPEN)
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301
    error = TransportError("timeout", "slow", retry="once")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (copy.kind, copy.message, copy.retry) == ("timeout", "slow", "once")


def SETTINGS_OPEN(*_: Any) -> Any:  # noqa: N802
    return Stub()


def test_threads_serve_one_host_after_the_other_and_none_is_left() -> None:
    before, used = set(threading.enumerate()), set()

    def connect(*_: Any) -> Any:
        used.add(threading.current_thread())
        return Stub()

    gather(200, connect, forks=4)
    assert len(used) < 40
    for each in used:
        each.join(20)
    assert set(threading.enumerate()) <= before
