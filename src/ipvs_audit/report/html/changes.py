"""The comparison with an earlier run, arranged for the page: kind, then control, then hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.model.comparison import KINDS

if TYPE_CHECKING:
    from ipvs_audit.model.comparison import Change, Comparison

_SHAPES = {
    "newly_failing": "fail",
    "unproven": "inconclusive",
    "still_failing": "fail",
    "fixed": "pass",
}


@dataclass(frozen=True, slots=True)
class ChangedControl:
    """Hosts on which one control went the same way."""

    control: str
    way: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of change.

    Attributes:
        title: e.g. ``Newly failing``.
        shape: the shape that it is drawn with.
        count: controls on hosts.
        moved: by control and way.
    """

    title: str
    shape: str
    count: int
    changed: tuple[ChangedControl, ...]


def kinds(comparison: Comparison) -> tuple[Kind, ...]:
    """Every kind of change, also those of which there is none."""
    return tuple(
        Kind(words.capitalize(), _SHAPES[name], len(changes), _by_control(changes))
        for name, words in KINDS.items()
        for changes in (getattr(comparison, name),)
    )


def _by_control(changes: tuple[Change, ...]) -> tuple[ChangedControl, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        way = " → ".join(change.words)
        found.setdefault((change.control, way), []).append(change.host)
    return tuple(
        ChangedControl(control, way, tuple(hosts))
        for (control, way), hosts in sorted(found.items())
    )
