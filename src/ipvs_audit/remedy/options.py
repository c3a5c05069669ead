"""What remediation adds to pytest's command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ipvs_audit.model.limits import MAX_STOP_GRACE, STOP_GRACE
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.remedy.batches import DEFAULT_BATCHES, BatchSize, parse_batches

if TYPE_CHECKING:
    from collections.abc import Callable

Mode = Literal["", "plan", "remediate", "rollback"]
PlanFormat = Literal["text", "ansible", "shell"]
PLAN_FORMATS: tuple[PlanFormat, ...] = ("text", "ansible", "shell")


class RemediationOptionError(UsageError):
    """Options that exclude each other, or a bad value; the message says what to do."""


@dataclass(frozen=True, slots=True)
class RemediationOptions:
    """The options of a remediation, read once.

    Attributes:
        mode: ``plan`` prints plans, ``remediate`` changes hosts, ``rollback`` undoes a run;
            empty for an audit.
        yes: do not ask.
        batches: how many hosts at a time.
        max_failures: how many hosts may fail before no other host is started.
        accept_statistics_loss: change hosts with readers of IPVS statistics too.
        accept_recipe_side_effects: write the recipe's hook also where it may change other keys.
        rollback: the run to undo.
        grace: seconds that hosts under way have once the run is asked to stop.
        approved_plan: directory of the run whose plans were approved; None where nothing is said.
        plan_format: what plans are written as, beside being printed; ``text`` for nothing more.
    """

    mode: Mode = ""
    yes: bool = False
    batches: tuple[BatchSize, ...] = parse_batches(DEFAULT_BATCHES)
    max_failures: int = 0
    accept_statistics_loss: bool = False
    accept_recipe_side_effects: bool = False
    rollback: str = ""
    grace: float = STOP_GRACE
    approved_plan: Path | None = None
    plan_format: PlanFormat = "text"

    @classmethod
    def read(cls, get: Callable[[str], object]) -> RemediationOptions:
        """The options as given.

        Raises:
            RemediationOptionError: options that exclude each other, or a bad value.
        """
        asked: dict[Mode, object] = {
            "plan": get("remediate_plan"),
            "remediate": get("remediate"),
            "rollback": get("rollback") is not None,
        }
        modes = [mode for mode, given in asked.items() if given]
        if len(modes) > 1:
            raise RemediationOptionError(
                "use only one of --remediate-plan, --remediate and --rollback"
            )
        form = next(one for one in PLAN_FORMATS if one == get("plan_format"))
        if form != "text" and modes != ["plan"]:
            raise RemediationOptionError("--plan-format is for plans: add --remediate-plan")
        if (approved := get("approved_plan")) is not None and modes != ["remediate"]:
            raise RemediationOptionError("--approved-plan is for --remediate: add it")
        if modes and modes != ["plan"] and get("from_snapshots"):
            raise RemediationOptionError("--from-snapshots has no hosts to change; remove it")
        if modes and modes != ["plan"] and get("resume"):
            raise RemediationOptionError(
                "--resume reuses old evidence; hosts are changed from new evidence only"
            )
        if get("rollback") == "":
            raise RemediationOptionError("--rollback: name the run to undo, as reports/ names it")
        if int(str(get("max_failures"))) < 0:
            raise RemediationOptionError("--max-failures: give a number of hosts, 0 or more")
        if not 0 <= (grace := float(str(get("grace")))) <= MAX_STOP_GRACE:
            raise RemediationOptionError(
                f"--grace: give a number of seconds, 0 to {MAX_STOP_GRACE:.0f}"
            )
        try:
            sizes = parse_batches(str(get("batches")))
        except ValueError as wrong:
            raise RemediationOptionError(f"--batches: {wrong}") from None
        return cls(
            mode=modes[0] if modes else "",
            yes=bool(get("yes")),
            batches=sizes,
            max_failures=int(str(get("max_failures"))),
            accept_statistics_loss=bool(get("accept_statistics_loss")),
            accept_recipe_side_effects=bool(get("accept_recipe_side_effects")),
            rollback=str(get("rollback") or ""),
            grace=grace,
            approved_plan=None if approved is None else Path(str(approved)).expanduser(),
            plan_format=form,
        )

    @property
    def changes_hosts(self) -> bool:
        """Whether hosts are changed."""
        return self.mode in ("remediate", "rollback")


def add_remediation_options(add: Callable[..., None]) -> None:
    """Declare the options, in the order in which an operator meets them."""
    add(
        "--remediate-plan",
        action="store_true",
        help="print what --remediate would do; change nothing",
    )
    add(
        "--plan-format",
        choices=PLAN_FORMATS,
        default="text",
        help="with --remediate-plan: also write the plan, as an Ansible playbook or a shell script"
        " for each host",
    )
    add(
        "--remediate",
        action="store_true",
        help="remediate hosts in batches; verify each, and revert those that do not improve",
    )
    add(
        "--approved-plan",
        metavar="RUN",
        help="with --remediate: change only hosts whose plan is that of this --remediate-plan run"
        " (its directory)",
    )
    add("--yes", action="store_true", help="change hosts without asking")
    add(
        "--batches",
        default=DEFAULT_BATCHES,
        metavar="SIZES",
        help="hosts changed at a time, numbers or percentages (default %(default)s)",
    )
    add(
        "--max-failures",
        type=int,
        default=0,
        metavar="N",
        help="start no further host when more than N have failed (default 0)",
    )
    add(
        "--accept-statistics-loss",
        action="store_true",
        help="also change hosts where something reads IPVS statistics",
    )
    add(
        "--accept-recipe-side-effects",
        action="store_true",
        help="with remedy: recipe, also where the hook may change other keys than ours",
    )
    add("--rollback", metavar="RUN", help="undo what an earlier --remediate run changed")
    add(
        "--grace",
        type=float,
        default=STOP_GRACE,
        metavar="S",
        help="seconds to verify or revert the hosts under way, once the run is stopped by Ctrl-C,"
        " SIGTERM or SIGHUP (default %(default)g)",
    )
