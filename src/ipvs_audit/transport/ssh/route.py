"""The way to a host: which servers, in which order, as whom, known by which keys."""

from __future__ import annotations

import functools
import getpass
import os
import re
import shlex
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport import TransportError, safe_names
from ipvs_audit.transport.ssh import ssh_args, ssh_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import SecretStr

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings

SSH_PORT = 22
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d+))?/?"
)


@dataclass(frozen=True, slots=True)
class Hop:
    """One SSH server on the way; the last is the target itself.

    Attributes:
        host, port, user: where and as whom.
        host_key_name: its name in known_hosts: ``host``, ``[host]:port`` or HostKeyAlias.
        host_key_name_without_port: the same without a port.
        known_hosts: files to look it up in.
        new_keys: the one of them that accept-new writes to; None where UserKnownHostsFile is none.
        key_files: private keys to try, in this order.
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
    new_keys: Path | None
    hash_known_hosts: bool
    key_files: tuple[Path, ...]
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


def find_route(target: Target, settings: Settings) -> tuple[Hop, ...]:
    """Every server to connect to, in order; the target comes last.

    Raises:
        TransportError: the inventory's ssh arguments or ssh_config ask for what cannot be done.
    """
    args = ssh_args.parse(target.ssh_args)
    if settings.ssh_config is not None:
        files: tuple[Path, ...] = (settings.ssh_config,)
    else:
        files = (ssh_config.USER_FILE, ssh_config.SYSTEM_FILE)
    if args.config_file is not None:
        files = () if str(args.config_file) == "none" else (args.config_file,)
        if files and not files[0].is_file():
            raise TransportError("configuration", f"-F {files[0]}: there is no such file")
    given: list[tuple[str, str]] = []
    if target.port is not None:
        given.append(("Port", str(target.port)))
    if target.user is not None:
        given.append(("User", shlex.quote(target.user)))
    if target.key_file is not None:
        given.append(("IdentityFile", shlex.quote(target.key_file)))
    finder = _RouteResolver(ssh_config.read(files), settings)
    return finder.hops(target.address or target.name, [*given, *args.settings], target.password, 0)


@dataclass(frozen=True, slots=True)
class _RouteResolver:
    config: ssh_config.SshConfig
    settings: Settings

    def hops(
        self, name: str, given: Iterable[tuple[str, str]], password: SecretStr | None, depth: int
    ) -> tuple[Hop, ...]:
        if depth > limits.JUMP_HOSTS:
            raise TransportError("configuration", f"{name}: ProxyJump is circular")
        found = self.config.lookup(name, given)
        hop = self._hop(name, found, password)
        tokens = _tokens(name, hop)
        # Split first: a name with a comma in it is no second jump host.
        jumps = _first(found, "proxyjump", "none").split(",")
        before: tuple[Hop, ...] = ()
        if jumps != ["none"]:
            specs = [ssh_config.expand(jump.strip(), tokens) for jump in jumps]
            before = self._jumps(specs, hop, name, depth)
        return (*before, hop)

    def _jumps(self, specs: list[str], hop: Hop, name: str, depth: int) -> tuple[Hop, ...]:
        way: tuple[Hop, ...] = ()
        for spec in specs:
            matched = _JUMP.fullmatch(spec)
            if not matched:
                raise TransportError("configuration", f"{name}: ProxyJump {spec} is not a host")
            host = matched["v6"] or matched["host"]
            given = [("ProxyJump", "none")] if way else []
            given += [("User", shlex.quote(matched["user"]))] if matched["user"] else []
            given += [("Port", matched["port"])] if matched["port"] else []
            if host in {name, hop.host} and int(matched["port"] or SSH_PORT) == hop.port:
                continue  # `Host *` with a ProxyJump matches the jump host, too
            way += self.hops(host, given, None, depth + 1)
        return way

    def _hop(self, name: str, found: Mapping[str, list[str]], password: SecretStr | None) -> Hop:
        user = _first(found, "user", _local_user())
        host = name
        if "hostname" in found:  # a name itself holds no tokens: fe80::1%hvs0
            host = ssh_config.expand(_first(found, "hostname", name), {"h": name})
        port = _number(name, "Port", _first(found, "port", str(SSH_PORT)))
        tokens = {"h": host, "n": name, "p": str(port), "r": user} | _local_tokens()
        alias = _first(found, "hostkeyalias", "")
        safe_names.refuse_host_name(name, "host name", name)
        safe_names.refuse_host_name(name, "HostName", host)
        safe_names.refuse_host_name(name, "HostKeyAlias", alias)
        safe_names.refuse_user_name(name, user)
        command = _first(found, "proxycommand", "none")
        if command != "none":
            safe_names.refuse_tokens(name, command, tokens)
        timeout = _first(found, "connecttimeout", "none")
        known_hosts, own = self._known_hosts(found, tokens)
        agent = ssh_config.expand(
            _first(found, "identityagent", "SSH_AUTH_SOCK"), tokens, home=True
        )
        if agent in {"SSH_AUTH_SOCK", "$SSH_AUTH_SOCK"}:
            agent = os.environ.get("SSH_AUTH_SOCK", "none")
        return Hop(
            host=host,
            port=port,
            user=user,
            host_key_name=alias or (host if port == SSH_PORT else f"[{host}]:{port}"),
            host_key_name_without_port=alias or host,
            known_hosts=known_hosts,
            new_keys=known_hosts[0] if own else None,
            hash_known_hosts=_yes(found, "hashknownhosts"),
            key_files=_key_files(found, tokens),
            identities_only=_yes(found, "identitiesonly"),
            agent=None if agent == "none" else agent,
            methods=_methods(found),
            password=password,
            proxy_command=None if command == "none" else ssh_config.expand(command, tokens),
            family=_family(found),
            bind_address=_first(found, "bindaddress", "") or None,
            strict_host_key_checking=_first(found, "stricthostkeychecking", "").lower(),
            connect_timeout=None
            if timeout == "none"
            else float(_number(name, "ConnectTimeout", timeout)),
        )

    def _known_hosts(
        self, found: Mapping[str, list[str]], tokens: Mapping[str, str]
    ) -> tuple[tuple[Path, ...], bool]:
        """The files, and whether the first is the user's own; the system's are never written."""
        if self.settings.known_hosts:
            return self.settings.known_hosts, True
        own, others = (
            [ssh_config.expand(name, tokens, home=True) for name in names if name != "none"]
            for names in (
                found.get("userknownhostsfile", _USER_KNOWN_HOSTS),
                found.get("globalknownhostsfile", _GLOBAL_KNOWN_HOSTS),
            )
        )
        return tuple(map(Path, own + others)), bool(own)


def _first(found: Mapping[str, list[str]], keyword: str, default: str) -> str:
    words = found.get(keyword)
    return words[0] if words else default


def _yes(found: Mapping[str, list[str]], keyword: str, default: str = "no") -> bool:
    return _first(found, keyword, default).lower() in {"yes", "true"}


def _number(name: str, keyword: str, text: str) -> int:
    if not text.isdigit():
        raise TransportError("configuration", f"{name}: {keyword} {text} is not a number")
    return int(text)


def _tokens(name: str, hop: Hop) -> dict[str, str]:
    return {"h": hop.host, "n": name, "p": str(hop.port), "r": hop.user}


@functools.cache
def _local_user() -> str:
    return getpass.getuser()


@functools.cache
def _local_tokens() -> dict[str, str]:
    long = socket.gethostname()
    return {
        "u": _local_user(),
        "d": str(Path.home()),
        "L": long.split(".")[0],
        "l": long,
        "i": str(os.getuid()),
    }


def _key_files(found: Mapping[str, list[str]], tokens: Mapping[str, str]) -> tuple[Path, ...]:
    names = found.get("identityfile")
    if names is None:
        return tuple(path for each in _DEFAULT_KEYS if (path := Path(each).expanduser()).exists())
    return tuple(
        Path(ssh_config.expand(each, tokens, home=True)) for each in names if each != "none"
    )


def _methods(found: Mapping[str, list[str]]) -> frozenset[str]:
    preferred = _first(found, "preferredauthentications", "publickey,keyboard-interactive,password")
    allowed = {method for method in preferred.split(",") if method}
    for method, keyword in (
        ("publickey", "pubkeyauthentication"),
        ("password", "passwordauthentication"),
        ("keyboard-interactive", "kbdinteractiveauthentication"),
    ):
        if _first(found, keyword, "yes").lower() == "no":
            allowed.discard(method)
    return frozenset(allowed)


def _family(found: Mapping[str, list[str]]) -> socket.AddressFamily:
    word = _first(found, "addressfamily", "any").lower()
    return {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(word, socket.AF_UNSPEC)
