"""Whether a host lets the files of a plan be replaced: judged from the snapshot, without trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.model.limits import SPARE_KIB
from ipvs_audit.remedy.script import STATE

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.remedy.editable_files import EditableFiles
    from ipvs_audit.remedy.plan_steps import WriteFile
    from ipvs_audit.snapshot import Snapshot

_CLOSED = {
    "absent": "does not exist",
    "denied": "cannot be written by the user that the probe ran as; set ansible_become: true",
    "readonly": "is on a read-only file system",
    "immutable": "is immutable or append-only (chattr): remove that first",
}


def why_not_root(snapshot: Snapshot) -> str:
    """Why this user may change nothing; empty for root."""
    if snapshot.account.root:
        return ""
    return f"root is required: the probe ran as {snapshot.account.user}; set ansible_become: true"


def why_unwritable(
    snapshot: Snapshot, config: HostConfig, editable: EditableFiles, steps: tuple[WriteFile, ...]
) -> str:
    """Why a file cannot be replaced there; empty where all can."""
    reasons = [why_not_root(snapshot)]
    reasons += [_file(step, config, editable) for step in steps]
    directories = {step.path.rpartition("/")[0] for step in steps} | {"/var/lib"}
    # Backups go there; the first run creates it.
    directories |= {STATE} & editable.directories.keys()
    needed = SPARE_KIB + sum(len(step.after) for step in steps) // 512
    reasons += [_directory(path, editable, needed) for path in sorted(directories)]
    return next(filter(None, reasons), "")


def _file(step: WriteFile, config: HostConfig, editable: EditableFiles) -> str:
    known = editable.by_real_path(step.path)
    if known is None:
        there = step.path in {file.real for file in config.tree.files.values()}
        return f"{step.path} could not be read completely" if there else ""
    seen = config.tree.files.get(known.path)
    if known.attributes:
        return f"{step.path} is {known.attributes[0]} (chattr): remove that first"
    if known.links > 1:
        return f"{step.path} has {known.links} hard links, which replacing it would break"
    if known.content is None:
        unread = f"{step.path} could not be read completely: {known.unread}"
        return _others(step.path, known.others) if known.others else unread
    if seen is not None and seen.sha256 and seen.sha256 != known.sha256:
        return f"{step.path} changed during collection: collect again"
    return ""


def _directory(path: str, editable: EditableFiles, needed: int) -> str:
    directory = editable.directories.get(path)
    if directory is None:
        return f"{path} was not checked"
    if directory.state == "shared":
        return _others(path, directory.others or path)
    if directory.state != "writable":
        return f"{path} {_CLOSED[directory.state]}"
    if directory.free < needed:
        return f"{path} has {directory.free} KiB free; {needed} KiB are needed"
    return ""


def _others(path: str, culprit: str) -> str:
    return (
        f"give {culprit} to root alone (owner root, chmod go-w): users other than root can write"
        f" there, so root does not write to {path}"
    )
