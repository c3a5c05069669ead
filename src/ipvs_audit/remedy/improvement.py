"""Whether a host is better than before: the same checks, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.verdict import Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

Judged = dict[str, Result]


def worse(before: Mapping[str, Result], after: Mapping[str, Result]) -> list[Result]:
    """The controls that fail now and did not before."""
    return [
        result
        for control, result in after.items()
        if result.verdict.bad and (control not in before or not before[control].verdict.bad)
    ]


def improved(before: Mapping[str, Result], after: Mapping[str, Result]) -> bool:
    """Whether a control that failed does not any more."""
    return any(
        result.verdict.bad and control in after and not after[control].verdict.bad
        for control, result in before.items()
    )


def failing(judged: Mapping[str, Result]) -> list[str]:
    """The controls that fail."""
    return [control for control, result in judged.items() if result.verdict.bad]


def undecided(judged: Mapping[str, Result]) -> list[str]:
    """The controls that neither pass nor fail."""
    return [control for control, result in judged.items() if result.verdict is Verdict.INCONCLUSIVE]
