"""Bring the evidence of all hosts here, before the first check runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import store
from ipvs_audit.transport import Limits
from ipvs_audit.transport.connect import Settings, open_connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipvs_audit.options import Options
    from ipvs_audit.progress import Progress
    from ipvs_audit.session import AuditSession
    from ipvs_audit.targets import Target
    from ipvs_audit.transport import Connection


def settings_of(options: Options) -> Settings:
    """The transport's settings, from the command line."""
    return Settings(
        limits=Limits(connect=options.connect_timeout, deadline=options.deadline),
        host_key_policy=options.host_key_policy,
        known_hosts=options.known_hosts,
        ssh_config=options.ssh_config,
    )


def gather(
    audit: AuditSession,
    names: set[str],
    into: Path,
    progress: Progress,
    *,
    keep: Callable[[Target, Connection], bool] | None = None,
) -> None:
    """Collect the hosts named, or read their saved evidence; every one ends up in the session.

    Args:
        audit: the run.
        names: inventory names of the hosts to collect.
        into: the ``snapshots.jsonl.gz`` to write as evidence arrives.
        progress: told of every host that is done.
        keep: told of each connection; true keeps it open, for checks that use ``host``.

    Raises:
        store.StoreError: saved evidence cannot be read; nothing was judged.
        OSError: ``into`` cannot be written.
    """
    targets = [target for target in audit.audited if target.name in names]
    options = audit.options
    with store.Writer(into) as saved, progress.over(len(targets)) as tell:
        if options.snapshots is not None:
            for taken in store.read(options.snapshots):
                if taken.target in names:
                    saved.write(taken)
                    audit.hold([taken])
                    tell(taken)
            return
        for taken in collect(
            targets,
            settings=settings_of(options),
            open_connection=open_connection,
            policies=audit.policies,
            forks=options.forks,
            originals=bool(options.remedy.mode),
            keep=keep,
        ):
            saved.write(taken)
            audit.hold([taken])
            tell(taken)
