"""An earlier run, read back as it was reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.report import results_json
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.manifest import NAME, entries, sha256

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.model.results import Run


def load_reported(directory: Path, *, need_manifest: bool = False) -> tuple[Run, str]:
    """Its results, and the sha256 of the results.json that they come from.

    Args:
        directory: of the run.
        need_manifest: whether results that no manifest names are refused.

    Raises:
        ReportError: there is none, it cannot be read, or it is not what the run's manifest says.
    """
    path = directory / "results.json"
    try:
        digest = sha256(path)
        said = entries(directory).get(path.name)
        run = results_json.load(path)
    except OSError as unread:
        raise ReportError(
            f"{directory}: {unread.strerror}; name a run's directory, or latest"
        ) from None
    if said is None and need_manifest:
        raise ReportError(
            f"make a new run: no {NAME} in {directory} names {path.name}, so that nothing tells"
            " whether it was changed"
        )
    if said is not None and said != digest:
        raise ReportError(f"{path} differs from the digest in the manifest")
    return run, digest
