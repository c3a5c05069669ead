"""A rollout over made-up hosts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from made import snapshot
from planned import planned

from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.remedy.batches import parse_batches
from ipvs_audit.remedy.journal import Journal
from ipvs_audit.remedy.operator import Operator
from ipvs_audit.remedy.plan_steps import Plan
from ipvs_audit.remedy.rollout import roll_out
from ipvs_audit.remedy.script_answers import Note, NoteKind, ScriptResult, StepAnswer, StepOutcome
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.remedy.remediate_host import HostRemediation

PLAN = planned({"/etc/sysctl.conf": ""})
DONE = ScriptResult(
    (
        StepAnswer(1, StepOutcome.WRITTEN),
        StepAnswer(2, StepOutcome.WRITTEN),
        StepAnswer(3, StepOutcome.SET),
    ),
    complete=True,
)
UNCHANGED = Note(NoteKind.UNCHANGED, "nothing was changed")
CHANGED = ScriptResult(
    (StepAnswer(1, StepOutcome.CHANGED, "it has changed since the plan was made"),),
    (UNCHANGED,),
    complete=True,
)
HALF = ScriptResult(
    (StepAnswer(1, StepOutcome.WRITTEN), StepAnswer(2, StepOutcome.FAILED, "disk full")),
    complete=True,
)
UNDONE = ScriptResult((StepAnswer(1, StepOutcome.RESTORED),), complete=True)
GONE = Failure("x", "unreachable", "refused", "", "")


def verdicts(verdict: Verdict, four: Verdict | None = None) -> dict[str, Result]:
    both = {"EST-2": verdict, "EST-4": four or verdict}
    return {id_: Result(id_, id_, one, "high", f"{id_} {one}", "", "") for id_, one in both.items()}


@dataclass
class World:
    """Hosts that answer as they are told; each is right after it was changed, unless named."""

    reports: dict[str, list[ScriptResult | TransportError]] = field(default_factory=dict)
    after: dict[str, dict[str, Result]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    undo_lost: set[str] = field(default_factory=set)
    acts: list[str] = field(default_factory=list)
    undone: ScriptResult = UNDONE

    def collect(self, host: str, within: float = math.inf) -> Snapshot | Failure:
        self.act("collect", host, within)
        return GONE if host in self.lost else snapshot()

    def apply(self, host: str, _plan: Plan, within: float = math.inf) -> ScriptResult:
        self.act("apply", host, within)
        said = self.reports.get(host, [DONE]).pop(0) if self.reports.get(host) else DONE
        if isinstance(said, Exception):
            raise said
        return said

    def undo(
        self, host: str, _run: str = "", _by: str = "", within: float = math.inf
    ) -> ScriptResult:
        self.act("undo", host, within)
        if host in self.undo_lost:
            raise TransportError("unreachable", "no route")
        return self.undone

    def cut(self, host: str) -> None:
        self.acts.append(f"cut {host}")

    def act(self, what: str, host: str, _within: float) -> None:
        self.acts.append(f"{what} {host}")

    def judge(self, host: str, _taken: object) -> dict[str, Result]:
        return self.after.get(host, verdicts(Verdict.PASS))

    def remediable(self, _host: str) -> frozenset[str]:
        return frozenset({"EST-2", "EST-3", "EST-4", "EST-5", "EST-6"})

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
    forks: int = 1,
    operator: Operator | None = None,
) -> dict[str, HostRemediation]:
    names = [f"h{number}" for number in range(1, hosts + 1)]
    with Journal(path / "journal.jsonl", run="r1", who="ops") as journal:
        return roll_out(
            dict.fromkeys(names, PLAN),
            dict.fromkeys(names, verdicts(Verdict.FAIL)),
            world,
            world,
            journal,
            sizes=parse_batches(sizes),
            max_failures=most,
            forks=forks,
            unreachable=unreachable,
            operator=operator or Operator(StopRequest()),
        )
