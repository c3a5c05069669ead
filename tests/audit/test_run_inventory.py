"""Which inventory a run is about, where none is given on the command line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ipvs_audit.audit.run_inventory import run_inventory
from ipvs_audit.inventory import InventoryError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "localhost.yml").write_text("all: {hosts: {here: {ansible_connection: local}}}\n")
    (tmp_path / "fleet.ini").write_text("web1\n")
    (tmp_path / "other.ini").write_text("other\n")
    return tmp_path


def options(folder: Path, **given: Any) -> Any:
    usual = {
        "localhost": folder / "localhost.yml", "inventory": (), "limit": None, "snapshots": None,
        "vault_password_file": None, "ansible_config": True, "remedy": SimpleNamespace(mode=""),
    }  # fmt: skip
    return SimpleNamespace(**usual | given)


def settings(folder: Path) -> None:
    (folder / "ansible.cfg").write_text("[defaults]\ninventory = fleet.ini\nremote_user = cfg\n")


def test_it_is_this_machine_without_settings(folder: Path) -> None:
    found = run_inventory(options(folder))
    assert ([target.name for target in found.targets], found.sources) == (
        ["here"],
        ("this machine",),
    )


def test_it_is_the_one_that_ansible_cfg_names_and_the_report_says_so(folder: Path) -> None:
    settings(folder)
    found = run_inventory(options(folder))
    assert [(target.name, target.user) for target in found.targets] == [("web1", "cfg")]
    assert found.sources == (str(folder / "fleet.ini"),)
    cfg = folder / "ansible.cfg"
    assert found.warnings == (
        f"{cfg} names the inventory, since there is no --inventory",
        f"Ansible settings: {cfg} was read; remote_user is set by {cfg}",
    )


def test_the_environment_names_it_before_ansible_cfg(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(folder)
    monkeypatch.setenv("ANSIBLE_INVENTORY", "other.ini")
    assert run_inventory(options(folder)).targets[0].name == "other"


def test_the_one_that_is_given_comes_first(folder: Path) -> None:
    settings(folder)
    assert run_inventory(options(folder, inventory=("other.ini",))).targets[0].name == "other"


def test_no_setting_counts_where_they_are_turned_off(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(folder)
    monkeypatch.setenv("ANSIBLE_INVENTORY", "other.ini")
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "env")
    off = options(folder, ansible_config=False)
    assert run_inventory(off).sources == ("this machine",)
    given = options(folder, ansible_config=False, inventory=("fleet.ini",))
    assert run_inventory(given).targets[0].user is None


@pytest.mark.parametrize("mode", ["plan", "remediate", "rollback"])
def test_hosts_that_only_a_setting_names_are_not_remediated(folder: Path, mode: str) -> None:
    settings(folder)
    remedy = SimpleNamespace(mode=mode)
    with pytest.raises(
        InventoryError, match=r"remediation needs --inventory: .*fleet\.ini .*ansible"
    ):
        run_inventory(options(folder, remedy=remedy))
    named = options(folder, remedy=remedy, inventory=("fleet.ini",))
    assert run_inventory(named).targets[0].name == "web1"
