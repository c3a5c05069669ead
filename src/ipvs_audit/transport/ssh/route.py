"""The way to a host: which servers, in which order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.ssh import destination, ssh_args, ssh_config
from ipvs_audit.transport.ssh.expansion import expand
from ipvs_audit.transport.ssh.hop import SSH_PORT, Hop, hop_of
from ipvs_audit.transport.ssh.ssh_config_lookup import HostSettings, look_up

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic import SecretStr

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings

_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>.+)@)?(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d+))?/?"
)


def find_route(target: Target, settings: Settings) -> tuple[Hop, ...]:
    """Every server to connect to, in order; the target comes last.

    Raises:
        TransportError: the inventory's ssh arguments or ssh_config ask for what cannot be done.
    """
    return tuple(hop for hop, _ in find_settings(target, settings))


def find_settings(target: Target, settings: Settings) -> tuple[tuple[Hop, HostSettings], ...]:
    """As :func:`find_route`, each server with what ssh_config says of it."""
    first, args = ssh_args.parse(target.first_ssh_args), ssh_args.parse(target.ssh_args)
    if settings.ssh_config is not None:
        files: tuple[Path, ...] = (settings.ssh_config,)
    else:
        files = (ssh_config.USER_FILE, ssh_config.SYSTEM_FILE)
    config_file = args.config_file or first.config_file
    if config_file is not None:
        files = () if str(config_file) == "none" else (config_file,)
        if files and not files[0].is_file():
            raise TransportError("configuration", f"-F {files[0]}: there is no such file")
    given = [*first.settings]
    if target.port is not None:
        given.append(("port", (str(target.port),)))
    if target.user is not None:
        given.append(("user", (target.user,)))
    if target.key_file is not None:
        given.append(("identityfile", (destination.key_file(target.key_file),)))
    given += args.settings
    there = destination.parse(target.name, target.address or target.name)
    # After the options, which come first in ssh as well.
    given += [("user", (there.user,))] if there.user else []
    given += [("port", (there.port,))] if there.port else []
    finder = _RouteResolver(ssh_config.read(files), settings)
    return finder.hops(there.host, given, target.password, 0)


@dataclass(frozen=True, slots=True)
class _RouteResolver:
    config: tuple[ssh_config.Directive, ...]
    settings: Settings

    def hops(
        self,
        name: str,
        given: Iterable[tuple[str, tuple[str, ...]]],
        password: SecretStr | None,
        depth: int,
    ) -> tuple[tuple[Hop, HostSettings], ...]:
        if depth > limits.JUMP_HOSTS:
            raise TransportError("configuration", f"{name}: ProxyJump is circular")
        found = look_up(self.config, name, given)
        hop = hop_of(name, found, self.settings, password)
        tokens = {"h": hop.host, "n": name, "p": str(hop.port), "r": hop.user}
        # Split first: a name with a comma in it is no second jump host.
        jumps = found.first("proxyjump", "none").split(",")
        before: tuple[tuple[Hop, HostSettings], ...] = ()
        if [jump.lower() for jump in jumps] != ["none"]:
            specs = [expand(jump, tokens) for jump in jumps]
            before = self._jumps(specs, hop, name, depth)
        return (*before, (hop, found))

    def _jumps(
        self, specs: list[str], hop: Hop, name: str, depth: int
    ) -> tuple[tuple[Hop, HostSettings], ...]:
        way: tuple[tuple[Hop, HostSettings], ...] = ()
        for spec in specs:
            matched = _JUMP.fullmatch(spec)
            if not matched:
                raise TransportError("configuration", f"{name}: ProxyJump {spec} is not a host")
            host = matched["v6"] or matched["host"]
            given = [("proxyjump", ("none",))] if way else []
            given += [("user", (matched["user"],))] if matched["user"] else []
            given += [("port", (matched["port"],))] if matched["port"] else []
            if host in {name, hop.host} and int(matched["port"] or SSH_PORT) == hop.port:
                continue  # `Host *` with a ProxyJump matches the jump host, too
            way += self.hops(host, given, None, depth + 1)
        return way
