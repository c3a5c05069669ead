"""One SSH server on the way to a host: where, as whom, known by which keys."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.transport import TransportError, safe_names
from ipvs_audit.transport.ssh import local_user
from ipvs_audit.transport.ssh.expansion import expand, expand_path
from ipvs_audit.transport.ssh.local_user import expand_home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from ipvs_audit.transport.settings import Settings
    from ipvs_audit.transport.ssh.ssh_config_lookup import HostSettings

SSH_PORT = 22
_HIGHEST_PORT = 65535
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_TIME = re.compile(r"(\d+)([smhdw]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Hop:
    """One SSH server on the way; the last is the target itself.

    Attributes:
        host, port, user: where and as whom.
        host_key_name: its name in known_hosts: ``host``, ``[host]:port`` or HostKeyAlias.
        host_key_name_without_port: the same without a port.
        known_hosts: files to look it up in.
        revoked_keys: the file of RevokedHostKeys.
        new_keys: the one of them that accept-new writes to; None where UserKnownHostsFile is none.
        key_files: private keys to try, in this order.
        certificates: files of CertificateFile, each for one of the keys.
        identities_only: try no agent key that is not among ``key_files``.
        agent: the agent's socket; None asks none.
        methods: authentication methods allowed, e.g. ``publickey``.
        password: for this server only.
        proxy_command: run this in place of connecting; None connects.
        strict_host_key_checking: ssh_config's value, to explain that it is ignored.
        connect_timeout: ConnectTimeout, where set.
    """

    host: str
    port: int
    user: str
    host_key_name: str
    host_key_name_without_port: str
    known_hosts: tuple[Path, ...]
    revoked_keys: Path | None
    new_keys: Path | None
    hash_known_hosts: bool
    key_files: tuple[Path, ...]
    certificates: tuple[Path, ...]
    identities_only: bool
    agent: str | None
    methods: frozenset[str]
    password: SecretStr | None
    proxy_command: str | None
    family: socket.AddressFamily
    bind_address: str | None
    strict_host_key_checking: str
    connect_timeout: float | None

    @property
    def where(self) -> str:
        """As messages name it, e.g. ``root@10.0.0.5:22``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"


def hop_of(name: str, found: HostSettings, settings: Settings, password: SecretStr | None) -> Hop:
    """The server of that name.

    Args:
        name: as the inventory or a ProxyJump has it.
        found: what ssh_config says of it.
        settings: what the user decided about connections.
        password: for this server.

    Raises:
        TransportError: ssh_config asks for what cannot be done, or a name is refused.
    """
    user = found.first("user", local_user.name())
    host = name
    if "hostname" in found.words:  # a name itself holds no tokens: fe80::1%hvs0
        host = expand(found.first("hostname", name), {"h": name})
    host = _canonical(host)
    alias = found.first("hostkeyalias", "").lower()
    safe_names.refuse_host_name(name, "host name", name)
    safe_names.refuse_host_name(name, "HostName", host)
    safe_names.refuse_host_name(name, "HostKeyAlias", alias)
    safe_names.refuse_user_name(name, user)
    port = _port(name, found.first("port", str(SSH_PORT)))
    tokens = {"h": host, "n": name, "p": str(port), "r": user, "k": alias or host}
    tokens |= _local_tokens()
    command = found.first("proxycommand", "none")
    if command != "none":
        safe_names.refuse_tokens(name, command, tokens)
    known_hosts, own = _known_hosts(name, found, settings, tokens)
    return Hop(
        host=host,
        port=port,
        user=user,
        host_key_name=alias or (host if port == SSH_PORT else f"[{host}]:{port}"),
        host_key_name_without_port=alias or host,
        known_hosts=known_hosts,
        revoked_keys=next(iter(_files(name, "RevokedHostKeys", found, tokens)), None),
        new_keys=known_hosts[0] if own else None,
        hash_known_hosts=found.yes("hashknownhosts"),
        key_files=_key_files(name, found, tokens),
        certificates=_files(name, "CertificateFile", found, tokens),
        identities_only=found.yes("identitiesonly"),
        agent=_agent(name, found, tokens),
        methods=_methods(found),
        password=password,
        proxy_command=None if command == "none" else expand(command, tokens),
        family=_family(found),
        bind_address=found.first("bindaddress", "") or None,
        strict_host_key_checking=found.first("stricthostkeychecking", "").lower(),
        connect_timeout=_seconds(name, found.first("connecttimeout", "none")),
    )


