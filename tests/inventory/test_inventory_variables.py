"""What a host's variables make of its Target."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from ipvs_audit.inventory import InventoryError, read_inventory
from ipvs_audit.inventory.variable import Variable
from ipvs_audit.inventory.variables import target_of
from ipvs_audit.model.target import Become, Target

if TYPE_CHECKING:
    from pathlib import Path


def made(**variables: object) -> Target:
    return target_of("web1", (), {name: Variable(value) for name, value in variables.items()})


def test_a_bare_host_is_reached_by_ssh_under_its_name() -> None:
    assert made() == Target("web1", address="web1")


@pytest.mark.parametrize(
    ("variables", "field", "expected"),
    [
        ({"ansible_host": "192.0.2.1"}, "address", "192.0.2.1"),
        ({"ansible_ssh_host": "a", "ansible_host": "b"}, "address", "a"),
        ({"ansible_host": ""}, "address", "web1"),
        ({"ansible_host": None}, "address", "web1"),
        ({"ansible_port": 2222}, "port", 2222),
        ({"ansible_port": "2222"}, "port", 2222),
        ({"ansible_port": 22, "ansible_ssh_port": 23}, "port", 23),
        ({"ansible_user": "ops"}, "user", "ops"),
        ({"ansible_user": 1000}, "user", "1000"),
        ({"ansible_ssh_user": "old"}, "user", "old"),
        ({"ansible_private_key_file": "/k"}, "key_file", "/k"),
        ({"ansible_ssh_private_key_file": "/k"}, "key_file", "/k"),
        ({"ansible_ssh_common_args": "-J b"}, "ssh_args", "-J b"),
        ({"ansible_ssh_extra_args": "-o A=b", "ansible_ssh_common_args": "-J b"},
         "ssh_args", "-J b -o A=b"),
        ({}, "connection", "smart"),
        ({"ansible_connection": "smart"}, "connection", "smart"),
        ({}, "transport", None),
        ({"ipvs_audit_transport": "openssh"}, "transport", "openssh"),
        ({"ansible_connection": "paramiko"}, "connection", "paramiko"),
        ({"ansible_connection": "paramiko_ssh"}, "connection", "paramiko"),
        ({"ansible_connection": "ansible.builtin.ssh"}, "connection", "ssh"),
        ({"ansible_connection": "ansible.builtin.paramiko_ssh"}, "connection", "paramiko"),
        ({"ansible_connection": "local"}, "connection", "local"),
        ({"ipvs_audit_node": True}, "node", True),
        ({"ipvs_audit_node": "no"}, "node", False),
        ({"ipvs_audit_node": True}, "policy", {}),
        ({"ansible_paramiko_host": "p", "ansible_host": "a"}, "address", "a"),
        ({"setting remote_user": "cfg"}, "user", "cfg"),
        ({"setting remote_user": "cfg", "ansible_user": "ops"}, "user", "ops"),
        ({"setting remote_user": "cfg", "ansible_user": ""}, "user", None),
        ({"setting remote_user": "cfg", "ansible_user": None}, "user", "cfg"),
        ({"setting remote_port": "2222"}, "port", 2222),
        ({"setting private_key_file": "~/k"}, "key_file", "~/k"),
        ({"setting ssh_args": "-C", "ansible_ssh_common_args": "-J b"}, "ssh_args", "-J b"),
        ({"setting ssh_args": "-C", "ansible_ssh_common_args": "-J b"}, "first_ssh_args", "-C"),
        ({"setting ssh_args": "-C", "ansible_ssh_args": "-4"}, "first_ssh_args", "-4"),
        ({"setting ssh_args": "-C", "ansible_ssh_args": "-4"}, "ssh_args", ""),
        ({"setting become": "True", "setting become_user": "db"}, "become", Become(user="db")),
        ({"setting become": "True", "ansible_become": False}, "become", None),
        ({"setting transport": "local"}, "connection", "local"),
        ({"ansible_ssh_executable": "/usr/bin/ssh"}, "unusable", None),
        ({"ipvs_audit_exclude": "on  holiday"}, "excluded", "on holiday"),
        ({"ipvs_audit_exclude": False}, "excluded", None),
        ({"ipvs_audit_ack": True, "ipvs_audit_namespaces": "every", "other": 1},
         "policy", {"ack": True, "namespaces": "every"}),
    ],
)  # fmt: skip
def test_variable(variables: dict[str, object], field: str, expected: object) -> None:
    assert getattr(made(**variables), field) == expected


@pytest.mark.parametrize("name", ["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])
@pytest.mark.parametrize(("value", "secret"), [("hunter2", "hunter2"), (12345, "12345")])
def test_a_password_by_any_name_is_a_secret(name: str, value: object, secret: str) -> None:
    target = made(**{name: value})
    assert target.password == SecretStr(secret)
    assert secret not in repr(target) + str(target)


@pytest.mark.parametrize(
    "name", ["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"]
)
def test_a_become_password_by_any_name_is_a_secret(name: str) -> None:
    target = made(ansible_become=True, **{name: "hunter2"})
    assert target.become == Become("sudo", "root", SecretStr("hunter2"))
    assert "hunter2" not in repr(target)


@pytest.mark.parametrize("value", [True, "True", "yes", "on", 1, "1", "y"])
def test_become_is_on(value: object) -> None:
    assert made(ansible_become=value, ansible_become_user="oracle").become == Become(user="oracle")


@pytest.mark.parametrize("value", [False, "False", "no", "off", 0, "0", "n", None, ""])
def test_become_is_off(value: object) -> None:
    assert made(ansible_become=value, ansible_become_method="su").become is None


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ansible_port": 0}, "ansible_port must be a port number from 1 to 65535, not 0"),
        ({"ansible_port": 65536}, "ansible_port must be a port number from 1 to 65535"),
        ({"ipvs_audit_transport": "ssh"}, "must be auto, paramiko or openssh, not 'ssh'"),
        ({"ansible_port": "ssh"}, "ansible_port must be a port number, not 'ssh'"),
        ({"ansible_port": True}, "ansible_port must be a port number"),
        ({"ansible_port": 22.0}, "ansible_port must be a port number"),
        ({"ansible_port": "²²"}, "ansible_port must be a port number"),
        ({"ansible_host": ["a"]}, "ansible_host must be text, not a list"),
        ({"ansible_host": "-oProxyCommand=touch /tmp/x"}, "ansible_host must be one word"),
        ({"ansible_host": "a b"}, "ansible_host must be one word"),
        ({"ansible_host": "{{x}}"}, "ansible_host is a template that Ansible does not trust"),
        ({"ansible_user": "a\nb"}, "ansible_user must be one word"),
        ({"ansible_user": True}, "ansible_user must be text, not a boolean"),
        ({"ansible_password": {"hunter2": 1}}, "ansible_password must be text, not a mapping"),
        ({"ansible_password": 1.5}, "ansible_password must be text, not a decimal number"),
        ({"ansible_become": "maybe"}, "ansible_become must be true or false, not 'maybe'"),
        ({"ansible_become": True, "ansible_become_method": "su"}, "with sudo only"),
        (
            {"ansible_become": 1, "ansible_become_method": "community.general.doas"},
            "is 'community.general.doas'",
        ),
        ({"ansible_become": 1, "ansible_become_method": "acme.infra.sudo"}, "with sudo only"),
        ({"ansible_become": 1, "setting become_method": "su"}, "become_method is 'su'"),
        ({"ansible_become": 1, "ansible_become_exe": "sudo su -"}, "is 'sudo su -'; the audit"),
        ({"ansible_become": 1, "ansible_sudo_exe": "/usr/bin/doas"}, "ansible_sudo_exe is '/usr"),
        ({"ansible_become": 1, "setting become_exe": "$(id)/sudo"}, "become_exe is '$(id)/sudo'"),
        ({"ansible_become": 1, "ansible_become_flags": "-H -u oracle"}, "holds '-u', which"),
        ({"ansible_become": 1, "ansible_sudo_flags": "-A"}, "ansible_sudo_flags holds '-A'"),
        ({"ansible_become": 1, "ansible_become_flags": "-n --chroot=/x"}, "holds '--chroot'"),
        ({"ansible_become": 1, "ansible_become_flags": "-n su -"}, "holds 'su'"),
        ({"ansible_become": 1, "ansible_become_flags": "-Z"}, "holds '-Z'"),
        ({"ansible_become": 1, "ansible_become_flags": "-p 'x"}, "which the audit does not give"),
        ({"ipvs_audit_exclude": True}, "must be the reason"),
        ({"ipvs_audit_exclude": "yes"}, "must be the reason"),
        ({"ipvs_audit_exclude": ""}, "must be the reason"),
        ({"ipvs_audit_exclude": None}, "must be the reason"),
        ({"ipvs_audit_exlude": "x"}, "did you mean ipvs_audit_exclude?"),
        ({"ipvs_audit_estimaton": "x"}, "did you mean ipvs_audit_estimation?"),
        ({"ipvs_audit_zzz": "x"}, "(known: ipvs_audit_accept_recipe_side_effects, "),
    ],
)
def test_a_wrong_value_names_host_and_variable(variables: dict[str, object], says: str) -> None:
    with pytest.raises(InventoryError) as refused:
        made(**variables)
    assert says in str(refused.value)
    assert str(refused.value).startswith("host web1: ")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("method", ["sudo", "ansible.builtin.sudo", "ansible.legacy.sudo"])
@pytest.mark.parametrize("flags", ["-H -S -n", "", "-HSn", "-E --preserve-env=PATH -p x -i", "-k"])
def test_sudo_by_its_names_and_with_flags_that_change_nothing(method: str, flags: str) -> None:
    become = {"ansible_become": True, "ansible_become_method": method}
    assert made(**become, ansible_become_flags=flags).become == Become()


def test_sudo_is_run_by_the_path_that_is_named() -> None:
    named = {"setting become_exe": "/a/sudo", "ansible_become_exe": "/opt/bin/sudo"}
    assert made(ansible_become=True, **named).become == Become(program="/opt/bin/sudo")
    assert made(ansible_become_exe="/usr/bin/doas", ansible_become_flags="-u x").become is None


def test_a_name_that_is_an_option_is_no_address() -> None:
    with pytest.raises(InventoryError, match="'-it': its name cannot be used as an address"):
        target_of("-it", (), {})
    assert target_of("-it", (), {"ansible_host": Variable("::1")}).address == "::1"


def test_ini_booleans_are_what_they_say(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "a ansible_become=False\nb ansible_become=no\nc ansible_become=0\n"
        "d ansible_become=True\ne ansible_become=yes\nf ansible_become=1\n"
    )
    targets = read_inventory([str(hosts)]).targets
    assert "".join(t.name for t in targets if t.become) == "def"


TEMPLATES = """\
all:
  vars:
    domain: example.com
    ansible_user: "{{ team }}-{{ inventory_hostname_short }}"
    team: ops
  hosts:
    bastion: {ansible_host: "jump.{{ domain }}"}
    plain: {ansible_host: "{{ inventory_hostname }}.mgmt"}
    spaced: {ansible_host: "{{inventory_hostname}}"}
    back: {ansible_host: '{{ inventory_hostname }}-{{ domain }}'}
    jump: {ansible_ssh_common_args: "-J {{ hostvars['bastion'].ansible_host }}"}
    grouped: {ansible_host: "{{ groups['all'] | length }}.{{ group_names | join }}x"}
    typed: {ansible_port: "{{ 2200 + 22 }}", ipvs_audit_ack: "{{ team == 'ops' }}"}
    listed: {ipvs_audit_floors: {alinux3: "{{ floor }}"}, floor: 5.10.134-15}
    omitted: {ansible_host: "{{ nothing | default(omit) }}"}
    raw: {ansible_password: !unsafe "{{ not a template }}"}
"""


def test_templates_are_resolved_as_ansible_resolves_them(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(TEMPLATES)
    by_name = {target.name: target for target in read_inventory([str(hosts)]).targets}
    assert by_name["bastion"].address == "jump.example.com"
    assert by_name["bastion"].user == "ops-bastion"
    assert by_name["plain"].address == "plain.mgmt"
    assert by_name["spaced"].address == "spaced"
    assert by_name["back"].address == "back-example.com"
    assert by_name["jump"].ssh_args == "-J jump.example.com"
    assert by_name["grouped"].address == "10.ungroupedx"
    assert by_name["typed"].port == 2222
    assert by_name["typed"].policy == {"ack": True}
    assert by_name["listed"].policy == {"floors": {"alinux3": "5.10.134-15"}}
    assert by_name["omitted"].address == "omitted"
    assert by_name["raw"].password == SecretStr("{{ not a template }}")
    for target in by_name.values():
        assert type(target.name) is str
        assert type(target.address) is str
        pickle.dumps(target)


def test_ignored_variables_are_reported_once(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("a ansible_become_flags=-i\nb ansible_become_flags=-i\nc\n")
    assert read_inventory([str(hosts)]).warnings == (
        "ansible_become_flags is ignored; it is set for 2 hosts",
    )
