"""Ansible patterns over hosts that come from no inventory file, such as those of saved evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ipvs_audit.inventory.errors import InventoryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def matching(hosts: Mapping[str, Sequence[str]], pattern: str) -> list[str]:
    """The names that ``--limit`` selects, in their order.

    Import this module through :func:`~ipvs_audit.inventory.ansible_isolation.load_ansible` only.

    Args:
        hosts: groups by host name.
        pattern: e.g. ``ipvs:&eu:!old*``.

    Raises:
        InventoryError: for a pattern that is none.
    """
    manager = _manager(hosts)
    try:
        manager.subset(pattern)
        chosen = {str(host.name) for host in manager.get_hosts("all")}
    except (AnsibleError, OSError, ValueError, LookupError) as error:
        raise InventoryError(f"--limit {pattern!r}: {error}") from None
    return [name for name in hosts if name in chosen]


class Patterns:
    """Hosts that many patterns are asked of."""

    def __init__(self, hosts: Mapping[str, Sequence[str]]) -> None:
        self._names = tuple(hosts)
        self._manager = _manager(hosts)

    def select(self, pattern: str) -> list[str]:
        """The names that a pattern selects, in their order.

        Raises:
            InventoryError: for a pattern that is none.
        """
        try:
            chosen = {str(host.name) for host in self._manager.get_hosts(pattern)}
        except (AnsibleError, OSError, ValueError, LookupError) as error:
            raise InventoryError(f"{pattern!r} is not a host pattern: {error}") from None
        return [name for name in self._names if name in chosen]


def _manager(hosts: Mapping[str, Sequence[str]]) -> InventoryManager:
    manager = InventoryManager(loader=DataLoader(), sources=[])
    for group in dict.fromkeys(group for groups in hosts.values() for group in groups):
        manager.add_group(group)
    for name, groups in hosts.items():
        manager.add_host(name)
        for group in groups:
            manager.groups[group].add_host(manager.hosts[name])
    manager.reconcile_inventory()
    return manager
