"""This machine, where no inventory is given: known without ansible-core, which is slow to import.

Bypasses Ansible only where its answer is known: no place that Ansible looks at can name an
inventory, and the file ``localhost.yml`` is the shipped one. Everywhere else Ansible is asked. The
tests hold this to what Ansible says (tests/inventory/test_this_machine.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from ipvs_audit.inventory import Inventory
from ipvs_audit.inventory.files import checked_sources, digest, files_read, is_program
from ipvs_audit.model.strict_yaml import StrictYaml, StrictYamlError
from ipvs_audit.model.target import Target

_SHIPPED = {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}}
#: Environment variables that name an inventory, or the file that may. Source: ansible-core's
#: config/base.yml (DEFAULT_HOST_LIST) and config/manager.py (find_ini_config_file).
_NAMING = ("ANSIBLE_CONFIG", "ANSIBLE_INVENTORY")
_CONFIG_FILES = ("ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg")


def settings_may_name_an_inventory() -> bool:
    """Whether Ansible's settings have to be read: a file or variable that may name one is there."""
    return any(name in os.environ for name in _NAMING) or any(
        os.path.lexists(Path(file).expanduser()) for file in _CONFIG_FILES
    )


def this_machine(localhost: Path) -> Inventory | None:
    """The inventory ``localhost.yml`` as it is shipped; None where it has to be read by Ansible.

    Raises:
        InventoryError: the file cannot be read.
    """
    given = checked_sources([str(localhost)])
    if is_program(given[0]) or len(list(files_read(given[0]))) > 1:
        return None
    try:
        document = StrictYaml.parse(Path(given[0]).read_bytes(), given[0])
    except (OSError, StrictYamlError):
        return None
    if document.data != _SHIPPED:
        return None
    target = Target("localhost", connection="local", address="localhost")
    return Inventory((target,), (str(localhost),), digest(given, b""), total=1)
