"""Saved evidence as an inventory of its own, for a run that is evaluated again without one.

Next to the evidence of a run is its results.json, which has groups, exclusions and the policy of
each host. Evidence without it still gives the hosts' names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ipvs_audit.inventory import Inventory, InventoryError
from ipvs_audit.inventory.ansible_isolation import captured_output
from ipvs_audit.model.results import HostState
from ipvs_audit.model.target import Target
from ipvs_audit.report import manifest, results_json
from ipvs_audit.report.errors import ReportError
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from pathlib import Path


def saved_inventory(evidence: Path, *, limit: str | None) -> Inventory:
    """The hosts of a run's directory, or of an evidence file.

    Raises:
        InventoryError: the evidence or the results next to it cannot be read, or ``limit`` selects
            none of its hosts.
    """
    folder = evidence if evidence.is_dir() else evidence.parent
    results = folder / "results.json"
    left_out, not_selected = 0, frozenset[str]()
    try:
        if (evidence.is_dir() or evidence.name == store.NAME) and results.exists():
            targets, left_out, not_selected = _from_results(results)
        else:
            targets = {one.target: Target(one.target) for one in store.read(evidence)}
    except (store.StoreError, ReportError) as wrong:
        raise InventoryError(str(wrong)) from None
    chosen = list(targets)
    if limit is not None:
        with captured_output():
            patterns = import_module("ipvs_audit.inventory.patterns")
            groups = {name: target.groups for name, target in targets.items()}
            chosen = patterns.matching(groups, limit)
    if not chosen:
        raise InventoryError(
            f"--limit {limit!r} matches none of the {len(targets)} hosts in {evidence}"
        )
    return Inventory(
        targets=tuple(targets[name] for name in chosen),
        sources=(str(evidence),),
        sha256=manifest.sha256(evidence / store.NAME if evidence.is_dir() else evidence),
        total=len(targets) + left_out,
        not_selected=not_selected,
    )


def check_digest(evidence: Path) -> None:
    """Refuse evidence that was changed since its run wrote the manifest, where there is one.

    Raises:
        InventoryError: it differs from the digest there, or the manifest cannot be read.
    """
    folder = evidence if evidence.is_dir() else evidence.parent
    path = folder / store.NAME
    if not evidence.is_dir() and evidence.name != store.NAME:
        return
    try:
        said = manifest.entries(folder)
        if said and path.exists() and said.get(store.NAME) != manifest.sha256(path):
            raise InventoryError(f"{path}: differs from the digest in the manifest")
    except (ReportError, OSError) as wrong:
        raise InventoryError(f"--from-snapshots {folder}: {wrong}") from None


def _from_results(path: Path) -> tuple[dict[str, Target], int, frozenset[str]]:
    run = results_json.load(path)
    targets = {
        host.name: Target(
            host.name,
            groups=host.groups,
            excluded=host.reason if host.state == "excluded" else None,
            policy=host.policy,
        )
        for host in run.hosts
    }
    not_selected = (host.name for host in run.hosts if host.state is HostState.NOT_SELECTED)
    return targets, run.left_out, frozenset(not_selected)
