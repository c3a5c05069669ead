"""A remediation as part of an audit: made from the session's options, targets and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.remedy.host_access import HostConnections, initiator
from ipvs_audit.remedy.journal import find_journal, read_changes
from ipvs_audit.remedy.remediation import Remediation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipvs_audit.audit.session import AuditSession
    from ipvs_audit.model.stop_request import StopRequest


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
    """
    options = audit.options.remedy
    if not options.mode:
        return None
    if options.rollback:
        # Before any host is contacted.
        read_changes(find_journal(audit.options.reports, options.rollback))
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
    )
