"""An Ansible inventory, read as Ansible reads it, as the audit's targets.

>>> inventory = read_inventory(["web1,web2,"], limit="web1")
>>> [target.name for target in inventory.targets], inventory.total
(['web1'], 2)
"""

from __future__ import annotations

import gc
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from ipvs_audit.inventory.ansible_isolation import captured_output, load_ansible
from ipvs_audit.inventory.ansible_warnings import (
    no_host_matches,
    refuse_empty_limit,
    refuse_unread_sources,
    unreadable,
    warnings_from,
)
from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.inventory.files import checked_sources, digest, is_program
from ipvs_audit.inventory.variables import IGNORED, concerns_us, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ipvs_audit.inventory.ansible_core import AnsibleInventory
    from ipvs_audit.inventory.ansible_messages import Message
    from ipvs_audit.model.target import Target

__all__ = ["Inventory", "InventoryError", "read_inventory"]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The hosts to audit, and what they were read from.

    Attributes:
        targets: the hosts after ``--limit``, in inventory order; excluded ones among them.
        sources: the inventories as they were given.
        sha256: digest of every file that was read; see :func:`ipvs_audit.inventory.files.digest`.
        total: how many hosts there are without ``--limit``.
        warnings: what the user should know, one line each, without secrets.
    """

    targets: tuple[Target, ...]
    sources: tuple[str, ...]
    sha256: str
    total: int
    warnings: tuple[str, ...] = ()


def read_inventory(
    sources: Sequence[str],
    *,
    limit: str | None = None,
    vault_password_file: Path | None = None,
) -> Inventory:
    """Read one inventory from anything that Ansible takes for one.

    Args:
        sources: files, directories, programs, or lists of hosts such as ``web1,web2,``.
        limit: an Ansible pattern, e.g. ``ipvs:&cn-hangzhou:!web1`` or ``@failed.retry``.
        vault_password_file: beside what ANSIBLE_VAULT_PASSWORD_FILE names.

    Raises:
        InventoryError: for whatever is wrong, in one message for the user.
    """
    if limit is not None:
        refuse_empty_limit(limit)
    given = checked_sources(sources)
    failure: Message | None = None
    core = load_ansible()
    with _no_garbage_collection(), captured_output() as captured:
        try:
            ansible = core.AnsibleInventory(given, vault_password_file)
            total = len(ansible.hosts())
            if limit is not None:
                ansible.limit(limit)
            targets, ignored = _targets(ansible)
            outcome = ansible.outcome() if any(map(is_program, given)) else b""
            names = ansible.names()
        except InventoryError:
            raise
        except Exception as error:  # noqa: BLE001  # plugins are anybody's code
            failure = core.explain(error)
    refuse_unread_sources(captured.events)
    if failure is not None:
        raise unreadable(failure)
    warnings = warnings_from(captured, names)
    if not targets:
        raise no_host_matches(sources, limit, total, names, warnings)
    return Inventory(
        targets=targets,
        sources=tuple(sources),
        sha256=digest(given, outcome),
        total=total,
        warnings=_without_secrets((*warnings, *_ignored_variables(ignored)), targets),
    )


def _targets(ansible: AnsibleInventory) -> tuple[tuple[Target, ...], Counter[str]]:
    ignored: Counter[str] = Counter()
    targets: list[Target] = []
    for host in ansible.hosts():
        variables = ansible.variables(host)
        if not host.name.isprintable():
            where = variables.get("inventory_file") or "the inventory"
            raise InventoryError(f"{where}: a host name is not printable text: {str(host.name)!a}")
        ignored.update(IGNORED.intersection(variables))
        ours = ansible.resolved(host, variables, concerns_us)
        groups = sorted({str(group.name) for group in host.get_groups()} - {"all", "ungrouped"})
        targets.append(target_of(str(host.name), tuple(groups), ours))
    return tuple(targets), ignored


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Millions of small objects that all stay: looking through them costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _without_secrets(lines: Sequence[str], targets: Sequence[Target]) -> tuple[str, ...]:
    """A script may print on stderr what it also gives as a password."""
    if not lines:
        return ()
    both = ((t.password, t.become.password if t.become else None) for t in targets)
    found = {each.get_secret_value() for pair in both for each in pair if each is not None}
    secrets = sorted((s for s in found if s), key=len, reverse=True)
    return tuple(
        reduce(lambda text, secret: text.replace(secret, "***"), secrets, line) for line in lines
    )


def _ignored_variables(ignored: Counter[str]) -> tuple[str, ...]:
    return tuple(
        f"{name} is ignored; it is set for {count} host{'s' if count > 1 else ''}"
        for name, count in sorted(ignored.items())
    )
