"""Threads that ask for the same thing get one that was computed once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from together import THREADS, Together

from ipvs_audit.model.computed_once import computed_once


def test_threads_that_ask_together_compute_once() -> None:
    threads = Together()
    compute = computed_once()(threads.counted(str.upper))
    assert threads.ask(lambda: compute("a")) == ["A"] * THREADS
    assert threads.calls == 1


def test_who_asks_for_something_else_does_not_wait() -> None:
    other_is_done = threading.Event()

    @computed_once(2)
    def compute(name: str) -> str:
        assert name == "quick" or other_is_done.wait(30)
        return name

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(compute, "slow")
        assert compute("quick") == "quick"
        other_is_done.set()
        assert slow.result(30) == "slow"


def test_a_failure_is_not_kept() -> None:
    tries = []

    @computed_once()
    def compute() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return "now"

    with pytest.raises(OSError, match="not yet"):
        compute()
    assert (compute(), compute()) == ("now", "now")
    assert len(tries) == 2
