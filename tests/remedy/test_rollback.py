"""A rollback: done only where nothing of the run is left, and what is said of it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
from made import snapshot

from ipvs_audit.audit.remediation import check_journal
from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.remedy import journal as journals
from ipvs_audit.remedy.journal import Event, Journal, JournalError, step_entry
from ipvs_audit.remedy.operator import Operator
from ipvs_audit.remedy.plan_steps import SetRunningValue
from ipvs_audit.remedy.rollback import roll_back
from ipvs_audit.remedy.script_answers import Note, NoteKind, ScriptResult, StepAnswer, StepOutcome
from ipvs_audit.report.manifest import sha256
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.remedy.plan_steps import Plan
    from ipvs_audit.remedy.remediate_host import HostRemediation
    from ipvs_audit.snapshot import Snapshot

WRITTEN = [{"number": 1, "outcome": "written", "text": ""}]
NOTHING = ScriptResult(notes=(Note(NoteKind.NOTHING, "holds no change"),), complete=True)
LEFT = ScriptResult((StepAnswer(1, StepOutcome.REFUSED, "it was changed since"),), complete=True)
RESTORED = ScriptResult((StepAnswer(1, StepOutcome.RESTORED),), complete=True)
CUT = ScriptResult((StepAnswer(1, StepOutcome.RESTORED),))


class Host:
    """A host that answers a rollback as it is told."""

    def __init__(self, answer: ScriptResult | Exception) -> None:
        self._answer = answer

    def collect(self, _host: str, _within: float = 0) -> Snapshot:
        return snapshot()

    def apply(self, _host: str, _plan: Plan, _within: float = 0) -> ScriptResult:
        raise AssertionError

    def cut(self, _host: str) -> None:
        raise AssertionError

    def undo(
        self, _host: str, run: str = "", by: str = "", within: float = math.inf
    ) -> ScriptResult:
        assert within == math.inf
        assert (run, by) == ("r1", "ops")
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def rolled_back(folder: Path, answer: ScriptResult | Exception) -> HostRemediation:
    """What becomes of a host that the run r1 changed."""
    path = folder / "r1" / "journal.jsonl"
    with Journal(path, run="r1", who="ops") as journal:
        journal.record(Event.APPLYING, "h1", steps=[])
        journal.record(Event.APPLIED, "h1", steps=WRITTEN)
    changes = journals.read_changes(path)
    with Journal(folder / "r2" / "journal.jsonl", run="r2", who="ops") as journal:
        journal.record(Event.ROLLBACK_STARTED, of="r1")
        operator = Operator(StopRequest())
        return roll_back(["h1"], changes, Host(answer), journal, forks=1, operator=operator)["h1"]


def test_what_the_host_has_restored_is_rolled_back(tmp_path: Path) -> None:
    assert rolled_back(tmp_path, RESTORED).status == "rolled_back"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (LEFT, "it was changed since; then --rollback r1 again"),
        (CUT, "did not finish; then --rollback r1 again"),
        (TransportError("unreachable", "no route"), "no route; then --rollback r1 again"),
        (ValueError("odd"), "unexpected ValueError: odd; then --rollback r1 again"),
        (NOTHING, "the host holds no backup"),
    ],
    ids=["left", "cut", "lost", "surprise", "no-backup"],
)
def test_a_rollback_that_is_not_whole_has_failed_and_names_the_run_to_undo(
    tmp_path: Path, answer: ScriptResult | Exception, said: str
) -> None:
    """It was called failed, and the reports offered to undo the rollback."""
    done = rolled_back(tmp_path, answer)
    assert done.status == "rollback_failed"
    assert said in done.message
    assert done.status.failed
    assert not done.status.may_have_changed


def test_a_rollback_cannot_be_undone_and_says_what_can_be_done(tmp_path: Path) -> None:
    """It answered that the run had changed none of these hosts."""
    rolled_back(tmp_path, RESTORED)
    path = journals.find_journal(tmp_path, "r2")
    with pytest.raises(JournalError, match=r"--rollback r1, or .*--remediate: r2 is"):
        journals.read_changes(path)


def test_a_journal_names_the_hosts_own_namespace_by_no_number() -> None:
    own = SetRunningValue("EST-4", "a test", 4026531840, "host", 1, 0, own=True)
    assert step_entry(own)["namespace"] == "own"


RECORD = {"schema": journals.SCHEMA, "run": "r1", "who": "ops", "event": "applied", "host": "h1"}


@pytest.mark.parametrize(
    "records",
    [
        [RECORD],
        [RECORD | {"steps": 5}],
        [RECORD | {"steps": ["x"]}],
        [RECORD | {"steps": [{"outcome": "odd"}]}],
        [RECORD | {"steps": [{"outcome": []}]}],
        [RECORD | {"steps": [], "run": "../r1"}],
        [RECORD | {"steps": [], "run": "\x1b[31m"}],
        [RECORD | {"steps": []}, RECORD | {"steps": [], "run": "r2"}],
    ],
)
def test_a_journal_that_was_made_up_is_refused(
    tmp_path: Path, records: list[dict[str, object]]
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(JournalError) as refused:
        journals.read_changes(path)
    assert str(path) in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("run", ["**", "a**b", "[", "x" * 5000, "\0"])
def test_what_names_no_run_is_not_found(tmp_path: Path, run: str) -> None:
    with pytest.raises(JournalError, match="no such journal"):
        journals.find_journal(tmp_path, run)


def test_a_pattern_names_no_run_that_was_killed(tmp_path: Path) -> None:
    with Journal(tmp_path / ".r1.99.journal" / "journal.jsonl", run="r1", who="ops"):
        pass
    assert journals.find_journal(tmp_path, "r1").exists()
    with pytest.raises(JournalError):
        journals.find_journal(tmp_path, "r*")


def test_a_journal_that_was_changed_since_its_run_is_not_gone_by(tmp_path: Path) -> None:
    """A host whose records were taken out was not rolled back, and nothing said so."""
    made = tmp_path / "r1"
    with Journal(made / "journal.jsonl", run="r1", who="ops") as journal:
        journal.record(Event.APPLYING, "h1", steps=[])
    check_journal(made / "journal.jsonl")
    manifest = made / "manifest.sha256"
    manifest.write_text(f"{sha256(made / 'journal.jsonl')}  journal.jsonl\n")
    check_journal(made / "journal.jsonl")
    with (made / "journal.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(JournalError, match="it was changed since the run"):
        check_journal(made / "journal.jsonl")
