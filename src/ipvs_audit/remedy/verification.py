"""Whether a change has helped: the same checks, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.verdict import Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The result of each control on one host, by the control's id.
ControlResults = dict[str, Result]


def newly_failing(before: Mapping[str, Result], after: Mapping[str, Result]) -> list[Result]:
    """The controls that fail now and did not before."""
    return [
        result
        for control, result in after.items()
        if result.verdict.bad and (control not in before or not before[control].verdict.bad)
    ]


def any_recovered(before: Mapping[str, Result], after: Mapping[str, Result]) -> bool:
    """Whether a control that failed does not any more."""
    return any(
        result.verdict.bad and control in after and not after[control].verdict.bad
        for control, result in before.items()
    )


def failing(results: Mapping[str, Result]) -> list[str]:
    """The controls that fail."""
    return [control for control, result in results.items() if result.verdict.bad]


def inconclusive(results: Mapping[str, Result]) -> list[str]:
    """The controls that neither pass nor fail."""
    return [
        control for control, result in results.items() if result.verdict is Verdict.INCONCLUSIVE
    ]
