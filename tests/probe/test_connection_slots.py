"""How many hosts the collector lets connect, and how many may wait together."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stub_hosts import SETTINGS, SLOW, Crowd, Stub, answer, gather, targets

from ipvs_audit.model import limits
from ipvs_audit.probe.thread_per_call import ThreadPerCallExecutor
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import Limits, Output, TransportError

if TYPE_CHECKING:
    import pytest

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings


def test_connected_hosts_wait_together_and_no_more_than_forks_connect() -> None:
    crowd = Crowd(together=12)
    evidence = gather(36, crowd.connect, forks=2, under_way=12, settings=SLOW)
    assert [type(each) for each in evidence] == [Snapshot] * 36
    assert crowd.most_connecting <= 2
    assert crowd.most_probing == 12


def test_host_behind_a_jump_host_keeps_its_place_to_the_end() -> None:
    crowd = Crowd(together=1, direct=False, seconds=0.05)
    evidence = gather(20, crowd.connect, forks=2, under_way=12, settings=SLOW)
    assert [type(each) for each in evidence] == [Snapshot] * 20
    assert crowd.most_probing <= 2


def test_lost_hosts_that_connect_again_are_among_the_forks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "RETRY_FIRST_PAUSE", 0.01)
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
        raise TransportError("protocol", "cut off", retry="once")

    evidence = gather(36, connect, forks=2, under_way=12, settings=SLOW)
    assert [type(each) for each in evidence] == [Snapshot] * 36
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
    evidence = {
        each.target: each
        for each in gather(10, connect, forks=2, under_way=8, settings=settings, overrun=0.2)
    }
    assert time.monotonic() - begun < 5
    assert {name for name, each in evidence.items() if isinstance(each, Failure)} == {
        "host0",
        "host1",
    }
    assert evidence["host0"].kind == evidence["host1"].kind == "timeout"
    assert len(evidence) == 10
    free.set()


def test_where_no_more_threads_start_hosts_wait_for_those_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most = [], []

    class Few(ThreadPerCallExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            if len(running) == 3:
                raise RuntimeError("can't start new thread")
            running.append(1)
            most.append(len(running))
            future = super().submit(fn, *args, **kwargs)
            future.add_done_callback(lambda _: running.pop())
            return future

    monkeypatch.setattr("ipvs_audit.probe.collector.ThreadPerCallExecutor", Few)

    def probe(script: bytes) -> Output:
        time.sleep(0.02)
        return Output(0, answer(script), b"")

    evidence = gather(20, lambda *_: Stub(probe), forks=2, under_way=12, settings=SLOW)
    assert sorted(each.target for each in evidence) == sorted(each.name for each in targets(20))
    assert {type(each) for each in evidence} == {Snapshot}
    assert max(most) == 3
