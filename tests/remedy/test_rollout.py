"""Batches, verification, putting back: a campaign over made-up hosts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from made import snapshot
from planned import planned

from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.remedy import journal as journals
from ipvs_audit.remedy.apply import Answer, Report
from ipvs_audit.remedy.batches import batches, parse_batches
from ipvs_audit.remedy.journal import Journal
from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.remedy.rollout import campaign
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipvs_audit.remedy.remediate_host import Treated

PLAN = planned({"/etc/sysctl.conf": ""})
DONE = Report(
    (Answer(1, "written", ""), Answer(2, "written", ""), Answer(3, "set", "")), whole=True
)
UNTOUCHED = Answer(0, "untouched", "nothing was changed")
CHANGED = Report(
    (Answer(1, "changed", "it is not what the plan was made from"), UNTOUCHED), whole=True
)
HALF = Report((Answer(1, "written", ""), Answer(2, "failed", "disk full")), whole=True)
UNDONE = Report((Answer(1, "restored", ""),), whole=True)
GONE = Failure("x", "unreachable", "refused", "", "")


def verdicts(verdict: Verdict, four: Verdict | None = None) -> dict[str, Result]:
    both = {"EST-2": verdict, "EST-4": four or verdict}
    return {id_: Result(id_, id_, one, "high", f"{id_} {one}", "", "") for id_, one in both.items()}


@dataclass
class World:
    """Hosts that answer as they are told; each is right after it was changed, unless named."""

    reports: dict[str, list[Report | TransportError]] = field(default_factory=dict)
    after: dict[str, dict[str, Result]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    undo_lost: set[str] = field(default_factory=set)
    acts: list[str] = field(default_factory=list)
    interrupt: str = ""
    undone: Report = UNDONE

    def look(self, host: str) -> Snapshot | Failure:
        self.acts.append(f"look {host}")
        return GONE if host in self.lost else snapshot()

    def apply(self, host: str, _plan: Plan) -> Report:
        self.acts.append(f"apply {host}")
        if host == self.interrupt:
            raise KeyboardInterrupt
        said = self.reports.get(host, [DONE]).pop(0) if self.reports.get(host) else DONE
        if isinstance(said, Exception):
            raise said
        return said

    def undo(self, host: str) -> Report:
        self.acts.append(f"undo {host}")
        if host in self.undo_lost:
            raise TransportError("unreachable", "no route")
        return self.undone

    def verdicts(self, host: str, _taken: object) -> dict[str, Result]:
        return self.after.get(host, verdicts(Verdict.PASS))

    def plan(self, host: str, _taken: object) -> Plan:
        again = bool(self.reports.get(host)) or host in self.after
        return PLAN if again else Plan(host)


def run(
    world: World,
    path: Path,
    hosts: int = 5,
    *,
    sizes: str = "1,10%,100%",
    most: int = 0,
    unreachable: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Treated]:
    names = [f"h{number}" for number in range(1, hosts + 1)]
    with Journal(path / "journal.jsonl", run="r1", who="ops") as journal:
        return campaign(
            dict.fromkeys(names, PLAN),
            dict.fromkeys(names, verdicts(Verdict.FAIL)),
            world,
            world,
            journal,
            sizes=parse_batches(sizes),
            max_failures=most,
            forks=1,
            unreachable=unreachable,
            tell=tell,
        )


class Unsure(World):
    """Hosts on which nothing is left to do, and not every control can be judged."""

    def plan(self, host: str, _taken: object) -> Plan:
        return Plan(host)


def test_what_stays_inconclusive_is_named(tmp_path: Path) -> None:
    world = Unsure(after={"h1": verdicts(Verdict.PASS, Verdict.INCONCLUSIVE)})
    done = run(world, tmp_path, 2)
    assert (done["h1"].status, done["h1"].message) == ("fixed", "EST-4 stays inconclusive")
    assert (done["h2"].status, done["h2"].message) == ("fixed", "")


def test_every_host_is_fixed_and_verified(tmp_path: Path) -> None:
    world = World()
    done = run(world, tmp_path)
    assert {one.status for one in done.values()} == {"fixed"}
    assert world.acts.index("look h1") < world.acts.index("apply h2")
    told = journals.changes_of(tmp_path / "journal.jsonl")
    assert (told.run, told.who) == ("r1", "ops")
    assert told.begun == ("h1", "h2", "h3", "h4", "h5")
    assert told.touched == set(told.begun)


def test_a_canary_that_fails_stops_the_rest(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path)
    assert done["h1"].status == "put back"
    assert [done[f"h{n}"].status for n in range(2, 6)] == ["not attempted"] * 4
    assert [act for act in world.acts if "h1" not in act] == []


def test_max_failures_lets_some_fail(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path, most=1)
    assert [one.status for one in done.values()] == ["put back", *["fixed"] * 4]


def test_a_host_that_is_unreachable_from_the_start_counts_as_failed(tmp_path: Path) -> None:
    world = World()
    done = run(world, tmp_path, unreachable=1)
    assert {one.status for one in done.values()} == {"not attempted"}
    assert "--max-failures" in done["h1"].message
    assert world.acts == []


def test_unreachable_hosts_use_up_what_may_fail(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path, unreachable=1, most=1)
    assert [one.status for one in done.values()] == ["put back", *["not attempted"] * 4]


def test_a_host_that_got_worse_is_put_back(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.PASS) | {"NEW-1": verdicts(Verdict.FAIL)["EST-2"]}})
    assert run(world, tmp_path, 1)["h1"].status == "put back"


def test_a_host_that_is_better_but_not_right_counts_as_failed_and_stays(tmp_path: Path) -> None:
    world = World(after={"h1": verdicts(Verdict.PASS, four=Verdict.FAIL)})
    done = run(world, tmp_path, 2)
    assert done["h1"].status == "partly fixed"
    assert "EST-4" in done["h1"].message
    assert done["h2"].status == "not attempted"
    assert "undo h1" not in world.acts


def test_a_file_that_changed_is_planned_again_once(tmp_path: Path) -> None:
    world = World(reports={"h1": [CHANGED, DONE]})
    assert run(world, tmp_path, 1)["h1"].status == "fixed"
    world = World(reports={"h1": [CHANGED, CHANGED]})
    done = run(world, tmp_path, 1)
    assert done["h1"].status in ("failed", "put back")
    assert world.acts.count("apply h1") == 2


def test_a_step_that_failed_half_way_is_undone(tmp_path: Path) -> None:
    world = World(reports={"h1": [HALF]})
    done = run(world, tmp_path, 1)["h1"]
    assert done.status == "put back"
    assert "disk full" in done.message
    assert done.outcomes[2] == "failed: disk full"


@pytest.mark.parametrize("when", ["changing", "verifying"])
def test_a_host_that_is_lost_is_put_back_where_it_can_be(tmp_path: Path, when: str) -> None:
    cut = TransportError("protocol", "the host closed the connection")
    world = World(reports={"h1": [cut]}) if when == "changing" else World(lost={"h1"})
    assert run(world, tmp_path, 1)["h1"].status == "put back"
    world.undo_lost, world.reports = {"h1"}, {"h1": [cut]}
    done = run(world, tmp_path, 2)
    assert done["h1"].status == "failed"
    assert "--rollback r1" in done["h1"].message
    assert done["h2"].status == "not attempted"


def test_one_hosts_surprise_is_put_back_and_does_not_end_the_run(tmp_path: Path) -> None:
    world = World(reports={"h1": [RuntimeError("odd")]})  # type: ignore[list-item]
    done = run(world, tmp_path, 3, most=1)
    assert [one.status for one in done.values()] == ["put back", "fixed", "fixed"]
    assert "unforeseen RuntimeError: odd" in done["h1"].message


def test_within_a_batch_none_is_begun_once_too_many_failed(tmp_path: Path) -> None:
    world = World(after={"h2": verdicts(Verdict.FAIL)})
    done = run(world, tmp_path, 5, sizes="100%")
    assert [one.status for one in done.values()] == ["fixed", "put back", *["not attempted"] * 3]
    assert "apply h3" not in world.acts


def test_a_step_that_is_left_is_not_called_fixed(tmp_path: Path) -> None:
    """EST-5 is inconclusive now, and a namespace is still to be set."""
    both = verdicts(Verdict.PASS)
    world = World(after={"h1": {"EST-2": both["EST-2"]}})
    done = run(world, tmp_path, 1)["h1"]
    assert (done.status, done.message) == ("partly fixed", "left: change /etc/sysctl.conf")


def test_what_could_not_be_put_back_for_a_lock_is_said(tmp_path: Path) -> None:
    locked = Report((Answer(0, "locked", "another run is at work here: other"),), whole=True)
    world = World(reports={"h1": [HALF]}, undone=locked)
    done = run(world, tmp_path, 1)["h1"]
    assert done.status == "failed"
    assert "could not be put back whole: another run is at work here" in done.message


def test_a_host_that_somebody_else_put_right_meanwhile_is_no_failure(tmp_path: Path) -> None:
    world = World(reports={"h1": [CHANGED]})
    done = run(world, tmp_path, 2)
    assert [one.status for one in done.values()] == ["nothing to do", "fixed"]


def test_what_is_under_way_at_a_second_ctrl_c_is_not_called_untouched(tmp_path: Path) -> None:
    done = run(World(interrupt="h1"), tmp_path, 2, sizes="1")
    assert done["h1"].status == "failed"
    assert "what it is like now is not known; run --rollback r1" in done["h1"].message


@pytest.mark.parametrize("event", ["applying", "applied", "verified", "treated"])
def test_a_journal_that_cannot_be_written_stops_the_run_and_loses_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    world, note = World(), Journal.note

    def full(self: Journal, what: str, host: str = "", **more: object) -> None:
        if what == event:
            raise OSError(28, "No space left on device")
        note(self, what, host, **more)

    monkeypatch.setattr(Journal, "note", full)
    done = run(world, tmp_path, 3)
    first = "not attempted" if event == "applying" else "fixed"
    assert [one.status for one in done.values()] == [first, "not attempted", "not attempted"]
    assert ("apply h1" in world.acts) == (event != "applying")
    assert "the journal cannot be written" in done["h3"].message


def test_what_a_host_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = Report((Answer(1, "failed", "\x1b]0;gotcha\x07"),), whole=True)
    told: list[str] = []
    run(World(reports={"h1": [evil]}), tmp_path, 1, tell=told.append)
    assert any("gotcha" in line for line in told)
    assert not any("\x1b" in line for line in told)


def test_an_interrupted_run_attempts_no_other_host(tmp_path: Path) -> None:
    world = World(interrupt="h2")
    done = run(world, tmp_path, 4, sizes="1")
    assert done["h1"].status == "fixed"
    assert [done[name].status for name in ("h3", "h4")] == ["not attempted"] * 2


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
    assert [len(one) for one in batches(range(total), parse_batches(text))] == sizes


@pytest.mark.parametrize("text", ["", "0", "1,", "101%", "x", "-1", "1;2"])
def test_bad_batches_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="percentage"):
        parse_batches(text)


def test_a_journal_cut_by_a_kill_is_read_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "r1" / "journal.jsonl"
    with Journal(path, run="r1", who="ops") as journal:
        journal.note("applying", "h1", steps=[])
    with path.open("ab") as file:
        file.write(b'{"schema":"ipvs-au')
    assert journals.changes_of(journals.find(tmp_path, "r1")).begun == ("h1",)
    with pytest.raises(journals.JournalError, match="no such journal"):
        journals.find(tmp_path, "r2")


def test_a_record_cut_by_a_full_disk_hides_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "journal.jsonl", os.write
    with Journal(path, run="r1", who="ops") as journal:
        journal.note("applying", "h1", steps=[])
        monkeypatch.setattr("os.write", lambda file, line: whole(file, line[:50]))
        with pytest.raises(OSError, match="No space left"):
            journal.note("applied", "h1")
        monkeypatch.setattr("os.write", whole)
        journal.note("applying", "h2", steps=[])
    assert journals.changes_of(path).begun == ("h1", "h2")
