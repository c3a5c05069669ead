"""How a verdict becomes pytest's outcome, and how it travels with pytest's report.

==============  ==================================================
verdict         pytest
==============  ==================================================
pass            passed
fail            failed
error           error (raised in set-up, by the plugin)
inconclusive    skipped; failed with ``--strict``
not applicable  skipped
waived fail     xfailed
==============  ==================================================
"""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Any

import pytest

from ipvs_audit.model.control import Control
from ipvs_audit.model.verdict import Evidence, Result, Verdict
from ipvs_audit.plugin.pytest_internals import skip_at_the_test


def raise_outcome(result: Result, *, strict: bool) -> None:
    """Raise what pytest understands; return for a pass."""
    if result.verdict is Verdict.PASS:
        return
    if result.waived:
        pytest.xfail(f"waived ({result.waiver}): {result.message}")
    if (because := skipped_because(result, strict=strict)) is not None:
        raise skip_at_the_test(because)
    pytest.fail(failed_because(result) or "", pytrace=False)


def skipped_because(result: Result, *, strict: bool) -> str | None:
    """Why a test is skipped, where its verdict means that."""
    inconclusive = result.verdict is Verdict.INCONCLUSIVE
    if result.verdict is Verdict.NOT_APPLICABLE or (inconclusive and not strict):
        return f"{result.verdict.word}: {result.message}"
    return None


def failed_because(result: Result) -> str | None:
    """Why a test that is not skipped fails; None for a pass."""
    if result.verdict is Verdict.PASS:
        return None
    return f"{result.control} {result.name}: {result.verdict.word}: {result.message}"


def properties(result: Result) -> tuple[tuple[str, object], ...]:
    """What pytest's own reports say of a verdict besides the outcome."""
    return _properties(result.control, result.verdict)


@lru_cache(maxsize=256)
def _properties(control: str, verdict: Verdict) -> tuple[tuple[str, object], ...]:
    """The same for all hosts: each report keeps it to the end."""
    return ("control", control), ("verdict", verdict.word)


def recorded(control: Control, fault: Exception) -> Result:
    """The verdict for a check that raised an exception: an error, never a pass."""
    return Result(
        control.id,
        control.name,
        Verdict.ERROR,
        control.severity,
        message=f"the check itself broke: {type(fault).__name__}: {fault} (see --tb=short)",
        expected="a check that ends in a verdict",
        observed=f"{type(fault).__name__}: {fault}",
    )


def describe(host: str, control: Control | None, result: Result) -> dict[str, Any]:
    """A verdict as plain data: strings, numbers, lists; what xdist can carry."""
    told = asdict(result) | {"verdict": result.verdict.value, "host": host}
    told["evidence"] = [asdict(one) for one in result.evidence]
    told["about"] = asdict(control) if control is not None else None
    return told


def from_report(told: dict[str, Any]) -> tuple[str, Control, Result]:
    """The reverse of :func:`describe`."""
    fields = dict(told)
    host, control = fields.pop("host"), fields.pop("about")
    fields["evidence"] = tuple(Evidence(**one) for one in fields["evidence"])
    fields["verdict"] = Verdict(fields["verdict"])
    lists = {name: tuple(control[name]) for name in ("evidence", "references")}
    return host, Control(**control | lists), Result(**fields)
