"""What a host's ssh_config or known_hosts asks for that paramiko cannot do, and OpenSSH can."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.transport.ssh import algorithms, host_keys, revoked_keys
from ipvs_audit.transport.ssh.known_hosts import names_match
from ipvs_audit.transport.ssh.route import find_settings
from ipvs_audit.transport.ssh.ssh_keywords import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings
    from ipvs_audit.transport.ssh.hop import Hop
    from ipvs_audit.transport.ssh.ssh_config_lookup import HostSettings

#: Keyword -> why, where it names something else than ``none``.
_NAMED = {
    "KnownHostsCommand": "host keys come from a command",
    "PKCS11Provider": "the key is on a PKCS#11 token",
    "BindInterface": "connections start from an interface",
}
#: Keyword -> why, where it is on.
_ON = {
    "ProxyUseFdpass": "the ProxyCommand hands over a socket",
    "HostbasedAuthentication": "the login is by this machine's own key",
    "CanonicalizeHostname": "the host's name is completed through DNS",
}
#: Keyword -> what paramiko has of it.
_ALGORITHMS = {
    "Ciphers": algorithms.CIPHERS,
    "MACs": algorithms.MACS,
    "KexAlgorithms": algorithms.KEY_EXCHANGES,
    "HostKeyAlgorithms": algorithms.HOST_KEYS,
}


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that needs OpenSSH's client.

    Attributes:
        option: as ssh_config(5) writes it, e.g. ``KnownHostsCommand``, ``Match exec``.
        reason: why paramiko cannot do it, in a few words.
    """

    option: str
    reason: str


def unsupported_by_paramiko(target: Target, settings: Settings) -> tuple[Unsupported, ...]:
    """What on the way to a target only OpenSSH's client can follow; empty where paramiko will do.

    It reads ssh_config, known_hosts and which key files there are, connects nowhere and runs
    nothing.

    Raises:
        TransportError: see :func:`ipvs_audit.transport.ssh.route.find_route`.
    """
    return tuple(
        dict.fromkeys(
            each
            for hop, found in find_settings(target, settings)
            for each in (*_in_settings(found), *_in_files(hop))
        )
    )


def _in_settings(found: HostSettings) -> Iterator[Unsupported]:
    for criterion in found.undecided:
        yield Unsupported(criterion, "only OpenSSH can tell whether it matches")
    yield from _unknown(found)
    for keyword, reason in _NAMED.items():
        if found.first(keyword.lower(), "none").lower() != "none":
            yield Unsupported(keyword, reason)
    for keyword, reason in _ON.items():
        if found.first(keyword.lower(), "no").lower() in {"yes", "true", "always"}:
            yield Unsupported(keyword, reason)
    for keyword, ours in _ALGORITHMS.items():
        names = found.first(keyword.lower(), "")
        # With + - ^ they change OpenSSH's own list, in which paramiko's are.
        if names and names[0] not in "+-^" and not set(names.split(",")) & set(ours):
            yield Unsupported(keyword, f"paramiko has none of {names}")
    if found.yes("gssapiauthentication") and _has_ticket():
        yield Unsupported("GSSAPIAuthentication", "there is a Kerberos ticket")
    if re.search(r"%|\$\{", found.first("user", "")):
        yield Unsupported("User", "its % and ${} depend on OpenSSH's version")


def _unknown(found: HostSettings) -> Iterator[Unsupported]:
    ignored = found.first("ignoreunknown", "").lower().split(",")
    for keyword in found.words:
        if keyword not in KNOWN and not names_match(tuple(ignored), keyword):
            yield Unsupported(keyword, "this keyword is not known here")


def _has_ticket() -> bool:
    """Whether there is a Kerberos ticket; Debian and Red Hat have GSSAPIAuthentication on."""
    named = os.environ.get("KRB5CCNAME", "")
    cache = Path(named.removeprefix("FILE:") or f"/tmp/krb5cc_{os.getuid()}")  # noqa: S108
    return (":" in named and not named.startswith("FILE:")) or cache.exists()


def _in_files(hop: Hop) -> Iterator[Unsupported]:
    if any(_is_on_a_security_key(path) for path in hop.key_files):
        yield Unsupported("IdentityFile", "the key is on a FIDO token")
    if hop.revoked_keys is not None and revoked_keys.is_krl(hop.revoked_keys):
        yield Unsupported("RevokedHostKeys", "its file is a KRL")
    if not host_keys.can_verify(hop):
        yield Unsupported("UserKnownHostsFile", "it knows the host by no key that paramiko has")


def _is_on_a_security_key(path: Path) -> bool:
    """Whether its public half, beside it or in its place, says that a token holds the key."""
    for each in (path.with_name(path.name + ".pub"), path):
        try:
            with each.open("rb") as file:
                if file.read(3) == b"sk-":
                    return True
        except OSError:
            continue
    return False
