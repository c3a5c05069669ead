"""Which inventory a run is about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.inventory import (
    NO_SETTINGS,
    Inventory,
    InventoryError,
    find_settings,
    read_inventory,
)

if TYPE_CHECKING:
    from ipvs_audit.audit.options import Options


def run_inventory(options: Options) -> Inventory:
    """The hosts that a run is about.

    Those of ``--inventory``; else, of saved evidence; else, of the inventory that Ansible's
    settings name; else, this machine.

    Raises:
        InventoryError: for whatever is wrong with it; and where hosts would be remediated that
            nobody has named on the command line.
    """
    if options.snapshots is not None:
        from ipvs_audit.audit.saved_inventory import (  # noqa: PLC0415  # not where hosts are asked
            check_digest,
            saved_inventory,
        )

        check_digest(options.snapshots)
        if not options.inventory:
            return saved_inventory(options.snapshots, limit=options.limit)
    settings = find_settings() if options.ansible_config else NO_SETTINGS
    sources = options.inventory or settings.inventory
    if settings.inventory and not options.inventory and options.remedy.mode:
        raise InventoryError(
            "remediation needs --inventory: name the hosts, which would otherwise be those of "
            f"{', '.join(settings.inventory)} ({settings.inventory_from}); for this machine, add "
            "--no-ansible-config"
        )
    found = read_inventory(
        sources or (str(options.localhost),),
        limit=options.limit,
        vault_password_file=options.vault_password_file,
        settings=settings if sources else NO_SETTINGS,  # they are about Ansible's hosts
    )
    if not sources:
        return replace(found, sources=("this machine",))
    if options.inventory:
        return found
    named = f"{settings.inventory_from} names the inventory, since there is no --inventory"
    return replace(found, warnings=(named, *found.warnings))
