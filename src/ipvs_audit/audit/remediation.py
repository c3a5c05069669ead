"""A remediation as part of an audit: made from the session's options, targets and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.remediation_status import RemediationStatus
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.remedy.approved_plans import ApprovedPlans
from ipvs_audit.remedy.host_access import HostConnections, initiator
from ipvs_audit.remedy.journal import JournalError, find_journal, read_changes
from ipvs_audit.remedy.remediation import Remediation
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.manifest import NAME, entries, sha256
from ipvs_audit.report.reported_run import load_reported

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipvs_audit.audit.session import AuditSession
    from ipvs_audit.model.stop_request import StopRequest


class ApprovedPlanError(UsageError):
    """A run whose plans cannot be carried out; the message names it and what to do."""


def make_remediation(
    audit: AuditSession,
    directory: Path,
    *,
    tell: Callable[[str], None],
    ask: Callable[[str], bool],
    stop: StopRequest,
) -> Remediation | None:
    """What the options ask for besides an audit; None for nothing.

    Args:
        audit: the session.
        directory: of this run.
        tell: prints a line for the operator.
        ask: asks the operator a yes/no question.
        stop: whether the run was asked to end.

    Raises:
        JournalError: the run to roll back has no journal, or was itself a rollback.
        ApprovedPlanError: the run whose plans were approved cannot be read, or holds no plan.
    """
    options = audit.options.remedy
    if not options.mode:
        return None
    if options.rollback:
        # Before any host is contacted.
        journal = find_journal(audit.options.reports, options.rollback)
        check_journal(journal)
        read_changes(journal)
    approved = load_approved(options.approved_plan) if options.approved_plan else None
    access = HostConnections(
        audit.targets, audit.policies, audit.options.connection, directory.name, initiator()
    )
    return Remediation(
        options,
        audit.policies,
        access if options.changes_hosts else None,
        audit.options.reports,
        directory,
        audit.options.forks,
        tell,
        ask,
        stop,
        approved=approved,
    )


def check_journal(journal: Path) -> None:
    """Refuse a journal that was changed: hosts that it no longer names would not be rolled back.

    Raises:
        JournalError: it is not what the run's manifest says. A run that was killed has none.
    """
    try:
        said = entries(journal.parent).get(journal.name)
        changed = said is not None and said != sha256(journal)
    except (OSError, ReportError) as wrong:
        raise JournalError(f"{journal.parent}: {wrong}") from None
    if changed:
        raise JournalError(
            f"restore the {journal.name} that {journal.parent} had, or remove its line from"
            f" {NAME} to go by it all the same: it was changed since the run"
        )


def load_approved(directory: Path) -> ApprovedPlans:
    """The plans of a run that somebody has approved.

    Raises:
        ApprovedPlanError: it cannot be read, is not what its manifest says, or holds no plan.
    """
    try:
        run, digest = load_reported(directory, need_manifest=True)
    except ReportError as wrong:
        raise ApprovedPlanError(f"--approved-plan: {wrong}") from None
    remedies = {host.name: host.remedy for host in run.hosts if host.remedy is not None}
    if not remedies:
        raise ApprovedPlanError(
            f"--approved-plan: name a --remediate-plan run; {directory} holds no plan"
        )
    planned = {
        name: remedy.plan_sha256
        for name, remedy in remedies.items()
        if remedy.status is RemediationStatus.PLANNED
    }
    return ApprovedPlans(run.id, digest, planned)
