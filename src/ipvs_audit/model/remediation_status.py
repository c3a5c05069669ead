"""What a remediation plans for a host, and what became of it.

>>> RemediationStatus.NEEDS_APPROVAL.word
'needs approval'
"""

from __future__ import annotations

from enum import StrEnum


class RemediationStatus(StrEnum):
    """One host within a remediation. The values are those of results.json and the journal."""

    ALREADY_COMPLIANT = "already_compliant"
    PLANNED = "planned"
    NEEDS_APPROVAL = "needs_approval"
    CANNOT_BE_REMEDIATED = "cannot_be_remediated"
    REMEDIATED = "remediated"
    PARTIALLY_REMEDIATED = "partially_remediated"
    REVERTED = "reverted"
    FAILED = "failed"
    NOT_ATTEMPTED = "not_attempted"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"

    @property
    def word(self) -> str:
        """The status as people read it, in the terminal, JUnit and HTML alike."""
        return self.value.replace("_", " ")

    @property
    def failed(self) -> bool:
        """Whether it counts against ``--max-failures``, and ends a run with exit code 1."""
        return self in (
            RemediationStatus.FAILED,
            RemediationStatus.REVERTED,
            RemediationStatus.PARTIALLY_REMEDIATED,
            RemediationStatus.ROLLBACK_FAILED,
        )

    @property
    def about_steps(self) -> str:
        """What stands above the steps of a plan that is not carried out; empty for nothing."""
        return _ABOUT_STEPS.get(self, "")

    @property
    def may_have_changed(self) -> bool:
        """Whether this run has, or may have, changed the host, so that a rollback could undo it."""
        return self in (
            RemediationStatus.REMEDIATED,
            RemediationStatus.PARTIALLY_REMEDIATED,
            RemediationStatus.FAILED,
        )


_ABOUT_STEPS = {
    RemediationStatus.NEEDS_APPROVAL: "Not done. With approval, these steps are taken:",
    RemediationStatus.CANNOT_BE_REMEDIATED: "Not done. These steps would be needed:",
    RemediationStatus.NOT_ATTEMPTED: "Not done. These steps were planned:",
}
