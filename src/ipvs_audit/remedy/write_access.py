"""Whether a host lets the files of a plan be replaced: told from the snapshot, without trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.remedy.original_files import Originals
    from ipvs_audit.remedy.plan_steps import WriteFile
    from ipvs_audit.snapshot import Snapshot

#: KiB that must be free where files are written, beside what is written.
SPARE = 256

_CLOSED = {
    "absent": "does not exist",
    "denied": "cannot be written by the user that the probe ran as; set ansible_become: true",
    "readonly": "is on a read-only file system",
    "immutable": "is immutable (chattr +i)",
    "shared": "can be written by others than root: a file that root writes there is not safe",
}


def no_rights(snapshot: Snapshot) -> str:
    """Why nothing can be changed by this user; empty for root."""
    if snapshot.host.root:
        return ""
    return (
        f"no rights: the probe ran as {snapshot.host.user}; changing a host needs root "
        "(ansible_become: true)"
    )


def why_unwritable(
    snapshot: Snapshot, config: HostConfig, originals: Originals, steps: tuple[WriteFile, ...]
) -> str:
    """Why a file cannot be replaced there; empty where all can."""
    reasons = [no_rights(snapshot)]
    reasons += [_file(step, config, originals) for step in steps]
    directories = {step.path.rpartition("/")[0] for step in steps} | {"/var/lib"}
    needed = SPARE + sum(len(step.after) for step in steps) // 512
    reasons += [_directory(path, originals, needed) for path in sorted(directories)]
    return next(filter(None, reasons), "")


def _file(step: WriteFile, config: HostConfig, originals: Originals) -> str:
    known = originals.of_real(step.path)
    if known is None:
        there = step.path in {file.real for file in config.tree.files.values()}
        return f"{step.path} could not be read whole" if there else ""
    seen = config.tree.files.get(known.path)
    if known.attributes:
        return f"{step.path} is {known.attributes[0]} (chattr): take that away first"
    if known.links > 1:
        return f"{step.path} has {known.links} hard links, which a new file would part"
    if known.content is None:
        return f"{step.path} could not be read whole: {known.unread}"
    if seen is not None and seen.sha256 and seen.sha256 != known.sha256:
        return f"{step.path} changed while the probe looked: collect it again"
    return ""


def _directory(path: str, originals: Originals, needed: int) -> str:
    place = originals.places.get(path)
    if place is None:
        return f"{path} was not looked at"
    if place.state != "writable":
        return f"{path} {_CLOSED[place.state]}"
    if place.free < needed:
        return f"{path} has {place.free} KiB free, of which {needed} are needed"
    return ""
