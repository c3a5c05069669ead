"""Reads Ansible's settings by ansible-core's own reader of them.

Import it through :func:`ipvs_audit.inventory.ansible_isolation.find_settings` only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.config.manager import ConfigManager, find_ini_config_file

from ipvs_audit.inventory.ansible_messages import without_quotations
from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.inventory.password_file import read_password_file
from ipvs_audit.inventory.settings import (
    DEFINITIONS,
    HOST_KEY_CHECKING,
    NOT_FOLLOWED,
    PASSWORD_FILES,
    PREFIX,
    AnsibleSettings,
    Definition,
    what_counts,
)
from ipvs_audit.inventory.variable import Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS = "ipvs_audit"
_WAY_OUT = "--no-ansible-config leaves Ansible's settings out"


def read_settings() -> AnsibleSettings:
    """The settings as Ansible itself would find them from here.

    Raises:
        InventoryError: ANSIBLE_CONFIG names nothing, Ansible does not accept the file, or a file
            that is to hold a password does not.
    """
    named = os.environ.get("ANSIBLE_CONFIG")
    if named is not None and not Path(named).expanduser().exists():
        raise InventoryError(f"ANSIBLE_CONFIG names {named}, which does not exist: unset it")
    if named is not None and not os.access(Path(named).expanduser(), os.R_OK):
        raise InventoryError(f"ANSIBLE_CONFIG names {named}, which cannot be read: unset it")
    unsafe: set[str] = set()
    file = find_ini_config_file(unsafe) or ""
    notes = [
        f"{Path.cwd()}/ansible.cfg is ignored, as Ansible does: everybody may write to its folder"
        for _ in unsafe
    ]
    try:
        asked = _Reader(file)
    except Exception as error:
        why = without_quotations(str(error).splitlines()[0])
        raise InventoryError(
            f"{file}: ansible-core rejects these settings: {why}; {_WAY_OUT}"
        ) from error
    inventory, inventory_from = asked.base("DEFAULT_HOST_LIST")
    variables = asked.all(DEFINITIONS) | asked.passwords()
    if asked.one("host_key_checking") == "False":
        notes.append(
            f"host_key_checking is ignored ({asked.place('host_key_checking')}): "
            "--host-key-policy decides which host keys are accepted"
        )
    notes.extend(
        f"{name} is not followed ({asked.place(name)}): {way_out}"
        for name, (_, way_out) in NOT_FOLLOWED.items()
        if asked.one(name) not in {"", "False"}
    )
    return AnsibleSettings(
        used=True,
        file=file,
        variables=variables,
        inventory=tuple(map(str, inventory or ())),
        inventory_from=inventory_from,
        vaults=asked.vaults(),
        notes=(*what_counts(file, variables), *notes),
    )


class _Reader:
    """One file and the environment, read by Ansible's precedence."""

    def __init__(self, file: str) -> None:
        self._manager = ConfigManager(file or None)
        known = DEFINITIONS | {name: definition for name, (definition, _) in NOT_FOLLOWED.items()}
        known["host_key_checking"] = HOST_KEY_CHECKING
        self._manager.initialize_plugin_configuration_definitions(
            "connection", _OURS, {name: _as_ansible_writes(each) for name, each in known.items()}
        )

    def all(self, wanted: Mapping[str, Definition]) -> dict[str, Variable]:
        return {
            PREFIX + name: Variable(value, self.place(name))
            for name in wanted
            if (value := self.one(name))
        }

    def passwords(self) -> dict[str, Variable]:
        """Those that a file of their own holds.

        Raises:
            InventoryError: it cannot be had from there.
        """
        named = {name: (setting, *self.base(setting)) for setting, name in PASSWORD_FILES.items()}
        return {
            PREFIX + name: Variable(read_password_file(str(file), setting.lower()), place)
            for name, (setting, file, place) in named.items()
            if file
        }

    def one(self, name: str) -> str:
        """A setting as text; empty where it is not set."""
        value, _ = self._asked(name)
        return "" if value is None else str(value)

    def place(self, name: str) -> str:
        """The file, or the environment variable."""
        return str(self._asked(name)[1]).removeprefix("env: ")

    def base(self, name: str) -> tuple[Any, str]:
        """One of Ansible's own settings and its place; None and empty where it is a default."""
        value, origin = self._manager.get_config_value_and_origin(name)
        return (None, "") if origin == "default" else (value, str(origin).removeprefix("env: "))

    def vaults(self) -> tuple[tuple[str | None, str], ...]:
        found: list[tuple[str | None, str]] = []
        for slug in self.base("DEFAULT_VAULT_IDENTITY_LIST")[0] or ():
            label, _, path = str(slug).rpartition("@")
            found.append((label or None, path))
        if (path := self.base("DEFAULT_VAULT_PASSWORD_FILE")[0]) is not None:
            found.append((None, str(path)))
        return tuple(found)

    def _asked(self, name: str) -> tuple[Any, Any]:
        found: tuple[Any, Any] = self._manager.get_config_value_and_origin(
            name, plugin_type="connection", plugin_name=_OURS
        )
        return found


def _as_ansible_writes(definition: Definition) -> dict[str, Any]:
    return {
        "type": definition.kind,
        "env": [{"name": name} for name in definition.env],
        "ini": [{"section": section, "key": key} for section, key in definition.ini],
    }
