"""What makes a test function a control, and what it uses to say more than pass and fail.

A check is an ordinary pytest test. The decorator names the control, and three fixtures bring
what it needs: the host's :class:`~ipvs_audit.snapshot.Snapshot`, the
:class:`~ipvs_audit.model.policy.Policy` that holds for it, and an :class:`Assessment` to record
what was expected and seen::

    @control("EST-4", "live-value", severity="high", source="vendor document, step 4, method 1",
             fix="Set the running value.", evidence=("netns", "module"))
    def test_live_value(snapshot, policy, assessment):
        assessment.expect("run_estimation = 0")
        if not snapshot.module.loaded:
            assessment.not_applicable("ip_vs is not loaded")
        assert snapshot.census.host.value == 0, "estimation runs"

The function is pure: :func:`judge` calls it without pytest and gives a
:class:`~ipvs_audit.model.verdict.Result`, which is how saved evidence is judged again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shlex
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from ipvs_audit.model.control import SEVERITIES, Control
from ipvs_audit.model.verdict import PLAN, Evidence, Result, Verdict
from ipvs_audit.snapshot import ON_REQUEST, Failure, GarbledEvidenceError, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipvs_audit.model.policy import Policy


class _Settled(Exception):  # noqa: N818  # a verdict reached early, not an error
    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.message = message


@dataclass(slots=True)
class Assessment:
    """What one check records about one host while it judges."""

    control: Control
    snapshot: Snapshot
    expected: str = ""
    observed: str = ""
    fix: str = ""
    evidence: list[Evidence] = field(default_factory=list)

    def expect(self, text: str) -> None:
        """Say what the policy asks for, in one line."""
        self.expected = text

    def observe(self, text: str) -> None:
        """Say what was seen, in one line or more; the control's evidence is attached."""
        self.observed = text
        shown = map(self.snapshot.evidence, self.control.evidence)
        self.evidence = [one for one in shown if one is not None]

    def suggest(self, fix: str) -> None:
        """Say what puts this host right if the check fails; an empty text leaves the control's."""
        self.fix = fix

    def not_applicable(self, why: str) -> NoReturn:
        """End the check: the control does not concern this host."""
        raise _Settled(Verdict.NOT_APPLICABLE, why)

    def inconclusive(self, why: str) -> NoReturn:
        """End the check: nothing was proven either way, and what would settle it."""
        raise _Settled(Verdict.INCONCLUSIVE, why)

    def error(self, why: str) -> NoReturn:
        """End the check: the evidence could not be had, e.g. no permission where it was needed."""
        raise _Settled(Verdict.ERROR, why)


Check = Callable[..., None]
"""``(snapshot, policy, assessment, **fixtures) -> None``; the others are pytest fixtures."""
_C = TypeVar("_C", bound=Check)


