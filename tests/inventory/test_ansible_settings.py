"""The ansible.cfg and the environment variables that Ansible would find count, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inventory_corpus import encrypt

from ipvs_audit.inventory import NO_SETTINGS, InventoryError, find_settings, read_inventory
from ipvs_audit.inventory.variables import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.inventory import AnsibleSettings
    from ipvs_audit.model.target import Target


@pytest.fixture(autouse=True)
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory and a home directory with nothing in them."""
    for folder in ("start", "home"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "start")
    return tmp_path / "start"


def value(settings: AnsibleSettings, name: str) -> tuple[object, str] | None:
    found = settings.variables.get(PREFIX + name)
    return None if found is None else (found.value, found.place)


def test_the_file_is_the_first_that_ansible_finds(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, here, home = (
        tmp_path / "named.cfg", start / "ansible.cfg", tmp_path / "home" / ".ansible.cfg",
    )  # fmt: skip
    for path in (named, here, home):
        path.write_text(f"[defaults]\nremote_user = {path.name}\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(named))
    assert value(find_settings(), "remote_user") == ("named.cfg", str(named))
    monkeypatch.delenv("ANSIBLE_CONFIG")
    assert value(find_settings(), "remote_user") == ("ansible.cfg", str(here))
    start.chmod(0o777)
    ignored = find_settings()
    assert value(ignored, "remote_user") == (".ansible.cfg", str(home))
    assert f"{here} is ignored, as Ansible does" in ignored.notes[1]


def test_the_environment_comes_before_the_file(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (start / "ansible.cfg").write_text("[defaults]\nremote_user = a\nremote_port = 2222\n")
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "b")
    settings = find_settings()
    assert value(settings, "remote_user") == ("b", "ANSIBLE_REMOTE_USER")
    [told] = settings.notes
    assert told == (
        f"Ansible settings: {start}/ansible.cfg was read; remote_user is set by"
        f" ANSIBLE_REMOTE_USER; remote_port is set by {start}/ansible.cfg"
    )


CFG = """\
[defaults]
remote_user = ops
remote_port = 2222
private_key_file = keys/audit
inventory = hosts.yml,more/
host_key_checking = False
[privilege_escalation]
become = yes
become_user = oracle
become_ask_pass = True
become_exe = /opt/sudo
become_flags = -H -E
[ssh_connection]
ssh_args = -C -o ControlMaster=auto
ssh_common_args = -J bastion ; to the inside
[sudo_become_plugin]
password = hunter2
"""


def test_settings_hold_where_no_variable_says_otherwise(start: Path) -> None:
    (start / "ansible.cfg").write_text(CFG)
    (start / "hosts.yml").write_text(
        "all:\n  hosts:\n    a:\n    b: {ansible_user: own, ansible_port: 22,"
        " ansible_become: false, ansible_ssh_common_args: ''}\n"
    )
    inventory = read_inventory(["hosts.yml"])
    a, b = inventory.targets
    assert (a.user, a.port, a.key_file) == ("ops", 2222, "keys/audit")
    assert (a.first_ssh_args, a.ssh_args) == ("-C -o ControlMaster=auto", "-J bastion")
    assert a.become is not None
    assert a.become.user == "oracle"
    assert a.become.password is not None
    assert a.become.password.get_secret_value() == "hunter2"
    assert (b.user, b.port, b.become) == ("own", 22, None)
    assert (b.first_ssh_args, b.ssh_args) == ("-C -o ControlMaster=auto", "")
    told = "\n".join(inventory.warnings)
    assert f"Ansible settings: {start}/ansible.cfg was read; remote_user, remote_port" in told
    assert f"host_key_checking is ignored ({start}/ansible.cfg): --host-key-policy decides" in told
    assert "become_ask_pass is not followed" in told
    assert "become_flags is not followed" in told
    assert a.become.program == "/opt/sudo"
    assert "hunter2" not in told
    assert inventory.sha256 != read_inventory(["hosts.yml"], settings=NO_SETTINGS).sha256


FILES = """\
[defaults]
connection_password_file = login
become_password_file = become
[privilege_escalation]
become = yes
"""


def secret(found: Target) -> tuple[str, str]:
    assert found.password is not None
    assert found.become is not None
    assert found.become.password is not None
    return found.password.get_secret_value(), found.become.password.get_secret_value()


def test_files_with_passwords_count_after_variables_and_before_other_settings(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (start / "ansible.cfg").write_text(FILES)
    (start / "login").write_text("hunter2\n")
    (start / "become").write_text("#!/bin/sh\necho hunter3\n")  # a program prints it
    (start / "become").chmod(0o700)
    (start / "hosts.yml").write_text(
        "all: {hosts: {a: , b: {ansible_password: own, ansible_become_pass: his}, c: }}\n"
    )
    monkeypatch.setenv("ANSIBLE_BECOME_PASS", "less")
    inventory = read_inventory(["hosts.yml"])
    a, b, _ = inventory.targets
    assert (secret(a), secret(b)) == (("hunter2", "hunter3"), ("own", "his"))
    told = "\n".join(inventory.warnings)
    assert "become, become_password, connection_password are set by" in told
    assert "hunter" not in told + repr(inventory)
    monkeypatch.setenv("ANSIBLE_BECOME_PASSWORD_FILE", str(start / "login"))
    assert secret(read_inventory(["hosts.yml"]).targets[0]) == ("hunter2", "hunter2")
    other = read_inventory(["hosts.yml"], settings=NO_SETTINGS).targets[0]
    assert (other.password, other.become) == (None, None)


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (None, 0, "No such file"),
        ("\n", 0o600, "holds no password"),
        ("hunter2\nhunter3\n", 0o600, "one line"),
        ("h" * 5000, 0o600, "holds no password"),
        ("#!/bin/sh\necho hunter2; echo hunter3 >&2; exit 3\n", 0o700, "ended with status 3"),
        ("hunter2", 0o700, "Exec format error"),
    ],
)
def test_a_password_file_that_gives_none_is_an_error_with_the_way_out(
    start: Path, text: str | None, mode: int, says: str
) -> None:
    (start / "ansible.cfg").write_text("[defaults]\nbecome_password_file = become\n")
    if text is not None:
        (start / "become").write_text(text)
        (start / "become").chmod(mode)
    with pytest.raises(InventoryError) as refused:
        find_settings()
    assert says in str(refused.value)
    assert "correct become_password_file of Ansible's settings" in str(refused.value)
    assert "--no-ansible-config" in str(refused.value)
    assert "hunter" not in str(refused.value)


def test_the_inventory_that_is_named_and_by_whom(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_settings().inventory == ()
    (start / "ansible.cfg").write_text(CFG)
    settings = find_settings()
    assert settings.inventory == (str(start / "hosts.yml"), str(start / "more"))
    assert settings.inventory_from == str(start / "ansible.cfg")
    monkeypatch.setenv("ANSIBLE_INVENTORY", "/other")
    settings = find_settings()
    assert (settings.inventory, settings.inventory_from) == (("/other",), "ANSIBLE_INVENTORY")


def test_the_vault_password_file_of_ansible_cfg_opens_a_vault(start: Path) -> None:
    (start / "hosts.yml").write_text("all: {hosts: {a: }}\n")
    (start / "group_vars").mkdir()
    (start / "group_vars" / "all.yml").write_text(encrypt(start, "ansible_port: 7\n"))
    (start / "ansible.cfg").write_text("[defaults]\nvault_password_file = .password\n")
    assert read_inventory(["hosts.yml"]).targets[0].port == 7


@pytest.mark.parametrize("text", ["[defaults\n", "remote_user = a\n", "\0"])
def test_a_file_that_ansible_rejects_is_an_error_with_a_way_out(start: Path, text: str) -> None:
    (start / "ansible.cfg").write_text(text)
    with pytest.raises(
        InventoryError, match=r"ansible\.cfg: ansible-core rejects .*--no-ansible-co"
    ):
        find_settings()


def test_a_wrong_value_names_the_file(start: Path) -> None:
    (start / "ansible.cfg").write_text("[defaults]\nremote_port = ssh\n")
    with pytest.raises(InventoryError) as refused:
        read_inventory(["a,"])
    assert str(refused.value) == (
        f"host a: remote_port must be a port number, not 'ssh' ({start}/ansible.cfg)"
    )


def test_pods_named_by_the_environment_are_followed(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (start / "hosts.yml").write_text("all: {hosts: {pod: {ansible_connection: kubectl}, web: }}\n")
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "prod")
    pod, web = read_inventory(["hosts.yml"]).targets
    assert (pod.program_args, web.program_args) == (("--context=prod",), ())
