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
from typing import TYPE_CHECKING, Any

from ipvs_audit.inventory.ansible_isolation import (
    captured_output,
    environment,
    find_settings,
    load_ansible,
)
from ipvs_audit.inventory.ansible_warnings import (
    no_host_matches,
    refuse_empty_limit,
    refuse_unread_sources,
    unreadable,
    warnings_from,
)
from ipvs_audit.inventory.errors import HostError, InventoryError
from ipvs_audit.inventory.files import checked_sources, digest, is_program
from ipvs_audit.inventory.settings import NO_SETTINGS, AnsibleSettings
from ipvs_audit.inventory.variables import (
    EXCLUDE,
    IGNORED,
    concerns_us,
    excluded,
    meant,
    target_of,
)
from ipvs_audit.inventory.yaml_aliases import refuse_bombs
from ipvs_audit.model.target import Target
from ipvs_audit.model.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ipvs_audit.inventory.ansible_core import AnsibleInventory
    from ipvs_audit.inventory.ansible_messages import Message
    from ipvs_audit.inventory.variable import Variable

__all__ = [
    "NO_SETTINGS",
    "AnsibleSettings",
    "Inventory",
    "InventoryError",
    "find_settings",
    "read_inventory",
]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The hosts to audit, and what they were read from.

    Attributes:
        targets: the hosts after ``--limit``, in inventory order; excluded ones among them.
        sources: the inventories as they were given.
        sha256: digest of every file that was read; see :func:`ipvs_audit.inventory.files.digest`.
        total: how many hosts there are without ``--limit``.
        warnings: what the user should know, one line each, without secrets.
        not_selected: names of targets that the run left out whose saved evidence this is.
    """

    targets: tuple[Target, ...]
    sources: tuple[str, ...]
    sha256: str
    total: int
    warnings: tuple[str, ...] = ()
    not_selected: frozenset[str] = frozenset()


def read_inventory(
    sources: Sequence[str],
    *,
    limit: str | None = None,
    vault_password_file: Path | None = None,
    settings: AnsibleSettings | None = None,
) -> Inventory:
    """Read one inventory from anything that Ansible takes for one.

    Args:
        sources: files, directories, programs, or lists of hosts such as ``web1,web2,``.
        limit: an Ansible pattern, e.g. ``ipvs:&cn-hangzhou:!web1`` or ``@failed.retry``.
        vault_password_file: beside those that Ansible's settings name.
        settings: Ansible's; None looks for them as Ansible does.

    Raises:
        InventoryError: for whatever is wrong, in one message for the user.
    """
    if limit is not None:
        refuse_empty_limit(limit)
    given = checked_sources(sources)
    refuse_bombs(given)
    failure: Message | None = None
    if settings is None:
        settings = find_settings()
    core = load_ansible(settings)
    with _no_garbage_collection(), environment(settings), captured_output() as captured:
        try:
            ansible = core.AnsibleInventory(given, vault_password_file, settings.vaults)
            total = len(ansible.hosts())
            if limit is not None:
                ansible.limit(limit)
            targets, told = _targets(ansible, settings.variables)
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
    _refuse_where_none_is_usable(targets)
    return Inventory(
        targets=targets,
        sources=tuple(sources),
        sha256=digest(given, outcome + settings.fingerprint()),
        total=total,
        warnings=_without_secrets((*settings.notes, *warnings, *_told_of(told)), targets),
    )


def _targets(
    ansible: AnsibleInventory, settings: Mapping[str, Variable]
) -> tuple[tuple[Target, ...], Counter[str]]:
    """The hosts, and how many have each variable that is ignored or looks misspelt."""
    told: Counter[str] = Counter()
    targets: list[Target] = []
    for host in ansible.hosts():
        variables = ansible.variables(host)
        if not host.name.isprintable():
            where = variables.get("inventory_file") or "the inventory"
            raise InventoryError(f"{where}: a host name is not printable text: {str(host.name)!a}")
        told.update(IGNORED.intersection(variables))
        told.update(name for name, value in variables.items() if _looks_misspelt(name, value))
        groups = sorted({str(group.name) for group in host.get_groups()} - {"all", "ungrouped"})
        name = str(host.name)
        try:
            ours = ansible.resolved(host, variables, concerns_us)
            target = target_of(name, tuple(groups), {**settings, **ours} if settings else ours)
        except HostError as error:
            reason = _excluded(ansible, host, variables)
            target = Target(name, tuple(groups), unusable=str(error), excluded=reason)
        targets.append(target)
    return tuple(targets), told


def _looks_misspelt(name: str, value: object) -> bool:
    return name[:3] == "ans" and not isinstance(value, list | dict) and meant(name) is not None


def _excluded(ansible: AnsibleInventory, host: Any, variables: Mapping[str, Any]) -> str | None:  # noqa: ANN401
    """Why a host is not audited, some variable of which cannot be used."""
    try:
        return excluded(str(host.name), ansible.resolved(host, variables, EXCLUDE.__eq__))
    except HostError:
        return None


def _refuse_where_none_is_usable(targets: Sequence[Target]) -> None:
    """One host's variables are that host's error; where no host is left, they end the run.

    Raises:
        InventoryError: says what is wrong with the first.
    """
    audited = [target for target in targets if target.excluded is None]
    wrong = [target.unusable for target in audited if target.unusable is not None]
    if audited and len(wrong) == len(audited):
        others = f"; none of the {counted(len(wrong), 'host')} can be used" if wrong[1:] else ""
        raise InventoryError(wrong[0] + others)


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


def _told_of(variables: Counter[str]) -> tuple[str, ...]:
    return tuple(_told_of_one(name, counted(n, "host")) for name, n in sorted(variables.items()))


def _told_of_one(name: str, hosts: str) -> str:
    if (near := meant(name)) is None:
        return f"{name} is ignored; it is set for {hosts}"
    return f"{name}, set for {hosts}, is no connection variable; did you mean {near}?"
