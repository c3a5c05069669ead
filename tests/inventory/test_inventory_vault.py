"""Ansible Vault: opened where it is needed, and a clear word where it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inventory_corpus import encrypt

from ipvs_audit.inventory import InventoryError, read_inventory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def hosts(tmp_path: Path) -> str:
    (tmp_path / "group_vars").mkdir()
    value = encrypt(tmp_path, "single-value", "ansible_password")
    (tmp_path / "group_vars" / "one.yml").write_text(value)
    (tmp_path / "group_vars" / "whole.yml").write_text(encrypt(tmp_path, "ansible_port: 7\n"))
    (tmp_path / "hosts").write_text("[one]\nv1\n[whole]\nv2\n[neither]\nv3\n")
    return str(tmp_path / "hosts")


def test_opens_with_its_password(hosts: str, tmp_path: Path) -> None:
    one, whole, _ = read_inventory([hosts], vault_password_file=tmp_path / ".password").targets
    assert one.password is not None
    assert one.password.get_secret_value() == "single-value"
    assert whole.port == 7


def test_opens_with_a_password_from_the_environment(
    hosts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / ".password"))
    assert read_inventory([hosts], limit="whole").targets[0].port == 7


def test_opens_with_a_password_that_a_program_prints(hosts: str, tmp_path: Path) -> None:
    program = tmp_path / "ask"
    program.write_text("#!/bin/sh\necho 'open sesame'\n")
    program.chmod(0o755)
    assert read_inventory([hosts], limit="v2", vault_password_file=program).targets[0].port == 7


def test_stays_closed_where_nothing_in_it_is_needed(hosts: str) -> None:
    assert read_inventory([hosts], limit="v3").targets[0].name == "v3"


@pytest.mark.parametrize(
    ("limit", "says"),
    [("v1", r"host v1: ansible_password is encrypted .*one\.yml:1:\d+.*give the password"),
     ("v2", r"whole\.yml: encrypted with Ansible Vault: give the password")],
)  # fmt: skip
def test_without_a_password_says_so(hosts: str, limit: str, says: str) -> None:
    with pytest.raises(InventoryError, match=says):
        read_inventory([hosts], limit=limit)


@pytest.mark.parametrize(
    ("limit", "says"),
    [("v1", "host v1: ansible_password cannot be decrypted with this vault password"),
     ("v2", r"whole\.yml: cannot be decrypted with this vault password")],
)  # fmt: skip
def test_with_a_wrong_password_says_so(hosts: str, tmp_path: Path, limit: str, says: str) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2\n")
    with pytest.raises(InventoryError, match=says) as refused:
        read_inventory([hosts], limit=limit, vault_password_file=wrong)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("content", "says"), [(None, "no such file"), ("", "holds no password")])
def test_with_no_password_in_the_file_says_so(
    hosts: str, tmp_path: Path, content: str | None, says: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InventoryError, match=f"vault password file {path}: {says}"):
        read_inventory([hosts], vault_password_file=path)
