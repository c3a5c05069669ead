"""Batches, verification, reverting: a rollout over made-up hosts."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rolled_out import CHANGED, HALF, World, run, verdicts

from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.remedy import journal as journals
from ipvs_audit.remedy.batches import parse_batches, split_into_batches
from ipvs_audit.remedy.journal import Event, Journal
from ipvs_audit.remedy.operator import Operator
from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.remedy.script_answers import Note, NoteKind, ScriptResult, StepAnswer, StepOutcome
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from pathlib import Path


class Unsure(World):
    """Hosts on which nothing is left to do, and not every control can be judged."""

    def plan(self, host: str, _taken: object) -> Plan:
        return Plan(host)


def test_what_stays_inconclusive_is_named(tmp_path: Path) -> None:
    world = Unsure(after={"h1": verdicts(Verdict.PASS, Verdict.INCONCLUSIVE)})
    done = run(world, tmp_path, 2)
    assert (done["h1"].status, done["h1"].message) == ("remediated", "EST-4 is still inconclusive")
    assert (done["h2"].status, done["h2"].message) == ("remediated", "")


def test_every_host_is_remediated_and_verified(tmp_path: Path) -> None:
    world = World()
    done = run(world, tmp_path)
    assert {one.status for one in done.values()} == {"remediated"}
    assert world.acts.index("collect h1") < world.acts.index("apply h2")
    changes = journals.read_changes(tmp_path / "journal.jsonl")
    assert (changes.run, changes.who) == ("r1", "ops")
    assert changes.started == ("h1", "h2", "h3", "h4", "h5")
    assert changes.changed == set(changes.started)


def test_a_canary_that_fails_stops_the_rest(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path)
    assert done["h1"].status == "reverted"
    assert [done[f"h{n}"].status for n in range(2, 6)] == ["not_attempted"] * 4
    assert [act for act in world.acts if "h1" not in act] == []


def test_max_failures_lets_some_fail(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path, most=1)
    assert [one.status for one in done.values()] == ["reverted", *["remediated"] * 4]


def test_a_host_that_is_unreachable_from_the_start_counts_as_failed(tmp_path: Path) -> None:
    world = World()
    done = run(world, tmp_path, unreachable=1)
    assert {one.status for one in done.values()} == {"not_attempted"}
    assert "--max-failures" in done["h1"].message
    assert world.acts == []


def test_unreachable_hosts_use_up_what_may_fail(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path, unreachable=1, most=1)
    assert [one.status for one in done.values()] == ["reverted", *["not_attempted"] * 4]


def test_a_host_that_got_worse_is_reverted(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.PASS) | {"NEW-1": verdicts(Verdict.FAIL)["EST-2"]}})
    assert run(world, tmp_path, 1)["h1"].status == "reverted"


def test_a_host_that_has_improved_but_still_fails_counts_as_failed_and_stays(
    tmp_path: Path,
) -> None:
    world = World(after={"h1": verdicts(Verdict.PASS, four=Verdict.FAIL)})
    done = run(world, tmp_path, 2)
    assert done["h1"].status == "partially_remediated"
    assert "EST-4" in done["h1"].message
    assert done["h2"].status == "not_attempted"
    assert "undo h1" not in world.acts


def test_a_step_that_failed_half_way_is_undone(tmp_path: Path) -> None:
    world = World(reports={"h1": [HALF]})
    done = run(world, tmp_path, 1)["h1"]
    assert done.status == "reverted"
    assert "disk full" in done.message
    assert done.outcomes[2] == "failed: disk full"


@pytest.mark.parametrize("when", ["changing", "verifying"])
def test_a_host_that_is_lost_is_reverted_where_it_can_be(tmp_path: Path, when: str) -> None:
    cut = TransportError("protocol", "the host closed the connection")
    world = World(reports={"h1": [cut]}) if when == "changing" else World(lost={"h1"})
    assert run(world, tmp_path, 1)["h1"].status == "reverted"
    world.undo_lost, world.reports = {"h1"}, {"h1": [cut]}
    done = run(world, tmp_path / "again", 2)
    assert done["h1"].status == "failed"
    assert "--rollback r1" in done["h1"].message
    assert done["h2"].status == "not_attempted"


def test_one_hosts_surprise_is_reverted_and_does_not_end_the_run(tmp_path: Path) -> None:
    world = World(reports={"h1": [RuntimeError("odd")]})  # type: ignore[list-item]
    done = run(world, tmp_path, 3, most=1)
    assert [one.status for one in done.values()] == ["reverted", "remediated", "remediated"]
    assert "unexpected RuntimeError: odd" in done["h1"].message


def test_within_a_batch_none_is_started_once_too_many_failed(tmp_path: Path) -> None:
    world = World(after={"h2": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path, 5, sizes="100%")
    assert [one.status for one in done.values()] == [
        "remediated",
        "reverted",
        *["not_attempted"] * 3,
    ]
    assert "apply h3" not in world.acts


def test_a_step_that_is_left_is_not_called_remediated(tmp_path: Path) -> None:
    """EST-5 is inconclusive now, and a namespace is still to be set."""
    both = verdicts(Verdict.PASS)
    world = World(after={"h1": {"EST-2": both["EST-2"]}})
    done = run(world, tmp_path, 1)["h1"]
    assert (done.status, done.message) == (
        "partially_remediated",
        "remaining step: change /etc/sysctl.conf",
    )


def test_what_could_not_be_reverted_for_a_lock_is_said(tmp_path: Path) -> None:
    locked = ScriptResult(
        notes=(Note(NoteKind.LOCKED, "another run is in progress on this host: other"),),
        complete=True,
    )
    world = World(reports={"h1": [HALF]}, undone=locked)
    done = run(world, tmp_path, 1)["h1"]
    assert done.status == "failed"
    assert "could not be fully reverted: another run is in progress on this host" in done.message


def test_a_host_that_somebody_else_remediated_meanwhile_is_no_failure(tmp_path: Path) -> None:
    world = World(reports={"h1": [CHANGED]})
    done = run(world, tmp_path, 2)
    assert [one.status for one in done.values()] == ["already_compliant", "remediated"]


def test_a_host_whose_new_plan_needs_approval_is_skipped_and_no_failure(tmp_path: Path) -> None:
    class Differing(World):
        def plan(self, host: str, taken: object) -> Plan:
            return replace(super().plan(host, taken), needs_approval="not the approved plan")

    world = Differing(reports={"h1": [CHANGED, CHANGED]})
    done = run(world, tmp_path, 2)
    assert [one.status for one in done.values()] == ["needs_approval", "remediated"]
    assert "now needs approval: not the approved plan" in done["h1"].message
    assert world.acts.count("apply h1") == 1


@pytest.mark.parametrize(
    "event", [Event.APPLYING, Event.APPLIED, Event.VERIFIED, Event.HOST_FINISHED]
)
def test_a_journal_that_cannot_be_written_stops_the_run_and_loses_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: Event
) -> None:
    world, record = World(), Journal.record

    def full(self: Journal, what: Event, host: str = "", **more: object) -> None:
        if what == event:
            raise OSError(28, "No space left on device")
        record(self, what, host, **more)

    monkeypatch.setattr(Journal, "record", full)
    done = run(world, tmp_path, 3)
    first = "not_attempted" if event is Event.APPLYING else "remediated"
    assert [one.status for one in done.values()] == [first, "not_attempted", "not_attempted"]
    assert ("apply h1" in world.acts) == (event is not Event.APPLYING)
    assert "the journal cannot be written" in done["h3"].message


def test_what_a_host_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = ScriptResult((StepAnswer(1, StepOutcome.FAILED, "\x1b]0;gotcha\x07"),), complete=True)
    told: list[str] = []
    run(World(reports={"h1": [evil]}), tmp_path, 1, operator=Operator(StopRequest(), told.append))
    assert any("gotcha" in line for line in told)
    assert not any("\x1b" in line for line in told)


@pytest.mark.parametrize(
    ("text", "total", "sizes"),
    [
        ("1,10%,100%", 200, [1, 20, 179]),
        ("5", 12, [5, 5, 2]),
        ("50%", 3, [1, 1, 1]),
        ("100%", 0, []),
    ],
)
def test_batches(text: str, total: int, sizes: list[int]) -> None:
    assert [len(one) for one in split_into_batches(range(total), parse_batches(text))] == sizes


@pytest.mark.parametrize("text", ["", "0", "1,", "101%", "x", "-1", "1;2"])
def test_bad_batches_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="percentage"):
        parse_batches(text)


def test_a_journal_cut_by_a_kill_is_read_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "r1" / "journal.jsonl"
    with Journal(path, run="r1", who="ops") as journal:
        journal.record(Event.APPLYING, "h1", steps=[])
    with path.open("ab") as file:
        file.write(b'{"schema":"ipvs-au')
    assert journals.read_changes(journals.find_journal(tmp_path, "r1")).started == ("h1",)
    with pytest.raises(journals.JournalError, match="no such journal"):
        journals.find_journal(tmp_path, "r2")


def test_a_journal_that_is_there_or_a_link_in_its_place_is_not_written_to(tmp_path: Path) -> None:
    path, theirs = tmp_path / "r1" / "journal.jsonl", tmp_path / "theirs"
    theirs.write_bytes(b"as it was")
    for plant in (path.hardlink_to, path.symlink_to):
        path.parent.mkdir(exist_ok=True)
        plant(theirs)
        with pytest.raises(FileExistsError), Journal(path, run="r1", who="ops"):
            pass
        path.unlink()
    assert theirs.read_bytes() == b"as it was"


def test_a_record_cut_by_a_full_disk_hides_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "journal.jsonl", os.write
    with Journal(path, run="r1", who="ops") as journal:
        journal.record(Event.APPLYING, "h1", steps=[])
        monkeypatch.setattr("os.write", lambda file, line: whole(file, line[:50]))
        with pytest.raises(OSError, match="No space left"):
            journal.record(Event.APPLIED, "h1")
        monkeypatch.setattr("os.write", whole)
        journal.record(Event.APPLYING, "h2", steps=[])
    assert journals.read_changes(path).started == ("h1", "h2")
