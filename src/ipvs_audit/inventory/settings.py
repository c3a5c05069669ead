"""Ansible's settings that say which hosts there are and how they are reached. Pure.

They come from the ``ansible.cfg`` that Ansible finds and from ``ANSIBLE_*`` variables, and count
where no variable of the inventory says otherwise.

>>> DEFINITIONS["remote_port"].env, DEFINITIONS["remote_port"].ini
(('ANSIBLE_REMOTE_PORT',), (('defaults', 'remote_port'),))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.inventory.variable import Variable

#: Stands before the name of a setting among the variables of a host: no variable has such a name.
PREFIX = "setting "


@dataclass(frozen=True, slots=True)
class Definition:
    """Where Ansible looks for a setting; of several places of a kind, the last that is set wins.

    Attributes:
        env: environment variables; they come before the file.
        ini: section and key in ansible.cfg.
        kind: Ansible's name for the type, where it is more than text.
    """

    env: tuple[str, ...] = ()
    ini: tuple[tuple[str, str], ...] = ()
    kind: str = "string"


def _of(*env: str, ini: tuple[str, ...] = (), kind: str = "string") -> Definition:
    places = tuple((section, key) for section, _, key in (each.partition(" ") for each in ini))
    return Definition(env, places, kind)


_SUDO = "sudo_become_plugin"

#: Settings that count, as Ansible's base.yml and the documentation of its plugins define them.
DEFINITIONS = {
    "transport": _of("ANSIBLE_TRANSPORT", ini=("defaults transport",)),
    "remote_user": _of("ANSIBLE_REMOTE_USER", ini=("defaults remote_user",)),
    "remote_port": _of("ANSIBLE_REMOTE_PORT", ini=("defaults remote_port",)),
    "private_key_file": _of("ANSIBLE_PRIVATE_KEY_FILE", ini=("defaults private_key_file",)),
    "ssh_args": _of("ANSIBLE_SSH_ARGS", ini=("ssh_connection ssh_args",)),
    "ssh_common_args": _of("ANSIBLE_SSH_COMMON_ARGS", ini=("ssh_connection ssh_common_args",)),
    "ssh_extra_args": _of("ANSIBLE_SSH_EXTRA_ARGS", ini=("ssh_connection ssh_extra_args",)),
    "ssh_executable": _of("ANSIBLE_SSH_EXECUTABLE", ini=("ssh_connection ssh_executable",)),
    "become": _of("ANSIBLE_BECOME", ini=("privilege_escalation become",)),
    "become_method": _of("ANSIBLE_BECOME_METHOD", ini=("privilege_escalation become_method",)),
    "become_user": _of(
        "ANSIBLE_BECOME_USER",
        "ANSIBLE_SUDO_USER",
        ini=("privilege_escalation become_user", f"{_SUDO} user"),
    ),
    "become_password": _of("ANSIBLE_BECOME_PASS", "ANSIBLE_SUDO_PASS", ini=(f"{_SUDO} password",)),
    "become_exe": _of(
        "ANSIBLE_BECOME_EXE",
        "ANSIBLE_SUDO_EXE",
        ini=("privilege_escalation become_exe", f"{_SUDO} executable"),
    ),
    "become_flags": _of(
        "ANSIBLE_BECOME_FLAGS",
        "ANSIBLE_SUDO_FLAGS",
        ini=("privilege_escalation become_flags", f"{_SUDO} flags"),
    ),
    "paramiko remote_user": _of(
        "ANSIBLE_REMOTE_USER",
        "ANSIBLE_PARAMIKO_REMOTE_USER",
        ini=("defaults remote_user", "paramiko_connection remote_user"),
    ),
    "paramiko remote_port": _of(
        "ANSIBLE_REMOTE_PORT",
        "ANSIBLE_REMOTE_PARAMIKO_PORT",
        ini=("defaults remote_port", "paramiko_connection remote_port"),
    ),
    "paramiko private_key_file": _of(
        "ANSIBLE_PRIVATE_KEY_FILE",
        "ANSIBLE_PARAMIKO_PRIVATE_KEY_FILE",
        ini=("defaults private_key_file", "paramiko_connection private_key_file"),
    ),
    "paramiko proxy_command": _of(
        "ANSIBLE_PARAMIKO_PROXY_COMMAND", ini=("paramiko_connection proxy_command",)
    ),
    "docker_extra_args": _of(ini=("docker_connection extra_cli_args",)),
    "podman_extra_args": _of("ANSIBLE_PODMAN_EXTRA_ARGS", ini=("defaults podman_extra_args",)),
    "podman_executable": _of("ANSIBLE_PODMAN_EXECUTABLE"),
    "chroot_exe": _of("ANSIBLE_CHROOT_EXE", ini=("chroot_connection exe",)),
    "pod": _of("K8S_AUTH_POD"),
    "container": _of("K8S_AUTH_CONTAINER"),
    "namespace": _of("K8S_AUTH_NAMESPACE"),
    "kubeconfig": _of("K8S_AUTH_KUBECONFIG"),
    "context": _of("K8S_AUTH_CONTEXT"),
    "api_server": _of("K8S_AUTH_HOST", "K8S_AUTH_SERVER"),
    "client_cert": _of("K8S_AUTH_CERT_FILE"),
    "client_key": _of("K8S_AUTH_KEY_FILE"),
    "ca_cert": _of("K8S_AUTH_SSL_CA_CERT"),
    "validate_certs": _of("K8S_AUTH_VERIFY_SSL"),
    "kubectl_extra_args": _of("K8S_AUTH_EXTRA_ARGS"),
    "api_username": _of("K8S_AUTH_USERNAME"),
    "api_password": _of("K8S_AUTH_PASSWORD"),
    "api_token": _of("K8S_AUTH_TOKEN", "K8S_AUTH_API_KEY"),
}

#: Ansible's own settings that name a file with a password -> the setting whose value it holds. It
#: comes before that setting's environment and file, and after variables.
PASSWORD_FILES = {
    "CONNECTION_PASSWORD_FILE": "connection_password",
    "BECOME_PASSWORD_FILE": "become_password",
}

#: Settings that do not count, and what to do instead.
NOT_FOLLOWED = {
    "ask_pass": (
        _of("ANSIBLE_ASK_PASS", ini=("defaults ask_pass",), kind="boolean"),
        "the audit does not ask: set ansible_password in a vault",
    ),
    "become_ask_pass": (
        _of(
            "ANSIBLE_BECOME_ASK_PASS", ini=("privilege_escalation become_ask_pass",), kind="boolean"
        ),
        "the audit does not ask: set ansible_become_password in a vault",
    ),
    "become_flags": (DEFINITIONS["become_flags"], "the audit chooses sudo's options"),
    "private_key": (_of("ANSIBLE_PRIVATE_KEY"), "name a file in private_key_file"),
    "pkcs11_provider": (
        _of("ANSIBLE_PKCS11_PROVIDER", ini=("ssh_connection pkcs11_provider",)),
        "set PKCS11Provider in ssh_config",
    ),
}

#: Whether host keys are checked: only ``--host-key-policy`` decides.
HOST_KEY_CHECKING = _of(
    "ANSIBLE_HOST_KEY_CHECKING",
    "ANSIBLE_SSH_HOST_KEY_CHECKING",
    "ANSIBLE_PARAMIKO_HOST_KEY_CHECKING",
    ini=(
        "defaults host_key_checking",
        "ssh_connection host_key_checking",
        "paramiko_connection host_key_checking",
    ),
    kind="boolean",
)


@dataclass(frozen=True, slots=True)
class AnsibleSettings:
    """What Ansible's settings say.

    Attributes:
        used: false for ``--no-ansible-config``: no file and no variable of the environment counts.
        file: the ansible.cfg that counts; empty for none.
        variables: the settings of :data:`DEFINITIONS` that are set, under :data:`PREFIX` and their
            names; ``place`` is the file or the environment variable.
        inventory: where no ``--inventory`` is given: paths.
        inventory_from: the file or environment variable that names it.
        vaults: label and password file of each vault that is named.
        notes: what the user should know, one line each, without secrets.
    """

    used: bool = False
    file: str = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    inventory: tuple[str, ...] = ()
    inventory_from: str = ""
    vaults: tuple[tuple[str | None, str], ...] = ()
    notes: tuple[str, ...] = ()

    def fingerprint(self) -> bytes:
        """What the settings add to an inventory's digest: nothing where none is set.

        Secrets are left out, and so is the order.
        """
        lines = [
            f"{name}={variable.value}\0"
            for name, variable in sorted(self.variables.items())
            if not any(word in name for word in ("password", "token"))
        ]
        return "".join(lines).encode("utf-8", "surrogateescape")


#: ``--no-ansible-config``, and this machine where no inventory is given.
NO_SETTINGS = AnsibleSettings()


def what_counts(file: str, variables: Mapping[str, Variable]) -> tuple[str, ...]:
    """The line that says which file counted, and for what; none where nothing did.

    >>> from ipvs_audit.inventory.variable import Variable
    >>> what_counts("/ansible.cfg", {"setting become": Variable("yes", "ANSIBLE_BECOME")})
    ('Ansible settings: /ansible.cfg was read; become is set by ANSIBLE_BECOME',)
    """
    by_place: dict[str, list[str]] = {}
    shadowed = {f"{PREFIX}paramiko {name}" for name in ("remote_user", "remote_port")}
    shadowed.add(f"{PREFIX}paramiko private_key_file")
    for name, variable in variables.items():
        if name not in shadowed:  # they are said once, by their general name
            by_place.setdefault(variable.place, []).append(name.removeprefix(PREFIX))
    parts = [
        f"{', '.join(names)} {'are' if names[1:] else 'is'} set by {place}"
        for place, names in by_place.items()
    ]
    read = [f"{file} was read"] if file else []
    return ("Ansible settings: " + "; ".join(read + parts),) if read or parts else ()
