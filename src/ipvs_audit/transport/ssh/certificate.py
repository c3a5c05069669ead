"""OpenSSH's certificates for hosts and users (PROTOCOL.certkeys)."""

from __future__ import annotations

import base64
import binascii
import functools
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from ipvs_audit.transport.ssh.algorithms import CERTIFICATE, SIGNATURES
from ipvs_audit.transport.ssh.known_hosts import Key, names_match

if TYPE_CHECKING:
    from pathlib import Path

#: Fields of a public key between the nonce and the serial number, by type of key.
_KEY_FIELDS = {"ssh-ed25519": 1, "ssh-rsa": 2}
_ECDSA_FIELDS = 2
_HOST = 2
_LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, its signature not verified yet.

    Attributes:
        key: the plain public key that it certifies.
        authority: the key that signed it.
        for_host: it is a host's, not a user's.
        principals: names that it is for.
        valid: first second and first second after it, since 1970.
        critical_options: they restrict it in a way that hosts' certificates have none for.
        signed: the bytes that the signature is for.
        signature: by the authority.
    """

    key: Key
    authority: Key
    for_host: bool
    principals: tuple[str, ...]
    valid: tuple[int, int]
    critical_options: bytes
    signed: bytes
    signature: bytes

    def refusal(self, name: str) -> str:
        """Why it does not show that its key is this host's; empty where it does.

        The rules are those of ``sshkey_cert_check_host`` in sshkey.c, but that a certificate for
        no name is for no host.

        Args:
            name: the host's name or HostKeyAlias, in lower case, without a port.
        """
        now = time.time()  # of the wall clock, as the authority's
        faults = (
            (not self.for_host, "is a user's, not a host's"),
            (now < self.valid[0], "is not valid yet"),
            (now >= self.valid[1], "has expired"),
            (bool(self.critical_options), "has critical options"),
            (not self.principals, "names no host"),
            (not names_match(self.principals, name), f"is for {', '.join(self.principals)} only"),
            (not self._is_signed(), "is not signed by its authority"),
        )
        return next((f"its certificate {words}" for is_so, words in faults if is_so), "")

    def _is_signed(self) -> bool:
        if _first_text(self.signature) not in SIGNATURES.get(self.authority.type, ()):
            return False
        try:
            key = paramiko.PKey.from_type_string(self.authority.type, self.authority.blob)
            return bool(key.verify_ssh_sig(self.signed, paramiko.Message(self.signature)))
        except (paramiko.SSHException, UnsupportedAlgorithm, ValueError):
            return False


@functools.lru_cache(maxsize=64)
def parse(blob: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        ValueError: it is none, or of a type that is not known here.
    """
    fields = _Fields(blob)
    kind = fields.text().removesuffix(CERTIFICATE)
    if kind not in SIGNATURES or not _first_text(blob).endswith(CERTIFICATE):
        raise ValueError("not a certificate of a known type")
    fields.string()  # the nonce
    public = [fields.string() for _ in range(_KEY_FIELDS.get(kind, _ECDSA_FIELDS))]
    fields.take(8)  # the serial number
    for_host = struct.unpack(">I", fields.take(4))[0] == _HOST
    fields.string()  # the key's id
    principals = _texts(fields.string())
    valid = struct.unpack(">QQ", fields.take(16))
    critical_options, _extensions, _reserved = (fields.string() for _ in range(3))
    authority = fields.string()
    signed = blob[: fields.at]
    signature = fields.string()
    if fields.at != len(blob):
        raise ValueError("bytes are left over")
    return Certificate(
        key=Key(kind, b"".join(map(_as_string, (kind.encode(), *public)))),
        authority=Key(_first_text(authority), authority),
        for_host=for_host,
        principals=principals,
        valid=(valid[0], valid[1]),
        critical_options=critical_options,
        signed=signed,
        signature=signature,
    )


def read(path: Path) -> tuple[str, bytes]:
    """A certificate's type and bytes from its file, such as ``id_ed25519-cert.pub``.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no certificate.
    """
    with path.open("rb") as file:
        words = file.read(_LARGEST).split(maxsplit=2)
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        raise ValueError("not a certificate") from None
    parse(blob)
    return _first_text(blob), blob


@dataclass(slots=True)
class _Fields:
    """Takes one field after the other; unlike paramiko's, it knows where they end."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise ValueError("cut short")
        taken, self.at = self.data[self.at : end], end
        return taken

    def string(self) -> bytes:
        return self.take(int(struct.unpack(">I", self.take(4))[0]))

    def text(self) -> str:
        return self.string().decode("utf-8", "replace")


def _texts(data: bytes) -> tuple[str, ...]:
    fields = _Fields(data)
    found = []
    while fields.at < len(data):
        found.append(fields.text())
    return tuple(found)


def _first_text(data: bytes) -> str:
    return _Fields(data).text()


def _as_string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
