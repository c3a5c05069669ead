"""Bring the evidence of all hosts here, before the first check runs."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from ipvs_audit.audit.engine import engine
from ipvs_audit.audit.open_files import raise_open_file_limit
from ipvs_audit.audit.process_count import how_many, obstacle, threads_here, usable_cores
from ipvs_audit.model import limits
from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.model.text import counted
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Failure, Snapshot, store
from ipvs_audit.transport.connect import import_clients, open_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ipvs_audit.audit.progress import Progress
    from ipvs_audit.audit.session import AuditSession
    from ipvs_audit.model.target import Target
    from ipvs_audit.probe.processes import CollectingProcesses
    from ipvs_audit.transport import Connection

_REASONS_SHOWN = 3


def collect_evidence(
    audit: AuditSession,
    names: set[str],
    into: Path,
    progress: Progress,
    *,
    keep: Callable[[Target, Connection], bool] | None = None,
    kept: int = 0,
) -> None:
    """Collect the hosts named, or read their saved evidence; every one ends up in the session.

    Where an earlier run is resumed, its evidence is taken over, and only the others are collected.

    Args:
        audit: the run.
        names: inventory names of the hosts to collect.
        into: the ``snapshots.jsonl.gz`` to write as evidence arrives.
        progress: told of every host that is done.
        keep: told of each connection; true keeps it open, for checks that use ``host``.
        kept: how many it will keep.

    Raises:
        store.StoreError: saved evidence cannot be read; nothing was judged.
        EngineError: the engine cannot be used; nothing was collected.
        OSError: ``into`` cannot be written.
    """
    targets = [target for target in audit.audited if target.name in names]
    options = audit.options
    with store.Writer(into) as saved:
        if options.snapshots is not None:
            with progress.track(len(targets)) as tell:
                for found in store.read(options.snapshots):
                    if found.target in names:
                        evidence = _if_usable(audit.targets[found.target], found)
                        saved.write(evidence)
                        audit.add_evidence([evidence])
                        tell(evidence)
            return
        if audit.earlier is not None:
            targets = _reuse_evidence(audit, targets, saved, progress)
        most = options.forks if options.engine else limits.HOSTS_PER_FORK * options.forks
        forks, under_way, told = raise_open_file_limit(options.forks, most, kept)
        _tell(audit, progress, told)
        import_clients(targets)
        with engine(options.engine, forks, options.deadline) as where:
            if where.note:
                audit.notes.append(where.note)
            how: dict[str, Any] = {
                "settings": options.connection,
                "open_connection": open_connection,
                "policies": audit.policies,
                "forks": where.forks,
                "under_way": under_way,
                "editable_files": bool(options.remedy.mode),
            }
            processes = None
            if where.executor is None:
                why_not = obstacle(kept, threads_here())
                processes = _processes(audit, targets, progress, how, why_not)
            here = collect(
                targets, **how, keep=keep, executor=where.executor, overrun=where.overrun
            )
            # The processes are there before the thread that draws the progress.
            with closing(processes or here), progress.track(len(targets)) as tell:
                for evidence in processes.evidence() if processes else here:
                    saved.write(evidence)
                    audit.add_evidence([evidence])
                    tell(evidence)
            for told in processes.notes if processes else ():
                _tell(audit, progress, told)
    _tell(audit, progress, _turned_to_openssh(audit.collected.values()))


def _processes(
    audit: AuditSession, targets: list[Target], progress: Progress, how: dict[str, Any], why: str
) -> CollectingProcesses | None:
    """Processes that collect; None where this one does, for a reason ``why`` or others."""
    asked = audit.options.processes
    count, told = how_many(asked, len(targets), cores=usable_cores(), obstacle=why)
    _tell(audit, progress, told)
    if count > 1:
        from ipvs_audit.probe import processes  # noqa: PLC0415  # most runs have few hosts

        try:
            return processes.CollectingProcesses(count, targets, **how)
        except OSError as wrong:
            told = f"One process collects, not {count}: no other could be started"
            _tell(audit, progress, f"{told} ({wrong.strerror}).")
    return None


def _tell(audit: AuditSession, progress: Progress, told: str) -> None:
    """Say something in the terminal and in the reports; nothing where it is empty."""
    if told:
        audit.notes.append(told)
        progress.say(f"ipvs-audit: {told}")


def _turned_to_openssh(collected: Iterable[Snapshot | Failure]) -> str:
    """Which hosts OpenSSH's client reached because paramiko could not; empty for none."""
    reasons: dict[tuple[str, ...], list[str]] = {}
    for evidence in collected:
        if isinstance(evidence, Snapshot) and evidence.collection.openssh_for:
            reasons.setdefault(evidence.collection.openssh_for, []).append(evidence.target)
    if not reasons:
        return ""
    hosts = counted(sum(map(len, reasons.values())), "host")
    shown = "; ".join(
        f"{', '.join(why)} ({names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''})"
        for why, names in list(reasons.items())[:_REASONS_SHOWN]
    )
    return (
        f"OpenSSH's client, which is slower, was used for {hosts} that paramiko cannot reach as"
        f" ssh does: {shown}{' ...' if len(reasons) > _REASONS_SHOWN else ''}."
    )


def _if_usable(target: Target, evidence: Snapshot | Failure) -> Snapshot | Failure:
    """Saved evidence, or a failure where it is not known what the inventory asks of the host.

    Its policy may be among the variables that cannot be used.
    """
    if target.unusable is None:
        return evidence
    now = utc_timestamp()
    return Failure(target.name, "configuration", target.unusable, now, now)


def _reuse_evidence(
    audit: AuditSession, targets: list[Target], saved: store.Writer, progress: Progress
) -> list[Target]:
    """Keep the evidence of the run that is resumed; the hosts of which it has none."""
    assert audit.earlier is not None  # noqa: S101  # the caller has looked
    missing = {target.name: target for target in targets}
    for evidence in audit.earlier.snapshots():
        target = missing.get(evidence.target)
        if target is not None and target.unusable is None:
            del missing[target.name]
            saved.write(evidence)
            audit.add_evidence([evidence])
    told = (
        f"Resumed from {audit.earlier.identity.id}: the evidence of {len(targets) - len(missing):,}"
        f" hosts was taken over, {len(missing):,} were still to be collected."
    )
    _tell(audit, progress, told)
    return list(missing.values())
