"""A rollout that is asked to stop, what it asks again, and its signs of life; on made-up hosts."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from rolled_out import CHANGED, DONE, World, run

from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.remedy import host_threads
from ipvs_audit.remedy import operator as operators
from ipvs_audit.remedy.journal import Event, Journal, RunChanges
from ipvs_audit.remedy.operator import Operator
from ipvs_audit.remedy.rollback import roll_back
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.remedy.script_answers import ScriptResult

LONG = 600.0  # seconds: never over within a test
CUT = TransportError("protocol", "the connection was closed")


@dataclass
class Stopped(World):
    """Hosts of which one asks for the stop itself, and then hangs until it is cut.

    Attributes:
        stop: is requested when ``at`` is reached.
        at: e.g. ``collect h1``.
        hangs: what does not come to its end by itself.
        deaf: it does not end when it is cut either.
    """

    stop: StopRequest = field(default_factory=lambda: StopRequest(grace=LONG))
    at: str = ""
    hangs: set[str] = field(default_factory=set)
    deaf: bool = False
    closed: dict[str, threading.Event] = field(default_factory=dict)

    def act(self, what: str, host: str, within: float) -> None:
        super().act(what, host, within)
        self.closed[host] = threading.Event()
        if f"{what} {host}" == self.at:
            self.stop.request()
        if f"{what} {host}" in self.hangs:
            assert self.closed[host].wait(LONG)
            raise CUT

    def collect(self, host: str, within: float = LONG) -> Snapshot | Failure:
        try:
            return super().collect(host, within)
        except TransportError as cut:
            return Failure(host, "protocol", cut.message, "", "")

    def cut(self, host: str) -> None:
        super().cut(host)
        if not self.deaf:
            self.closed[host].set()


@pytest.mark.parametrize("at", ["apply h2", "collect h2"])
def test_the_host_under_way_is_verified_and_no_other_is_started(tmp_path: Path, at: str) -> None:
    world = Stopped(at=at)
    done = run(world, tmp_path, 4, sizes="1", operator=Operator(world.stop))
    assert [one.status for one in done.values()] == [
        *("remediated", "remediated", "not_attempted", "not_attempted")
    ]
    assert done["h3"].message == "the run was interrupted"
    assert "cut h2" not in world.acts


@pytest.mark.parametrize("hangs", ["apply h1", "collect h1"])
def test_what_is_not_verified_in_the_first_part_of_the_grace_period_is_reverted(
    tmp_path: Path, hangs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_threads, "STOP_VERIFY_SHARE", 0.0)
    world = Stopped(at=hangs, hangs={hangs})
    # Once it is reverted, it is collected again: that must not hang.
    end, collect = world.act, hangs == "collect h1"

    def once(what: str, host: str, within: float) -> None:
        if what == "undo":
            world.hangs = set()
        end(what, host, within)

    monkeypatch.setattr(world, "act", once)
    done = run(world, tmp_path, 2, sizes="1", operator=Operator(world.stop))
    assert done["h1"].status == "reverted"
    assert done["h2"].status == "not_attempted"
    acts = ["apply h1", *(["collect h1"] if collect else []), "cut h1", "undo h1", "collect h1"]
    assert world.acts == acts


def test_a_host_that_is_not_done_in_time_is_unknown_and_named(tmp_path: Path) -> None:
    """Its evidence from before the change says nothing any more: it must not be judged by it."""
    world = Stopped(stop=StopRequest(grace=0), at="apply h1", hangs={"apply h1"}, deaf=True)
    told: list[str] = []
    done = run(world, tmp_path, 2, sizes="1", operator=Operator(world.stop, told.append))
    assert done["h1"].status == "failed"
    assert "its state is unknown; run --rollback r1" in done["h1"].message
    assert isinstance(done["h1"].after, Failure)
    assert done["h1"].after.kind == "interrupted"
    assert any("its state is unknown" in line for line in told)
    records = [json.loads(line) for line in (tmp_path / "journal.jsonl").open()]
    assert ("host_finished", "h1", "failed") in {
        (one["event"], one.get("host"), one.get("status")) for one in records
    }


def test_a_rollback_completes_the_host_under_way_and_starts_no_other(tmp_path: Path) -> None:
    world = Stopped(at="undo h1")
    hosts = ("h1", "h2")
    changes = RunChanges("r1", "ops", hosts, frozenset(hosts))
    with Journal(tmp_path / "journal.jsonl", run="r2", who="ops") as journal:
        done = roll_back(hosts, changes, world, journal, forks=1, operator=Operator(world.stop))
    assert [done[host].status for host in hosts] == ["rolled_back", "not_attempted"]


def test_a_rollback_that_is_not_done_in_time_is_unknown(tmp_path: Path) -> None:
    world = Stopped(stop=StopRequest(grace=0), at="undo h1", hangs={"undo h1"}, deaf=True)
    changes = RunChanges("r1", "ops", ("h1",), frozenset({"h1"}))
    with Journal(tmp_path / "journal.jsonl", run="r2", who="ops") as journal:
        done = roll_back(["h1"], changes, world, journal, forks=1, operator=Operator(world.stop))
    assert done["h1"].status == "rollback_failed"
    assert "--rollback r1 again" in done["h1"].message
    assert isinstance(done["h1"].after, Failure)


def test_a_journal_that_is_closed_is_not_written_by_a_host_that_is_late(tmp_path: Path) -> None:
    """Another file may have its number by then."""
    with Journal(tmp_path / "journal.jsonl", run="r1", who="ops") as journal:
        pass
    with (tmp_path / "report").open("wb") as report:
        with pytest.raises(OSError, match="the journal is closed"):
            journal.record(Event.APPLYING, "h1")
        assert report.fileno() == journal._file
    assert (tmp_path / "report").read_bytes() == b""


# A plan that nobody saw.


def asking(answer: object, told: list[str]) -> Operator:
    """Somebody who answers that; an exception is raised instead."""

    def ask(question: str) -> bool:
        told.append(question)
        if isinstance(answer, type):
            raise answer
        return bool(answer)

    return Operator(StopRequest(), told.append, ask)


def twice_planned(*then: ScriptResult) -> World:
    return World(reports={"h1": [CHANGED, *then]})


def test_a_host_that_changed_since_its_plan_is_changed_once_the_new_plan_is_confirmed(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    world = twice_planned(DONE)
    done = run(world, tmp_path, 1, operator=asking(True, told))
    assert done["h1"].status == "remediated"
    question = told.index("Change h1 by its new plan?")
    shown = "\n".join(told[:question])
    assert "h1: it changed after its plan was made. The new plan:" in shown
    assert "+net.ipv4.vs.run_estimation = 0" in shown
    assert world.acts.count("apply h1") == 2


def test_a_host_that_changes_again_is_not_asked_about_a_second_time(tmp_path: Path) -> None:
    told: list[str] = []
    world = twice_planned(CHANGED)
    assert run(world, tmp_path, 1, operator=asking(True, told))["h1"].status == "failed"
    assert sum(line.endswith("?") for line in told) == 1
    assert world.acts.count("apply h1") == 2


def test_where_the_new_plan_is_declined_the_host_is_left_alone(tmp_path: Path) -> None:
    world = twice_planned(DONE)
    done = run(world, tmp_path, 2, operator=asking(False, []))
    assert done["h1"].status == "not_attempted"
    assert "the new plan was not confirmed" in done["h1"].message
    assert isinstance(done["h1"].after, Snapshot)
    assert world.acts.count("apply h1") == 1
    assert "undo h1" not in world.acts
    assert done["h2"].status == "remediated"


def test_where_nobody_can_be_asked_the_host_is_skipped_and_that_is_said(tmp_path: Path) -> None:
    told: list[str] = []
    world = twice_planned(DONE)
    done = run(world, tmp_path, 2, operator=Operator(StopRequest(), told.append))
    assert done["h1"].status == "not_attempted"
    assert "nobody could be asked about the new plan (--yes)" in done["h1"].message
    assert any(done["h1"].message in line for line in told)
    assert world.acts.count("apply h1") == 1
    assert done["h2"].status == "remediated"


def test_ctrl_c_at_the_second_question_leaves_the_host_alone_and_stops(tmp_path: Path) -> None:
    world = twice_planned(DONE)
    done = run(world, tmp_path, 3, sizes="1", operator=asking(KeyboardInterrupt, []))
    assert [one.status for one in done.values()] == ["not_attempted"] * 3
    assert [act for act in world.acts if act.startswith("apply")] == ["apply h1"]


def test_nothing_is_asked_once_the_run_was_asked_to_stop(tmp_path: Path) -> None:
    told: list[str] = []
    operator = asking(True, told)
    world = Stopped(stop=operator.stop, at="collect h1", reports={"h1": [CHANGED, DONE]})
    done = run(world, tmp_path, 1, operator=operator)
    assert done["h1"].status == "not_attempted"
    assert not any(line.endswith("?") for line in told)


# Signs of life.


def test_each_phase_of_each_host_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    world = World(lost={"h2"})
    run(world, tmp_path, 2, sizes="1", most=1, operator=Operator(StopRequest(), told.append))
    assert [line for line in told if line.startswith("  h")] == [
        "  h1: changing",
        "  h1: verifying",
        "  h1: remediated",
        "  h2: changing",
        "  h2: verifying",
        "  h2: reverting",
        "  h2: collecting again",
        "  h2: reverted: could not be verified: refused",
    ]


def test_hosts_that_are_silent_for_a_while_are_named_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "SIGN_OF_LIFE", 0.0)
    monkeypatch.setattr(host_threads, "INTERRUPT_CHECK", 0.01)
    seen = threading.Event()

    def tell(line: str) -> None:
        if "under way: h1 verifying for" in line:
            seen.set()

    class Slow(World):
        def collect(self, host: str, within: float = LONG) -> Snapshot | Failure:
            assert seen.wait(LONG)
            return super().collect(host, within)

    done = run(Slow(), tmp_path, 1, operator=Operator(StopRequest(), tell))
    assert done["h1"].status == "remediated"


def test_lines_of_other_hosts_wait_while_a_question_is_open(tmp_path: Path) -> None:
    told: list[str] = []
    other = threading.Event()

    def ask(_question: str) -> bool:
        told.append("asked")
        assert other.wait(LONG)
        told.append("answered")
        return True

    class Both(World):
        def collect(self, host: str, within: float = LONG) -> Snapshot | Failure:
            if host == "h2":
                other.set()
            return super().collect(host, within)

    world = Both(reports={"h1": [CHANGED, DONE]})
    operator = Operator(StopRequest(), told.append, ask)
    done = run(world, tmp_path, 2, sizes="100%", forks=2, operator=operator)
    assert {one.status for one in done.values()} == {"remediated"}
    assert told.index("answered") == told.index("asked") + 1
