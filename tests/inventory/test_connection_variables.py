"""Variables of a connection plugin that name the machine are followed or refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ipvs_audit.inventory import InventoryError, become, read_inventory
from ipvs_audit.inventory.ansible_isolation import load_ansible
from ipvs_audit.inventory.connection_variables import ConnectionPlugin, plugin_of
from ipvs_audit.inventory.settings import DEFINITIONS, PASSWORD_FILES, PREFIX
from ipvs_audit.inventory.variable import Variable
from ipvs_audit.inventory.variables import meant, target_of
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import Settings, open_connection

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target


def made(connection: str, **variables: object) -> Target:
    given = {"ansible_connection": connection, **variables}
    return target_of("node7", (), {name: Variable(value) for name, value in given.items()})


@pytest.mark.parametrize(
    ("connection", "backend"),
    [
        ("ansible.builtin.local", "local"), ("ansible.legacy.ssh", "ssh"),
        ("community.docker.docker", "docker"), ("community.docker.docker_api", "docker"),
        ("docker", "docker"), ("containers.podman.podman", "podman"), ("podman", "podman"),
        ("kubernetes.core.kubectl", "kubectl"), ("kubectl", "kubectl"), ("oc", "openshift"),
        ("community.okd.oc", "openshift"), ("openshift", "openshift"), ("salt", "salt"),
        ("community.general.saltstack", "salt"), ("saltstack", "salt"), ("lxd", "lxc"),
        ("community.general.lxd", "lxc"), ("community.general.chroot", "chroot"),
    ],
)  # fmt: skip
def test_a_plugin_is_known_by_its_short_name_and_its_collections(
    connection: str, backend: str
) -> None:
    assert made(connection).connection == backend


@pytest.mark.parametrize("connection", ["acme.infra.docker", "acme.infra.ssh", "aws_ssm", "winrm"])
def test_a_plugin_of_the_same_name_elsewhere_is_not_taken_for_it(connection: str) -> None:
    with pytest.raises(TransportError, match="is not supported; supported: chroot, docker"):
        open_connection(made(connection), Settings())


FOLLOWED: list[tuple[str, dict[str, object], str, tuple[str, ...]]] = [
    ("kubectl", {}, "node7", ()),
    ("kubectl", {"ansible_host": "h"}, "h", ()),
    ("kubectl", {"ansible_host": "h", "ansible_kubectl_pod": "p"}, "p", ()),
    ("kubectl", {"ansible_kubectl_namespace": "kube-system", "ansible_kubectl_container": "proxy",
                 "ansible_kubectl_context": "prod", "ansible_kubectl_config": "/k"}, "node7",
     ("--kubeconfig=/k", "--context=prod", "--namespace=kube-system", "--container=proxy")),
    ("kubectl", {"ansible_kubectl_host": "https://api:6443", "ansible_kubectl_ca_cert": "/ca"},
     "node7", ("--server=https://api:6443", "--certificate-authority=/ca")),
    ("kubectl", {"ansible_kubectl_extra_args": "--cluster east"}, "node7", ("--cluster", "east")),
    ("kubectl", {"ansible_kubectl_validate_certs": "yes", "ansible_kubectl_token": ""},
     "node7", ()),
    ("kubectl", {"setting context": "env", "ansible_kubectl_context": "own"},
     "node7", ("--context=own",)),
    ("kubectl", {"setting context": "env", "setting pod": "p"}, "p", ("--context=env",)),
    ("kubectl", {"ansible_oc_namespace": "not-its-own"}, "node7", ()),
    ("oc", {"ansible_oc_pod": "p", "ansible_oc_namespace": "n"}, "p", ("--namespace=n",)),
    ("docker", {"ansible_host": "h", "ansible_docker_host": "c"}, "c", ()),
    ("docker", {"ansible_ssh_host": "h"}, "node7", ()),
    ("docker", {"ansible_docker_extra_args": "-H tcp://east:2375"}, "node7",
     ("-H", "tcp://east:2375")),
    ("docker_api", {"ansible_docker_docker_host": "unix:///r"}, "node7", ("--host=unix:///r",)),
    ("podman", {"ansible_podman_extra_args": "--remote --connection 'east 1'"}, "node7",
     ("--remote", "--connection", "east 1")),
    ("podman", {"ansible_podman_executable": "/usr/bin/podman"}, "node7", ()),
    ("lxd", {"ansible_host": "web1.example.com", "ansible_lxd_project": "p"},
     "local:web1", ("--project=p",)),
    ("lxd", {"ansible_lxd_host": "web2", "ansible_lxd_remote": "east"}, "east:web2", ()),
    ("paramiko", {"ansible_ssh_host": "s", "ansible_paramiko_host": "p"}, "p", ()),
    ("salt", {"ansible_host": "minion"}, "minion", ()),
]  # fmt: skip


@pytest.mark.parametrize(("connection", "variables", "address", "args"), FOLLOWED)
def test_followed(
    connection: str, variables: dict[str, object], address: str, args: tuple[str, ...]
) -> None:
    target = made(connection, **variables)
    assert (target.address, target.program_args) == (address, args)


def test_docker_runs_as_its_own_user() -> None:
    assert made("docker", ansible_user="a", ansible_docker_user="b").user == "b"
    assert made("kubectl", ansible_user="a").user is None


def test_the_proxy_command_of_paramiko_is_the_route_of_its_hosts_only() -> None:
    variables = {"ansible_paramiko_proxy_command": "ssh -W %h:%p bastion"}
    assert made("paramiko", **variables).ssh_args == "-o 'ProxyCommand=ssh -W %h:%p bastion'"
    assert made("ssh", **variables).ssh_args == ""


REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("kubectl", {"ansible_kubectl_token": "hunter2"}, "ansible_kubectl_token is not followed"),
    ("kubectl", {"ansible_kubectl_api_key": "hunter2"}, "name a kubeconfig that holds it"),
    ("kubectl", {"ansible_kubectl_password": "hunter2"}, "name a kubeconfig that holds it"),
    ("kubectl", {"setting api_token": "hunter2"}, "api_token is not followed"),
    ("kubectl", {"ansible_kubectl_user": "u"}, "name a kubeconfig that holds it"),
    ("kubectl", {"ansible_kubectl_local_env_vars": {"A": "hunter2"}}, "set it in the environment"),
    ("kubectl", {"ansible_kubectl_kubeconfig": {"users": []}}, "must be text, not a mapping"),
    ("kubectl", {"ansible_kubectl_verify_ssl": False}, "is false; an audit verifies"),
    ("kubectl", {"ansible_kubectl_extra_args": "--token=hunter2"}, "holds --token, which"),
    ("kubectl", {"ansible_kubectl_extra_args": "--cluster 'x"}, "quotation mark"),
    ("oc", {"ansible_oc_token": "hunter2"}, "name a kubeconfig that holds it"),
    ("docker_api", {"ansible_docker_tls": True}, "set ansible_connection to docker"),
    ("podman", {"ansible_podman_executable": "podman-remote"}, "names another program than podman"),
    ("chroot", {"ansible_chroot_exe": "nsenter"}, "names another program than chroot"),
    ("ssh", {"ansible_ssh_executable": "/opt/teleport/tsh"}, "names another program than ssh"),
    ("lxc", {}, "those of LXD are lxd's: set it to lxd"),
    ("community.general.lxc", {}, "cannot reach"),
]


@pytest.mark.parametrize(("connection", "variables", "says"), REFUSED)
def test_refused(connection: str, variables: dict[str, object], says: str) -> None:
    with pytest.raises(InventoryError) as refused:
        made(connection, **variables)
    assert says in str(refused.value)
    assert str(refused.value).startswith("host node7: ")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ansible_prot", "ansible_port"), ("ansible_hots", "ansible_host"),
        ("ansible_usr", "ansible_user"), ("ansible_conection", "ansible_connection"),
        ("ansible_kubectl_namspace", "ansible_kubectl_namespace"),
        ("ansible_hostname", None), ("ansible_user_id", None), ("ansible_host", None),
        ("ansible_python_interpreter", None), ("ansible_su_pass", None),
        ("ansible_become_flags", None), ("answer", None), ("port", None),
    ],
)  # fmt: skip
def test_what_a_misspelt_variable_was_meant_to_be(name: str, near: str | None) -> None:
    assert meant(name) == near


def test_a_misspelt_variable_is_a_warning(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(
        "all: {vars: {ansible_users: [a]}, hosts: {a: {ansible_prot: 1}, b: {ansible_prot: 2}}}\n"
    )
    assert read_inventory([str(hosts)]).warnings == (
        "ansible_prot, set for 2 hosts, is no connection variable; did you mean ansible_port?",
    )


def options_of(module: str) -> dict[str, Any]:
    """The options that a plugin of ansible-core documents."""
    load_ansible()
    import ansible.plugins  # noqa: PLC0415  # takes over stdout when first imported

    text = (Path(ansible.plugins.__file__).parent / f"{module}.py").read_text()
    block = text.partition("DOCUMENTATION = ")[2]
    options: dict[str, Any] = yaml.safe_load(block[3:].partition(block[:3])[0])["options"]
    return options


@pytest.mark.parametrize(
    ("connection", "option", "field"),
    [
        ("ssh", "host", "address"), ("ssh", "port", "port"), ("ssh", "remote_user", "user"),
        ("ssh", "password", "password"), ("ssh", "private_key_file", "key_file"),
        ("ssh", "ssh_executable", "program"),
        ("paramiko_ssh", "remote_addr", "address"), ("paramiko_ssh", "port", "port"),
        ("paramiko_ssh", "remote_user", "user"), ("paramiko_ssh", "password", "password"),
        ("paramiko_ssh", "private_key_file", "key_file"),
        ("paramiko_ssh", "proxy_command", "proxy_command"),
    ],
)  # fmt: skip
def test_variables_and_settings_are_those_that_ansible_documents(
    connection: str, option: str, field: str
) -> None:
    plugin = plugin_of(connection)
    assert isinstance(plugin, ConnectionPlugin)
    ours = getattr(plugin, field)
    documented = options_of(f"connection/{connection}")[option]
    variables = [each["name"] for each in documented.get("vars", ())]
    theirs = [
        name for name in variables if name != "inventory_hostname" and "delegated" not in name
    ]
    assert [name for name in ours if not name.startswith(PREFIX)] == theirs
    files = {PREFIX + each for each in PASSWORD_FILES.values()}  # of base.yml, not of the plugin
    settings = [
        DEFINITIONS[name.removeprefix(PREFIX)]
        for name in ours
        if name.startswith(PREFIX) and name not in files
    ]
    assert [name for each in settings for name in each.env] == [
        each["name"] for each in documented.get("env", ())
    ]
    assert [place for each in settings for place in each.ini] == [
        (each["section"], each["key"]) for each in documented.get("ini", ())
    ]


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("become_user", become.USER),
        ("become_pass", become.PASSWORD),
        ("become_exe", become.PROGRAM),
        ("become_flags", become.FLAGS),
    ],
)
def test_settings_of_sudo_are_those_that_ansible_documents(
    option: str, names: tuple[str, ...]
) -> None:
    documented = options_of("become/sudo")[option]
    assert list(names[1:]) == [each["name"] for each in documented["vars"]]
    ours = DEFINITIONS[option.replace("pass", "password")]
    assert list(ours.env) == [each["name"] for each in documented["env"]]
    assert list(ours.ini) == [(each["section"], each["key"]) for each in documented["ini"]]
