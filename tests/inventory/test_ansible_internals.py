"""What is used of ansible-core's private parts is still there; a new version fails here by name."""

from __future__ import annotations

from importlib import import_module

import pytest

from ipvs_audit.inventory.ansible_isolation import load_ansible

PARTS = [
    ("ansible._internal._datatag._tags", "Origin.get_tag", "the place of a value in an error"),
    ("ansible._internal._errors._error_factory", "ControllerEventFactory.from_exception",
     "what Ansible says about an error, without lines of the file"),
    ("ansible._internal._display_utils", "DeferredWarningContext.get_warnings",
     "sources that could not be read"),
    ("ansible.inventory.manager", "InventoryManager._fetch_inventory_plugins",
     "not to take YAML for INI"),
    ("ansible.parsing.dataloader", "DataLoader._get_file_contents", "a byte order mark"),
    ("ansible.plugins.vars.host_group_vars", "FOUND", "a second reading sees what changed"),
    ("ansible.plugins.vars.host_group_vars", "NAK", "a second reading sees what changed"),
    ("ansible.plugins.loader", "vars_loader.all", "group_vars after a list of hosts"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "path", "need"), PARTS)
def test_ansible_core_still_has(module: str, path: str, need: str) -> None:
    load_ansible()
    here: object = import_module(module)
    for name in path.split("."):
        assert hasattr(here, name), f"{module}.{path} is gone: needed for {need}"
        here = getattr(here, name)
