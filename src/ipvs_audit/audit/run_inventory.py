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
from ipvs_audit.inventory.this_machine import settings_may_name_an_inventory, this_machine

if TYPE_CHECKING:
    from ipvs_audit.audit.options import Options

_THIS_MACHINE = ("this machine",)


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
    asked = bool(options.inventory) or settings_may_name_an_inventory()
    settings = find_settings() if options.ansible_config and asked else NO_SETTINGS
    sources = options.inventory or settings.inventory
    if not sources and (known := _known(options)) is not None:
        return known
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
        return replace(found, sources=_THIS_MACHINE)
    if options.inventory:
        return found
    named = f"{settings.inventory_from} names the inventory, since there is no --inventory"
    return replace(found, warnings=(named, *found.warnings))


def _known(options: Options) -> Inventory | None:
    """This machine without asking Ansible; None where a limit or a vault is for Ansible to read."""
    if options.limit is not None or options.vault_password_file is not None:
        return None
    found = this_machine(options.localhost)
    return None if found is None else replace(found, sources=_THIS_MACHINE)
