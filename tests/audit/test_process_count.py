"""When several processes collect, and that the run is what it would be with one."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ipvs_audit.audit import collecting
from ipvs_audit.model.target import Target
from ipvs_audit.probe import processes
from ipvs_audit.snapshot import store
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.snapshot import Failure, Snapshot


class Progress:
    def __init__(self) -> None:
        self.said: list[str] = []

    @contextlib.contextmanager
    def track(self, _number: int) -> Iterator[Any]:
        yield lambda _evidence: None

    def say(self, text: str) -> None:
        self.said.append(text)


class Started:
    """How many processes a run started, and what came of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.counts: list[int] = []
        self._folder = folder
        self.progress: Any = Progress()
        really = processes.CollectingProcesses

        def start(count: int, *arguments: Any, **more: Any) -> Any:
            self.counts.append(count)
            return really(count, *arguments, **more)

        monkeypatch.setattr(processes, "CollectingProcesses", start)
        monkeypatch.setattr(collecting, "usable_cores", lambda: 2)
        # Those that pytest-xdist and earlier tests have started are not the run's.
        really_here = collecting.threads_here
        before = really_here()
        monkeypatch.setattr(collecting, "threads_here", lambda: 1 + max(really_here() - before, 0))

    def collect(self, hosts: int, asked: int | None, kept: int = 0) -> dict[str, Any]:
        targets = {
            name: Target(name, unusable=f"{name}: ipvs_audit_ack ...")
            for name in (f"host{number}" for number in range(hosts))
        }
        collected: dict[str, Snapshot | Failure] = {}
        audit: Any = SimpleNamespace(
            audited=list(targets.values()), targets=targets, policies={}, notes=[], earlier=None,
            add_evidence=lambda some: collected.update({one.target: one for one in some}),
            collected=collected,
            options=SimpleNamespace(
                snapshots=None, forks=8, engine=None, deadline=60, connection=Settings(),
                processes=asked, remedy=SimpleNamespace(mode=""),
            ),
        )  # fmt: skip
        into = self._folder / f"{len(self.counts)}-{hosts}.jsonl.gz"
        collecting.collect_evidence(audit, set(targets), into, self.progress, kept=kept)
        assert set(collected) == set(targets)
        assert {one.target for one in store.read(into)} == set(targets)
        assert audit.notes == [said.removeprefix("ipvs-audit: ") for said in self.progress.said]
        return collected


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    return Started(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("hosts", "asked", "count"),
    [(200, None, []), (201, None, [2]), (201, 1, []), (5, 3, [3]), (1, 4, [4])],
)
def test_several_collect_large_fleets_or_where_they_are_asked_for(
    started: Started, hosts: int, asked: int | None, count: list[int]
) -> None:
    started.collect(hosts, asked)
    assert started.counts == count
    assert started.progress.said == []


def test_they_give_what_one_gives(started: Started) -> None:
    def plain(collected: dict[str, Any]) -> list[Any]:
        return sorted((one.target, one.kind, one.message) for one in collected.values())

    assert plain(started.collect(30, 3)) == plain(started.collect(30, 1))
    assert started.counts == [3]


def test_connections_that_checks_go_on_with_are_opened_in_this_process(started: Started) -> None:
    started.collect(300, None, kept=1)
    assert started.progress.said == []
    started.collect(3, 4, kept=1)
    assert started.counts == []
    (told,) = started.progress.said
    assert told.startswith("ipvs-audit: --processes 4: one process collects, since checks that use")


def test_beside_other_threads_nothing_is_forked(started: Started) -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait, args=(60,))
    other.start()
    try:
        started.collect(3, 2)
    finally:
        done.set()
        other.join()
    assert started.counts == []
    (told,) = started.progress.said
    assert "since other threads run in this one" in told


def test_where_no_process_can_be_started_this_one_collects(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", fork)
    started.collect(5, 2)
    (told,) = started.progress.said
    assert told == (
        "ipvs-audit: One process collects, not 2: no other could be started"
        " (Resource temporarily unavailable)."
    )
