"""Evidence of a run is what its manifest says, or is not judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipvs_audit.audit.saved_inventory import check_digest
from ipvs_audit.inventory import InventoryError
from ipvs_audit.report import manifest
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from pathlib import Path


def test_evidence_that_differs_from_its_manifest_is_refused(tmp_path: Path) -> None:
    evidence = tmp_path / store.NAME
    evidence.write_bytes(b"one")
    check_digest(tmp_path)  # no manifest, nothing to compare with
    manifest.write(tmp_path)
    for asked in (tmp_path, evidence):
        check_digest(asked)
    evidence.write_bytes(b"other")
    for asked in (tmp_path, evidence):
        with pytest.raises(InventoryError, match="differs from the digest in the manifest"):
            check_digest(asked)
    (tmp_path / manifest.NAME).write_text("not a manifest")
    with pytest.raises(InventoryError, match="not a manifest line"):
        check_digest(tmp_path)