def _known_hosts(
    name: str, found: HostSettings, settings: Settings, tokens: Mapping[str, str]
) -> tuple[tuple[Path, ...], bool]:
    """The files, and whether the first is the user's own; the system's are never written."""
    if settings.known_hosts:
        return settings.known_hosts, True
    own = [
        expand_path(name, "UserKnownHostsFile", each, tokens)
        for each in found.words.get("userknownhostsfile", _USER_KNOWN_HOSTS)
        if each != "none"
    ]
    others = found.words.get("globalknownhostsfile", _GLOBAL_KNOWN_HOSTS)
    everyones = [expand_home(each) for each in others if each != "none"]
    return (*map(Path, own), *everyones), bool(own)


def _canonical(host: str) -> str:
    """A name in lower case, or an address in the form that known_hosts has it in.

    OpenSSH rewrites them, also without CanonicalizeHostname (resolve_canonicalize in ssh.c):
    ``FD00:0::1`` is ``fd00::1``, ``127.1`` is ``127.0.0.1``.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        address = socket.getnameinfo(found[0][4], flags)[0]
    except (OSError, UnicodeError):
        return host if ":" in host else host.lower()
    return host if address.lower() == host.lower() else address


def _port(name: str, text: str) -> int:
    port = int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
    if not port:
        with contextlib.suppress(OSError):
            port = socket.getservbyname(text, "tcp")
    if not 0 < port <= _HIGHEST_PORT:
        raise TransportError("configuration", f"{name}: Port {text} is not a port's number")
    return port


def _seconds(name: str, text: str) -> float | None:
    """A time as ssh_config writes it: ``90``, ``1m30s``; None for ``none`` (sshd_config(5))."""
    if text.lower() == "none":
        return None
    parts = _TIME.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise TransportError("configuration", f"{name}: ConnectTimeout {text} is not a time")
    return float(sum(int(number) * _SECONDS[unit.lower()] for number, unit in parts))


@functools.cache
def _local_tokens() -> dict[str, str]:
    long = socket.gethostname()
    return {
        "u": local_user.name(),
        "d": str(local_user.home()),
        "L": long.split(".")[0],
        "l": long,
        "i": str(os.getuid()),
    }


def _agent(name: str, found: HostSettings, tokens: Mapping[str, str]) -> str | None:
    """The agent's socket; None asks none."""
    named = found.first("identityagent", "SSH_AUTH_SOCK")
    if named == "SSH_AUTH_SOCK":
        named = "$SSH_AUTH_SOCK"
    if named.startswith("$") and not named.startswith("${"):
        return os.environ.get(named[1:]) or None
    return None if named == "none" else expand_path(name, "IdentityAgent", named, tokens)


def _key_files(name: str, found: HostSettings, tokens: Mapping[str, str]) -> tuple[Path, ...]:
    if "identityfile" in found.words:
        return _files(name, "IdentityFile", found, tokens)
    return tuple(path for each in _DEFAULT_KEYS if (path := expand_home(each)).exists())


def _files(
    name: str, keyword: str, found: HostSettings, tokens: Mapping[str, str]
) -> tuple[Path, ...]:
    return tuple(
        Path(expand_path(name, keyword, each, tokens))
        for each in found.words.get(keyword.lower(), ())
        if each.lower() != "none"
    )


def _methods(found: HostSettings) -> frozenset[str]:
    preferred = found.first("preferredauthentications", "publickey,keyboard-interactive,password")
    allowed = {method for method in preferred.split(",") if method}
    for method, keyword in (
        ("publickey", "pubkeyauthentication"),
        ("password", "passwordauthentication"),
        ("keyboard-interactive", "kbdinteractiveauthentication"),
    ):
        if found.first(keyword, "yes").lower() in {"no", "false"}:
            allowed.discard(method)
    return frozenset(allowed)


def _family(found: HostSettings) -> socket.AddressFamily:
    word = found.first("addressfamily", "any").lower()
    return {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(word, socket.AF_UNSPEC)