def control(
    id: str,  # noqa: A002  # the field's own word
    name: str,
    *,
    severity: str,
    source: str,
    fix: str,
    evidence: tuple[str, ...] = (),
    required: bool = True,
    proves: bool = False,
    remediable: bool = False,
    references: tuple[str, ...] = (),
) -> Callable[[_C], _C]:
    """Mark a test function as the check of a control. Its docstring is the rationale.

    Args:
        id: stable identifier, e.g. ``EST-4``.
        name: its name in the words of the field, e.g. ``live-value``.
        severity: one of :data:`~ipvs_audit.model.control.SEVERITIES`.
        source: source of the requirement.
        fix: what an operator does about a failure, where the check suggests nothing for the host;
            true for either direction of the policy.
        evidence: names of the snapshot's sections that it rests on. One that is brought only on
            request (:data:`ipvs_audit.snapshot.ON_REQUEST`) makes the control one on request.
        required: whether "Compliant" needs it.
        proves: whether a pass shows that estimation is as the policy demands; a host on which no
            such control passes is not called compliant.
        remediable: whether ``--remediate`` can remediate a failure.
        references: requirements of standards that it serves, each with the standard's name, e.g.
            ``NIST SP 800-53 CM-6``.

    Raises:
        ValueError: for a severity that is not one of :data:`~ipvs_audit.model.control.SEVERITIES`.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"{id}: severity {severity!r} is not one of {', '.join(SEVERITIES)}")

    def mark(check: _C) -> _C:
        rationale = " ".join((check.__doc__ or "").split())
        about = Control(
            *(id, name, severity, source, rationale, fix),
            evidence=evidence,
            required=required,
            proves=proves,
            remediable=remediable,
            references=references,
            file=_file_of(check),
        )
        check.__ipvs_control__ = about  # type: ignore[attr-defined]
        return check

    return mark


def _file_of(check: Check) -> str:
    """The file of a check and its directory, not where that is: it stands in reports."""
    code = getattr(check, "__code__", None)
    return "/".join(Path(code.co_filename).parts[-2:]) if code is not None else ""


def control_of(check: object) -> Control | None:
    """The control that a function checks, or None for an ordinary function."""
    found = getattr(check, "__ipvs_control__", None)
    return found if isinstance(found, Control) else None


def on_request(about: Control) -> bool:
    """Whether a control is evaluated only where its evidence was asked for."""
    return not ON_REQUEST.isdisjoint(about.evidence)


def was_requested(about: Control, evidence: Snapshot | Failure) -> bool:
    """Whether a control is to be evaluated on this evidence: false where nobody asked for it."""
    if not on_request(about) or isinstance(evidence, Failure):
        return True
    return not ON_REQUEST.isdisjoint(evidence.sections)


#: ``pytest.skip`` and ``pytest.fail`` in a check.
_PYTEST_OUTCOMES = {"Skipped": Verdict.INCONCLUSIVE, "Failed": Verdict.FAIL}
#: Said of a check that neither says what it saw nor why that fails.
_WORDLESS = "the check fails and does not say why: give its assert a message"
_EXPECTED = {"too-old": "evidence that is recent enough"}


def judge(check: Check, evidence: Snapshot | Failure, policy: Policy, **fixtures: object) -> Result:
    """Judge one host by one check; ``fixtures`` are what it asks for beyond the usual three.

    Pass is only what the check ran through; a host that could not be collected, or evidence
    that does not parse, is an error. An exception that is none of these is the check's own
    fault, and propagates.
    """
    about = control_of(check)
    if about is None:
        raise TypeError(f"{check!r} is not a control: mark it with @control")
    if isinstance(evidence, Failure):
        return Result(
            about.id,
            about.name,
            Verdict.ERROR,
            about.severity,
            message=evidence.message,
            expected=_EXPECTED.get(evidence.kind, "a host that can be collected"),
            observed=f"{evidence.kind}: {evidence.message}",
        )
    assessment = Assessment(about, evidence)
    severity = policy.severity.get(about.id, about.severity)
    verdict, message = Verdict.PASS, ""
    try:
        check(snapshot=evidence, policy=policy, assessment=assessment, **fixtures)
    except _Settled as settled:
        verdict, message = settled.verdict, settled.message
    except GarbledEvidenceError as garbled:
        verdict, message = Verdict.ERROR, str(garbled)
    except AssertionError as failed:
        verdict, message = Verdict.FAIL, _own_words(failed) or assessment.observed or _WORDLESS
    except SystemExit as left:
        raise RuntimeError("the check called sys.exit()") from left
    except BaseException as outcome:
        # pytest's own outcomes, told by name: nothing here knows of pytest.
        if type(outcome).__name__ not in _PYTEST_OUTCOMES:
            raise
        verdict, message = _PYTEST_OUTCOMES[type(outcome).__name__], str(outcome)
    # Many hosts have them alike, and they stay to the end of a run.
    observed = sys.intern(assessment.observed)
    return Result(
        about.id,
        about.name,
        verdict,
        severity,
        message=sys.intern(message) or observed,
        expected=sys.intern(assessment.expected),
        observed=observed,
        fix=_fix(assessment) if verdict is Verdict.FAIL else "",
        evidence=tuple(assessment.evidence),
    )


def _own_words(failed: AssertionError) -> str:
    """What the check itself says, without what pytest adds: ``verify`` judges without pytest."""
    return f"\n{failed}".split("\nassert ", 1)[0][1:]


def _fix(assessment: Assessment) -> str:
    about = assessment.control
    fix = assessment.fix or about.fix
    host = shlex.quote(assessment.snapshot.target)
    return f"{fix}\n{PLAN} {host}" if about.remediable else fix


def judge_quietly(
    checks: Sequence[Check], evidence: Snapshot | Failure, policy: Policy
) -> list[Result | None]:
    """The verdict of each check that says nothing else; None where it breaks or has a message."""
    together = _judged_quietly(checks, evidence, policy)
    if together is None and len(checks) > 1:
        # By one of them, and Python shows the same warning of two of them once.
        return [each for one in checks for each in judge_quietly([one], evidence, policy)]
    return [None] if together is None else [*together]


def _judged_quietly(
    checks: Sequence[Check], evidence: Snapshot | Failure, policy: Policy
) -> list[Result] | None:
    """Their verdicts; None where one of them breaks or says something else."""
    said = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        _logged_to(said),
    ):
        try:
            results = [judge(check, evidence, policy) for check in checks]
        except Exception:  # noqa: BLE001  # reported in the ordinary way, with its traceback
            return None
    return None if warned or said.tell() else results


@contextlib.contextmanager
def _logged_to(said: io.StringIO) -> Iterator[None]:
    """Log lines go there, and nowhere else: they come again where the check is asked again."""
    handlers = logging.getLogger().handlers
    before = handlers[:]
    handlers[:] = [logging.StreamHandler(said)]
    try:
        yield
    finally:
        handlers[:] = before
