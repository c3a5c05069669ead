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
from typing import TYPE_CHECKING

from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.inventory.files import checked_sources, digest, is_program
from ipvs_audit.inventory.quiet import listening, load_ansible
from ipvs_audit.inventory.trouble import (
    no_host_matches,
    refuse_unread_sources,
    unreadable,
    warnings_from,
)
from ipvs_audit.inventory.variables import IGNORED, concerns_us, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ipvs_audit.inventory.ansible_core import AnsibleInventory
    from ipvs_audit.targets import Target

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
    if limit is not None and not limit.strip():
        raise InventoryError("--limit is empty: leave it out to audit every host")
    given = checked_sources(sources)
    core = load_ansible()
    with _no_garbage_collection(), listening() as heard:
        try:
            ansible = core.AnsibleInventory(given, vault_password_file)
            total = len(ansible.hosts(limited=False))
            if limit is not None:
                ansible.limit(limit)
            targets, ignored = _targets(ansible)
            outcome = ansible.outcome() if any(map(is_program, given)) else b""
            names = ansible.names()
            failure = None
        except core.AnsibleError as error:
            failure = core.explain(error)
    refuse_unread_sources(heard.events)
    if failure is not None:
        raise unreadable(failure)
    warnings = warnings_from(heard, names)
    if not targets:
        raise no_host_matches(sources, limit, total, names, warnings)
    return Inventory(
        targets=targets,
        sources=tuple(sources),
        sha256=digest(given, outcome),
        total=total,
        warnings=(*warnings, *_not_honoured(ignored)),
    )


def _targets(ansible: AnsibleInventory) -> tuple[tuple[Target, ...], Counter[str]]:
    ignored: Counter[str] = Counter()
    targets: list[Target] = []
    for host in ansible.hosts():
        variables = ansible.variables(host)
        ignored.update(IGNORED.intersection(variables))
        ours = ansible.resolved(host, variables, concerns_us)
        groups = sorted({group.name for group in host.get_groups()} - {"all", "ungrouped"})
        targets.append(target_of(host.name, tuple(groups), ours))
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


def _not_honoured(ignored: Counter[str]) -> tuple[str, ...]:
    return tuple(
        f"{name} is not honoured; {count} host{'s have' if count > 1 else ' has'} it"
        for name, count in sorted(ignored.items())
    )
