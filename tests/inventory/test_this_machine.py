"""What is known of this machine without Ansible is what Ansible says of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible.config.manager import ConfigManager

from ipvs_audit.audit.options import DEFAULT_INVENTORY
from ipvs_audit.inventory import NO_SETTINGS, find_settings, read_inventory
from ipvs_audit.inventory.this_machine import settings_may_name_an_inventory, this_machine

SHIPPED = Path(__file__).parents[2] / DEFAULT_INVENTORY
CONFIG = "[defaults]\ninventory = fleet.ini\n"


@pytest.fixture
def localhost(tmp_path: Path) -> Path:
    """The shipped file in a folder of its own."""
    (tmp_path / "inventories").mkdir()
    return Path(shutil.copy(SHIPPED, tmp_path / "inventories"))


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory and a home without any of Ansible's settings."""
    for name in ("ANSIBLE_CONFIG", "ANSIBLE_INVENTORY"):
        monkeypatch.delenv(name, raising=False)
    for folder in ("here", "home"):
        (tmp_path / folder).mkdir(mode=0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize("file", [SHIPPED, None], ids=["in place", "alone"])
def test_the_shipped_file_says_what_ansible_reads_in_it(file: Path | None, localhost: Path) -> None:
    file = file or localhost
    known = this_machine(file)
    assert known is not None
    assert known == read_inventory([str(file)], settings=NO_SETTINGS)
    assert [target.name for target in known.targets] == ["localhost"]


@pytest.mark.parametrize(
    "text",
    [
        "all: {hosts: {localhost: {ansible_connection: local, ansible_become: true}}}\n",
        "all: {hosts: {localhost: {ansible_connection: local}, web1: }}\n",
        "all: {hosts: {localhost: {ansible_connection: ssh}}}\n",
        "all: {hosts: {localhost: {ansible_connection: local}}, vars: {ansible_user: x}}\n",
        "all: {hosts: {localhost: {ansible_connection: x, ansible_connection: local}}}\n",
        "localhost ansible_connection=local\n",
    ],
)
def test_a_changed_file_is_left_to_ansible(text: str, localhost: Path) -> None:
    localhost.write_text(text)
    assert this_machine(localhost) is None


@pytest.mark.parametrize("folder", ["group_vars", "host_vars"])
def test_variables_beside_the_file_are_left_to_ansible(folder: str, localhost: Path) -> None:
    beside = localhost.parent / folder
    beside.mkdir()
    (beside / "all.yml").write_text("ansible_become: true\n")
    assert this_machine(localhost) is None


def test_a_program_is_left_to_ansible(localhost: Path) -> None:
    localhost.chmod(0o755)
    assert this_machine(localhost) is None


@pytest.mark.parametrize("place", ["here/ansible.cfg", "home/.ansible.cfg"])
def test_a_file_that_may_name_an_inventory_is_left_to_ansible(start: Path, place: str) -> None:
    (start / place).write_text(CONFIG)
    assert find_settings().inventory
    assert settings_may_name_an_inventory()


@pytest.mark.parametrize("name", ["ANSIBLE_CONFIG", "ANSIBLE_INVENTORY"])
def test_a_variable_that_names_an_inventory_is_left_to_ansible(
    start: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (start / "named.cfg").write_text(CONFIG)
    monkeypatch.setenv(name, str(start / "named.cfg"))
    assert find_settings().inventory
    assert settings_may_name_an_inventory()


@pytest.mark.skipif(
    Path("/etc/ansible/ansible.cfg").exists(), reason="this machine has settings for everybody"
)
@pytest.mark.usefixtures("start")
def test_without_these_no_setting_names_an_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "somebody")
    assert not settings_may_name_an_inventory()
    assert find_settings().inventory == ()


def test_ansible_looks_for_the_name_of_an_inventory_nowhere_else() -> None:
    where = ConfigManager().get_configuration_definitions()["DEFAULT_HOST_LIST"]
    assert [each["name"] for each in where["env"]] == ["ANSIBLE_INVENTORY"]
    assert where["ini"] == [{"key": "inventory", "section": "defaults"}]
