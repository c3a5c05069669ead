"""Everything that touches ansible-core: its settings, its vault, its hosts, its templates.

Import it through :func:`ipvs_audit.inventory.ansible_isolation.load_ansible`: ansible-core reads
its settings once, when it is first imported, and takes over stdout as it does.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants
from ansible.errors import AnsibleError, AnsibleValueOmittedError
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString, VaultHelper
from ansible.plugins.loader import init_plugin_loader, vars_loader
from ansible.template import Templar, is_trusted_as_template
from ansible.utils.vars import combine_vars
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible.vars.plugins import get_vars_from_inventory_sources

from ipvs_audit.inventory.ansible_internals import (
    Sources,
    explain,
    forget_files,
    origin_of,
    without_mark,
)
from ipvs_audit.inventory.errors import HostError, InventoryError
from ipvs_audit.inventory.variable import Variable
from ipvs_audit.inventory.vault import open_vault

if TYPE_CHECKING:
    from ipvs_audit.inventory.ansible_messages import Message

init_plugin_loader()

_VARIABLE_FILES = "ansible.builtin.host_group_vars"
_OWN_NAME = re.compile(r"\{\{ *inventory_hostname *\}\}")


class _Loader(DataLoader):  # type: ignore[misc]
    """Parses a source once; Ansible does it once a plugin, and copies the whole each time."""

    def __init__(self) -> None:
        super().__init__()
        self._shared: dict[str, Any] = {}

    def load_from_file(
        self,
        file_name: str,
        cache: str = "all",
        unsafe: bool = False,
        json_only: bool = False,
        trusted_as_template: bool = False,
    ) -> Any:  # noqa: ANN401
        """As the base class; a source that configures no plugin is shared between plugins."""
        if cache == "none" and not json_only:
            if file_name not in self._shared:
                data = super().load_from_file(
                    file_name, cache, unsafe=True, trusted_as_template=True
                )
                is_plain = isinstance(data, Mapping) and "plugin" not in data
                self._shared[file_name] = data if is_plain else None
            if (shared := self._shared[file_name]) is not None:
                return shared
        return super().load_from_file(file_name, cache, unsafe, json_only, trusted_as_template)

    def _get_file_contents(self, file_name: str) -> tuple[bytes, bool]:
        """As the base class, without the byte order mark of Windows editors.

        Ansible takes it for a part of the first host's or section's name.
        """
        content, plain = super()._get_file_contents(file_name)
        return without_mark(content), plain


class AnsibleInventory:
    """One inventory as Ansible reads it."""

    def __init__(
        self,
        sources: Sequence[str],
        vault_password_file: Path | None,
        vaults: Sequence[tuple[str | None, str]] = (),
    ) -> None:
        """Parse the sources; nothing is templated or decrypted before it is asked for.

        Raises:
            InventoryError: for a vault password that cannot be had.
            AnsibleError: where Ansible gives up.
        """
        self._sources = list(sources)
        forget_files()
        self._loader = _Loader()
        open_vault(self._loader, vaults, vault_password_file)
        self._manager = Sources(loader=self._loader, sources=self._sources)
        self._by_groups: dict[tuple[str, ...], dict[str, Any]] = {}
        self._has_host_files = _may_have_host_files(self._sources)
        self._settled: dict[int, tuple[object, Variable]] = {}
        self._hostvars: Any = None

    def limit(self, pattern: str) -> None:
        """Narrow :meth:`hosts` to an Ansible pattern, ``@file`` included.

        Raises:
            InventoryError: for a pattern that is none, or a file that cannot be read.
        """
        try:
            self._manager.subset(pattern)
            self._manager.get_hosts("all")
        except (AnsibleError, OSError, ValueError, LookupError) as error:
            raise InventoryError(f"--limit {pattern!r}: {explain(error).words}") from None

    def hosts(self) -> list[Any]:
        """Ansible's hosts in inventory order; never the ``localhost`` that it would invent."""
        return [host for host in self._manager.get_hosts("all") if not host.implicit]

    def names(self) -> list[str]:
        """The names of all hosts and groups, for suggestions."""
        known = {*map(str, self._manager.hosts), *map(str, self._manager.groups)}
        return sorted(known - {"all", "ungrouped"})

    def variables(self, host: Any) -> dict[str, Any]:  # noqa: ANN401
        """All variables of a host by Ansible's precedence, templates and vaults as written.

        Raises:
            AnsibleError: for a group_vars or host_vars file that cannot be read.
        """
        groups = sort_groups(host.get_groups())
        key = tuple(group.name for group in groups)
        if key not in self._by_groups:
            self._by_groups[key] = self._merged_groups(groups)
        merged = combine_vars(self._by_groups[key], host.vars)
        if self._has_host_files and (
            beside := get_vars_from_inventory_sources(self._loader, self._sources, [host], "all")
        ):
            merged = combine_vars(merged, beside)
        return dict(merged)

    def resolved(
        self,
        host: Any,  # noqa: ANN401
        variables: Mapping[str, Any],
        wanted: Callable[[str], bool],
    ) -> dict[str, Variable]:
        """The variables of wanted names, with templates and vaults resolved.

        Raises:
            HostError: for a template or vault that does not resolve.
        """
        found: dict[str, Variable] = {}
        context: dict[str, Any] | None = None
        for name, value in variables.items():
            if not wanted(name):
                continue
            if (settled := self._settled.get(id(value))) is not None:
                found[str(name)] = settled[1]
                continue
            own = origin_of(value)
            place = (origin_of(name) if own is None else own) or ""
            try:
                if not _may_be_template(value):
                    plain = _plain(value)
                    if (
                        own is not None
                    ):  # so it is no singleton: the same object for each host of a group
                        self._settled[id(value)] = value, Variable(plain, place)
                elif (simple := _with_own_name(value, host.name)) is not None:
                    plain = simple
                else:
                    context = context or self._with_magic(host, variables)
                    plain = _plain(Templar(self._loader, context).template(value))
            except AnsibleValueOmittedError:  # {{ ... | default(omit) }}
                continue
            except AnsibleError as error:
                raise HostError(_unresolved(host.name, name, place, explain(error))) from None
            found[str(name)] = Variable(plain, place)
        return found

    def _beside(self, these: list[Any]) -> dict[str, Any]:
        """What files beside the inventory, and other such plugins, say of hosts or groups."""
        return dict(get_vars_from_inventory_sources(self._loader, self._sources, these, "all"))

    def _merged_groups(self, groups: list[Any]) -> dict[str, Any]:
        """As ``VariableManager.get_vars`` does without a play, once for each set of groups."""
        everyone = [group for group in groups if group.name == "all"]
        others = [group for group in groups if group.name != "all"]
        steps: dict[str, Callable[[], dict[str, Any]]] = {
            "all_inventory": lambda: get_group_vars(everyone),
            "groups_inventory": lambda: get_group_vars(others),
            "all_plugins_inventory": lambda: self._beside(everyone),
            "groups_plugins_inventory": lambda: self._beside(others),
        }
        merged: dict[str, Any] = {}
        for entry in constants.VARIABLE_PRECEDENCE:
            if entry in steps:
                merged = combine_vars(merged, steps[entry]())
        return merged

    def _with_magic(self, host: Any, merged: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        if self._hostvars is None:
            manager = VariableManager(loader=self._loader, inventory=self._manager)
            manager.safe_basedir = False  # or the group_vars of the working directory would count
            self._hostvars = HostVars(self._manager, manager, self._loader)
        return {
            **merged,
            **host.get_magic_vars(),
            "groups": self._manager.get_groups_dict(),
            "hostvars": self._hostvars,
        }

    def outcome(self) -> bytes:
        """What came of sources that are programs: every host, group and variable, canonical.

        Vaulted values stand as ciphertext, templates as written.
        """
        groups = {
            name: {
                "children": sorted(child.name for child in group.child_groups),
                "hosts": sorted(host.name for host in group.hosts),
                "vars": group.vars,
            }
            for name, group in self._manager.groups.items()
        }
        hosts = {name: _portable(host.vars) for name, host in self._manager.hosts.items()}
        return json.dumps([groups, hosts], sort_keys=True, default=_encoded).encode()


def _may_have_host_files(sources: Sequence[str]) -> bool:
    """Whether variables of a single host can come from anywhere but the inventory itself."""
    plugins = [plugin.ansible_name for plugin in vars_loader.all()]
    # ansible-core enables host_group_vars the first time that variables are asked for, but only if
    # nobody has listed the plugins before. A list of hosts (``web1,``) asks for none; without this,
    # no later inventory of the process would have its group_vars and host_vars.
    for enabled in filter(None, constants.VARIABLE_PLUGINS_ENABLED):
        vars_loader.get(enabled)
    if plugins != [_VARIABLE_FILES]:
        return True
    paths = map(Path, sources)
    folders = {path if path.is_dir() else path.parent for path in paths}
    return any(os.path.lexists(folder / "host_vars") for folder in folders)


def _portable(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in variables.items() if k not in {"inventory_dir", "inventory_file"}}


def _encoded(value: object) -> object:
    return VaultHelper.get_ciphertext(value, with_tags=False) or str(value)


def _with_own_name(template: object, host: str) -> str | None:
    """Resolve a template that asks for nothing but the host's name; a fleet may hold thousands."""
    if not isinstance(template, str) or "\\" in template or not is_trusted_as_template(template):
        return None
    text, count = _OWN_NAME.subn(lambda _: host, str(template))
    rest = _OWN_NAME.sub("", str(template))
    return text if count and not any(mark in rest for mark in ("{{", "{%", "{#")) else None


def _may_be_template(value: object) -> bool:
    if isinstance(value, str):  # an EncryptedString is none
        return "{{" in value or "{%" in value
    return isinstance(value, Mapping | list)


def _plain(value: Any) -> object:  # noqa: ANN401
    """Drop Ansible's tags and lazy containers; decrypt what is encrypted."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, EncryptedString):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [_plain(each) for each in value]
    return None if type(value).__name__ == "Omit" else str(value)


def _unresolved(host: str, name: str, place: str, why: Message) -> str:
    where = f" ({place})" if place else ""
    if why.mentions("no vault secrets found"):
        return (
            f"host {host}: {name} is encrypted with Ansible Vault{where}: give the password "
            "with --vault-password-file"
        )
    if why.mentions("decrypt") or why.mentions("vault"):
        return f"host {host}: {name} cannot be decrypted with this vault password{where}"
    return f"host {host}: {name} does not resolve: {why.words}{where}"
