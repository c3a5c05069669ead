"""The file of RevokedHostKeys: keys that no host may show (ssh_config(5))."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ipvs_audit.transport.ssh.known_hosts import Key

_KRL_MAGIC = b"SSHKRL\n\0"


def refuse(where: str, path: Path, keys: Iterable[Key]) -> None:
    """Refuse a host by its key or its certificate's authority. OpenSSH does so without the file.

    Args:
        where: the host as messages name it.
        path: the file: a public key a line.
        keys: what the host showed.

    Raises:
        TransportError: a key is in the file, or the file cannot be read or is a KRL.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TransportError(
            "host-key", f"{where}: RevokedHostKeys {path}: {error.strerror}; no host key is valid"
        ) from None
    if content.startswith(_KRL_MAGIC):
        raise TransportError(
            "host-key",
            f"{where}: use --transport openssh, or list public keys in RevokedHostKeys {path}: "
            "it is a KRL, which only OpenSSH's client reads",
        )
    revoked = {blob for line in content.splitlines() if (blob := _blob(line))}
    for key in keys:
        if key.blob in revoked:
            raise TransportError(
                "host-key",
                f"{where}: its {key.type} key {key.fingerprint} is revoked in {path}; it must not "
                "be trusted again: create a new host key on the host",
            )


def is_krl(path: Path) -> bool:
    """Whether it is a file that only OpenSSH can read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_KRL_MAGIC)) == _KRL_MAGIC
    except OSError:
        return False


def _blob(line: bytes) -> bytes:
    """The key of a line; empty where there is none."""
    words = line.split()
    if len(words) < 2 or words[0].startswith(b"#"):  # noqa: PLR2004
        return b""
    try:
        return base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return b""
