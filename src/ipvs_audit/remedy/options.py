"""What a remedy adds to pytest's command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ipvs_audit.remedy.batches import DEFAULT, Size, parse_batches

if TYPE_CHECKING:
    from collections.abc import Callable

Mode = Literal["", "plan", "remediate", "rollback"]


class RemedyOptionError(Exception):
    """Options that do not go together, or a value that is none; the message says the way out."""


@dataclass(frozen=True, slots=True)
class RemedyOptions:
    """The options of a remedy, read once.

    Attributes:
        mode: ``plan`` only shows, ``remediate`` changes hosts, ``rollback`` undoes a run; empty
            for an audit.
        yes: do not ask.
        batches: how many hosts at a time.
        max_failures: how many hosts may fail before no other batch starts.
        accept_statistics_loss: change hosts with readers of IPVS statistics too.
        rollback: the run to undo.
    """

    mode: Mode = ""
    yes: bool = False
    batches: tuple[Size, ...] = parse_batches(DEFAULT)
    max_failures: int = 0
    accept_statistics_loss: bool = False
    rollback: str = ""

    @classmethod
    def read(cls, get: Callable[[str], object]) -> RemedyOptions:
        """The options as given.

        Raises:
            RemedyOptionError: two that exclude each other, or a size that is none.
        """
        asked: dict[Mode, object] = {
            "plan": get("remediate_plan"),
            "remediate": get("remediate"),
            "rollback": get("rollback") is not None,
        }
        modes = [mode for mode, given in asked.items() if given]
        if len(modes) > 1:
            raise RemedyOptionError("give one of --remediate-plan, --remediate and --rollback")
        if modes and modes != ["plan"] and get("from_snapshots"):
            raise RemedyOptionError("--from-snapshots has no hosts to change; leave it out")
        if modes and modes != ["plan"] and get("resume"):
            raise RemedyOptionError("--resume takes old evidence, and hosts are changed from new")
        if get("rollback") == "":
            raise RemedyOptionError("--rollback: name the run to undo, as reports/ names it")
        if int(str(get("max_failures"))) < 0:
            raise RemedyOptionError("--max-failures: give a number of hosts, 0 or more")
        try:
            sizes = parse_batches(str(get("batches")))
        except ValueError as wrong:
            raise RemedyOptionError(f"--batches: {wrong}") from None
        return cls(
            mode=modes[0] if modes else "",
            yes=bool(get("yes")),
            batches=sizes,
            max_failures=int(str(get("max_failures"))),
            accept_statistics_loss=bool(get("accept_statistics_loss")),
            rollback=str(get("rollback") or ""),
        )

    @property
    def changes(self) -> bool:
        """Whether hosts are changed."""
        return self.mode in ("remediate", "rollback")


def add_remedy_options(add: Callable[..., None]) -> None:
    """Declare the options, in the order in which an operator meets them."""
    add(
        "--remediate-plan",
        action="store_true",
        help="show what --remediate would do, no more",
    )
    add(
        "--remediate",
        action="store_true",
        help="change hosts in batches, and verify each; a change that did not help is reverted",
    )
    add("--yes", action="store_true", help="do not ask before changing hosts")
    add(
        "--batches",
        default=DEFAULT,
        metavar="SIZES",
        help="hosts changed at a time, numbers or percentages (default %(default)s)",
    )
    add(
        "--max-failures",
        type=int,
        default=0,
        metavar="N",
        help="start no other batch once more than N hosts have failed (default 0)",
    )
    add(
        "--accept-statistics-loss",
        action="store_true",
        help="also change hosts on which something reads IPVS statistics",
    )
    add("--rollback", metavar="RUN", help="undo what an earlier --remediate run changed")
