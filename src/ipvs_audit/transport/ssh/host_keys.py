"""Whether a server is the one that known_hosts knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.ssh import known_hosts, revoked_keys
from ipvs_audit.transport.ssh.algorithms import CERTIFICATE, SIGNATURES
from ipvs_audit.transport.ssh.known_hosts import Key, Known

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.transport.settings import HostKeyPolicy
    from ipvs_audit.transport.ssh.certificate import Certificate
    from ipvs_audit.transport.ssh.hop import Hop


@dataclass(frozen=True, slots=True)
class ShownKey:
    """What a server showed in the key exchange, and holds the private half of.

    Attributes:
        key: its plain host key, also where it showed a certificate.
        certificate: the certificate for it.
    """

    key: Key
    certificate: Certificate | None = None


def known_of(hop: Hop) -> Known:
    """What the known_hosts files of a hop say of it.

    As OpenSSH does, a host on another port that is not known by it may be known without it.
    """
    known = known_hosts.look_up(hop.host_key_name, hop.known_hosts)
    if known.keys or hop.host_key_name == hop.host_key_name_without_port:
        return known
    others = known_hosts.look_up(hop.host_key_name_without_port, hop.known_hosts)
    return Known(
        others.keys,
        known.revoked + others.revoked,
        known.authorities + others.authorities,
        without_port=bool(others.keys),
    )


def algorithms(known: Known) -> tuple[str, ...]:
    """Host key algorithms to offer: certificates, where an authority is known, then known keys.

    A server with keys of several types then shows the one that is known.
    """
    types = {key.type for key in known.keys}
    order = sorted(SIGNATURES, key=lambda each: each not in types)
    plain = tuple(name for each in order for name in SIGNATURES[each])
    return (*(name + CERTIFICATE for name in plain if known.authorities), *plain)


def can_verify(hop: Hop) -> bool:
    """Whether a host is unknown, or known by a key that can be verified here."""
    if known_hosts.key_types(hop.known_hosts) <= SIGNATURES.keys():
        return True  # spares looking the host up among hashed names
    known = known_of(hop)
    named = (*known.keys, *known.authorities)
    return not named or any(key.type in SIGNATURES for key in named)


def verify(hop: Hop, shown: ShownKey, known: Known, policy: HostKeyPolicy) -> None:
    """Accept a server's key, or say why not and how.

    Under ``accept-new`` a new key is accepted only where it is recorded: the next connection, in
    this run or a later one, is held to it.

    Raises:
        TransportError: the key is unknown, changed or revoked, or could not be recorded.
    """
    if hop.revoked_keys is not None:
        revoked_keys.refuse(hop.where, hop.revoked_keys, _involved(shown))
    if _accepted(hop, shown, known):
        return
    key = shown.key
    if policy != "accept-new":
        raise _unknown(hop, key)
    path = _file_for_new_keys(hop)
    try:
        recorded = known_hosts.add(path, hop.host_key_name, key, hashed=hop.hash_known_hosts)
    except OSError as error:
        raise TransportError(
            "host-key", f"{hop.where}: its new key could not be saved in {path}: {error.strerror}"
        ) from None
    if not _accepted(hop, shown, recorded):
        raise TransportError("host-key", f"{hop.where}: its new key could not be saved in {path}")


def _involved(shown: ShownKey) -> tuple[Key, ...]:
    return (shown.key,) if shown.certificate is None else (shown.key, shown.certificate.authority)


def _accepted(hop: Hop, shown: ShownKey, known: Known) -> bool:
    """Whether the key is a known one, or certified by a known authority; false where none is known.

    Raises:
        TransportError: the key is changed or revoked, or its certificate does not count.
    """
    for key in _involved(shown):
        if key in known.revoked:
            raise TransportError(
                "host-key",
                f"{hop.where}: its {key.type} key {key.fingerprint} is marked @revoked in "
                f"{_files(hop)}; it must not be trusted again: create a new host key on the host",
            )
    refusal = _refusal(hop, shown.certificate, known)
    if not refusal or shown.key in known.keys:
        return True
    if known.keys and not known.without_port:
        raise _changed(hop, shown.key, known)
    if known.authorities:
        raise TransportError(
            "host-key",
            f"{hop.where}: {_certify(hop)}, or add its own {shown.key.type} key "
            f"{shown.key.fingerprint} with {_keyscan(hop)}: {_files(hop)} knows the host through "
            f"@cert-authority, and {refusal}",
        )
    return False


def _refusal(hop: Hop, certificate: Certificate | None, known: Known) -> str:
    """Why no certificate vouches for the host's key; empty where one does."""
    if certificate is None:
        return "the host shows no certificate"
    if certificate.authority not in known.authorities:
        return f"its certificate is by another authority ({certificate.authority.fingerprint})"
    return certificate.refusal(hop.host_key_name_without_port)


def _certify(hop: Hop) -> str:
    return f"sign its host key for {hop.host_key_name_without_port} (ssh-keygen -h -n)"


def _file_for_new_keys(hop: Hop) -> Path:
    """Where accept-new records a key.

    Raises:
        TransportError: ssh_config or the inventory names what keeps none, such as /dev/null.
    """
    if not _keeps_keys(hop.new_keys):
        raise TransportError(
            "host-key",
            f"{hop.where}: name a file with --known-hosts FILE:"
            f" {_NO_KEYS.format(hop.new_keys or 'none')}, so it would accept any server",
        )
    return hop.new_keys


def _unknown(hop: Hop, shown: Key) -> TransportError:
    return TransportError(
        "host-key",
        f"{hop.where}: host key not known: compare its fingerprint on the host (ssh-keygen -lf "
        f"/etc/ssh/ssh_host_*_key.pub), then accept it with {_keyscan(hop)}, or run once with "
        f"--host-key-policy accept-new{_checking(hop)}; offered {shown.type} {shown.fingerprint}, "
        f"expected none ({_files(hop)} does not hold {hop.host_key_name})",
    )


def _changed(hop: Hop, shown: Key, known: Known) -> TransportError:
    expected = ", ".join(f"{key.type} {key.fingerprint}" for key in known.keys)
    return TransportError(
        "host-key",
        f"{hop.where}: HOST KEY CHANGED: possible interception, or the host was reinstalled. "
        f"If it was reinstalled: ssh-keygen -R '{hop.host_key_name}' and {_keyscan(hop)}; "
        f"--host-key-policy accept-new does not accept a changed key{_checking(hop)}; "
        f"offered {shown.type} {shown.fingerprint}, expected {expected} ({_files(hop)})",
    )


def _keyscan(hop: Hop) -> str:
    port = f"-p {hop.port} " if hop.port != 22 else ""  # noqa: PLR2004
    command = f"ssh-keyscan {port}{hop.host} >>"
    if _keeps_keys(hop.new_keys):
        return f"'{command} {hop.new_keys}'"
    return f"'{command} FILE' and --known-hosts FILE ({_NO_KEYS.format(hop.new_keys or 'none')})"


_NO_KEYS = "UserKnownHostsFile={} keeps no keys"


def _keeps_keys(path: Path | None) -> TypeGuard[Path]:
    return path is not None and (path.is_file() or not path.exists())


def _files(hop: Hop) -> str:
    return ", ".join(str(path) for path in hop.known_hosts) or "no known_hosts file"


def _checking(hop: Hop) -> str:
    if hop.strict_host_key_checking not in {"no", "off", "accept-new"}:
        return ""
    return f" (StrictHostKeyChecking={hop.strict_host_key_checking} is ignored)"
