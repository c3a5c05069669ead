"""Which variables each of Ansible's connection plugins reads, and what comes of them. Pure.

A variable that names the machine (a pod, its namespace, a context, a daemon) is followed or
refused. One that is dropped would have another machine audited.

Sources: the documentation blocks of the plugins in ansible-core 2.19, community.docker 4,
community.general 10, community.okd 4, containers.podman 1.16 and kubernetes.core 5.

>>> plugin_of("kubernetes.core.kubectl").backend, plugin_of("acme.infra.kubectl")
('kubectl', None)
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from ipvs_audit.inventory.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectionPlugin:
    """A connection plugin of Ansible: what reaches the same machine here, by which variables.

    Where several names stand for one thing, the last one that is set wins.

    Attributes:
        backend: ``smart``, ``ssh``, ``paramiko``, ``local``, or the name of testinfra's backend.
        address, port, user, password, key_file: one value each.
        first_ssh_args: arguments of ssh that come before port, user and key file.
        ssh_args: those that come after; all of these count, in this order, each of them a tuple of
            names for one value.
        proxy_command: ssh's ProxyCommand.
        options: options of the program, before its subcommand, and what gives their value.
        extra_args: more of them, as a shell would split them.
        remote: stands before the address, with a colon between.
        verify: whether the server's certificate is verified: false is refused.
        program: a program that is run in place of this plugin's own, which is refused.
        own_program: what may be named there.
        refused: variables of the plugin that are not followed, with the way out.
        unsupported: why no host can be audited by this plugin; empty where it can.
    """

    backend: str
    address: Names = ("ansible_host",)
    port: Names = ()
    user: Names = ()
    password: Names = ()
    key_file: Names = ()
    first_ssh_args: Names = ()
    ssh_args: tuple[Names, ...] = ()
    proxy_command: Names = ()
    options: Mapping[str, Names] = field(default_factory=dict)
    extra_args: Names = ()
    remote: Names = ()
    verify: Names = ()
    program: Names = ()
    own_program: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    unsupported: str = ""

    def names(self) -> Iterator[str]:
        """Every variable and setting that this plugin reads."""
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "ssh_args":
                yield from (name for names in value for name in names)
            elif one.name == "options":
                yield from (name for names in value.values() for name in names)
            elif isinstance(value, tuple) or one.name == "refused":
                yield from value


def _setting(name: str) -> str:
    return PREFIX + name


_SSH = ConnectionPlugin(
    "ssh",
    address=("ansible_host", "ansible_ssh_host"),
    port=(_setting("remote_port"), "ansible_port", "ansible_ssh_port"),
    user=(_setting("remote_user"), "ansible_user", "ansible_ssh_user"),
    password=(
        _setting("connection_password"),
        "ansible_password",
        "ansible_ssh_pass",
        "ansible_ssh_password",
    ),
    key_file=(
        _setting("private_key_file"),
        "ansible_private_key_file",
        "ansible_ssh_private_key_file",
    ),
    first_ssh_args=(_setting("ssh_args"), "ansible_ssh_args"),
    ssh_args=tuple(
        (_setting(name), f"ansible_{name}") for name in ("ssh_common_args", "ssh_extra_args")
    ),
    program=(_setting("ssh_executable"), "ansible_ssh_executable"),
    own_program="ssh",
)
_SMART = replace(_SSH, backend="smart")
_PARAMIKO = ConnectionPlugin(
    "paramiko",
    address=(*_SSH.address, "ansible_paramiko_host"),
    port=(_setting("paramiko remote_port"), *_SSH.port[1:], "ansible_paramiko_port"),
    user=(_setting("paramiko remote_user"), *_SSH.user[1:], "ansible_paramiko_user"),
    password=(*_SSH.password, "ansible_paramiko_pass", "ansible_paramiko_password"),
    key_file=(
        _setting("paramiko private_key_file"),
        *_SSH.key_file[1:],
        "ansible_paramiko_private_key_file",
    ),
    first_ssh_args=_SSH.first_ssh_args,
    ssh_args=_SSH.ssh_args,
    proxy_command=(_setting("paramiko proxy_command"), "ansible_paramiko_proxy_command"),
)
#: The address is for the transport, which refuses another machine's.
_LOCAL = ConnectionPlugin("local", address=_SSH.address)

_IN_ENVIRONMENT = "set it in the environment of the audit"
_DOCKER_USER = (_setting("remote_user"), "ansible_user", "ansible_docker_user")
_DOCKER = ConnectionPlugin(
    "docker",
    address=("ansible_host", "ansible_docker_host"),
    user=_DOCKER_USER,
    extra_args=(_setting("docker_extra_args"), "ansible_docker_extra_args"),
)
_DOCKER_API = ConnectionPlugin(
    "docker",
    address=_DOCKER.address,
    user=_DOCKER_USER,
    options={"--host": ("ansible_docker_docker_host",)},
    refused={
        f"ansible_docker_{name}": "set ansible_connection to docker, and its options of TLS in"
        " ansible_docker_extra_args"
        for name in (
            "tls", "tls_hostname", "validate_certs", "ca_cert", "ca_path", "cert_path",
            "client_cert", "client_key",
        )
    },
)  # fmt: skip
_PODMAN = ConnectionPlugin(
    "podman",
    address=("ansible_host", "ansible_podman_host"),
    user=(_setting("remote_user"), "ansible_user", "ansible_podman_user"),
    extra_args=(_setting("podman_extra_args"), "ansible_podman_extra_args"),
    program=(_setting("podman_executable"), "ansible_podman_executable"),
    own_program="podman",
)


def _pods(backend: str, name: str) -> ConnectionPlugin:
    """The plugin for kubectl, or for oc, which takes its variables by another name."""

    def of(*names: str) -> Names:
        return tuple(f"ansible_{name}_{each}" for each in names)

    secret = "name a kubeconfig that holds it, since other users see a command line"  # noqa: S105
    return ConnectionPlugin(
        backend,
        address=("ansible_host", _setting("pod"), *of("pod")),
        options={
            "--kubeconfig": (_setting("kubeconfig"), *of("kubeconfig", "config")),
            "--context": (_setting("context"), *of("context")),
            "--server": (_setting("api_server"), *of("host", "server")),
            "--namespace": (_setting("namespace"), *of("namespace")),
            "--container": (_setting("container"), *of("container")),
            "--client-certificate": (_setting("client_cert"), *of("cert_file", "client_cert")),
            "--client-key": (_setting("client_key"), *of("key_file", "client_key")),
            "--certificate-authority": (_setting("ca_cert"), *of("ssl_ca_cert", "ca_cert")),
        },
        extra_args=(_setting("kubectl_extra_args"), *of("extra_args")),
        verify=(_setting("validate_certs"), *of("verify_ssl", "validate_certs")),
        refused=dict.fromkeys(of("local_env_vars"), _IN_ENVIRONMENT)
        | dict.fromkeys(
            (
                *(_setting(name) for name in ("api_username", "api_password", "api_token")),
                *of("username", "user", "password", "token", "api_key"),
            ),
            secret,
        ),
    )


_KUBECTL = _pods("kubectl", "kubectl")
_OC = _pods("openshift", "oc")
_LXD = ConnectionPlugin(
    "lxc",
    address=("ansible_host", "ansible_lxd_host"),
    options={"--project": ("ansible_lxd_project",)},
    remote=("ansible_lxd_remote",),
)
_LXC = ConnectionPlugin(
    "lxc",
    unsupported="is Ansible's plugin for containers of liblxc, which the audit cannot reach; "
    "those of LXD are lxd's: set it to lxd",
)
_SALT = ConnectionPlugin("salt")
_CHROOT = ConnectionPlugin(
    "chroot",
    program=(_setting("chroot_exe"), "ansible_chroot_exe"),
    own_program="chroot",
)

_GENERAL = "community.general"
_BUILTIN = ("ansible.builtin", "ansible.legacy")
#: By short name; with the collections that have it by that name, now or before it moved.
_PLUGINS: dict[str, tuple[ConnectionPlugin, Names]] = {
    "ssh": (_SSH, _BUILTIN),
    "smart": (_SMART, _BUILTIN),
    "paramiko": (_PARAMIKO, _BUILTIN),
    "paramiko_ssh": (_PARAMIKO, _BUILTIN),
    "local": (_LOCAL, _BUILTIN),
    "docker": (_DOCKER, ("community.docker", _GENERAL)),
    "docker_api": (_DOCKER_API, ("community.docker",)),
    "podman": (_PODMAN, ("containers.podman",)),
    "kubectl": (_KUBECTL, ("kubernetes.core", "community.kubernetes", _GENERAL)),
    "oc": (_OC, ("community.okd", "redhat.openshift", _GENERAL)),
    "openshift": (_OC, ()),
    "lxd": (_LXD, (_GENERAL,)),
    "lxc": (_LXC, (_GENERAL,)),
    "saltstack": (_SALT, (_GENERAL,)),
    "salt": (_SALT, ()),
    "chroot": (_CHROOT, (_GENERAL,)),
}

#: Every variable and setting that some plugin reads.
NAMES = frozenset(name for plugin, _ in _PLUGINS.values() for name in plugin.names())


def plugin_of(connection: str) -> ConnectionPlugin | None:
    """The plugin that ``ansible_connection`` names, by its short name or its collection's.

    None where it is not known here: a plugin of the same short name in another collection may go
    elsewhere.
    """
    collection, _, short = connection.rpartition(".")
    plugin, collections = _PLUGINS.get(short, (None, ()))
    return plugin if not collection or collection in collections else None
