"""The keys to log in with: certificates, key files, the agent's."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import PublicBlob

from ipvs_audit.model.computed_once import computed_once
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.ssh import certificate
from ipvs_audit.transport.ssh.agent import agent_keys

if TYPE_CHECKING:
    from collections.abc import Generator

    from ipvs_audit.transport.deadline import Deadline
    from ipvs_audit.transport.ssh.hop import Hop


def offered_keys(
    hop: Hop, deadline: Deadline, notes: list[str]
) -> Generator[tuple[str, paramiko.PKey]]:
    """Keys to offer, by the names that messages give them; the agent's sign until it is closed.

    The order is OpenSSH's but for the agent's keys that no file names, which come last: keys with
    certificates, agent keys that a file names, files, other agent keys.

    Args:
        hop: the server, with the files that ssh_config names for it.
        deadline: for the agent's answer.
        notes: why a key or certificate is not offered is added here.
    """
    files: list[tuple[str, paramiko.PKey]] = []
    public: set[bytes] = set()
    for path in hop.key_files:
        try:
            key = load_key(path)
        except TransportError as error:
            notes.append(error.message)
            public |= _public_half(path)
        else:
            files.append((f"key {path}", key))
            public.add(key.asbytes())
    loaded = {key.asbytes() for _, key in files}
    with contextlib.ExitStack() as stack:
        held: tuple[paramiko.PKey, ...] = ()
        if hop.agent is not None:
            held = stack.enter_context(agent_keys(hop.agent, deadline))
        named = [key for key in held if key.asbytes() in public - loaded]
        others = [key for key in held if key.asbytes() not in public and not hop.identities_only]
        of_agent = [
            [(f"agent key {key.get_name()}", key) for key in keys] for keys in (named, others)
        ]
        plain = [*of_agent[0], *files, *of_agent[1]]
        yield from _certified(hop, [key for _, key in plain], notes)
        yield from plain


def _certified(
    hop: Hop, keys: list[paramiko.PKey], notes: list[str]
) -> Generator[tuple[str, paramiko.PKey]]:
    """The keys for which there is a certificate: of CertificateFile, or beside the key's file."""
    beside = (path.with_name(f"{path.name}-cert.pub") for path in hop.key_files)
    for path in dict.fromkeys((*hop.certificates, *filter(Path.exists, beside))):
        try:
            kind, blob = certificate.read(path)
        except OSError as error:
            notes.append(f"certificate {path}: {error.strerror}")
            continue
        except ValueError:
            notes.append(f"certificate {path}: not a usable certificate")
            continue
        wanted = certificate.parse(blob).key.blob
        key = next((key for key in keys if key.asbytes() == wanted), None)
        if key is None:
            notes.append(f"certificate {path}: there is no key for it")
        else:
            yield f"certificate {path}", _with_certificate(key, kind, blob)


def _with_certificate(key: paramiko.PKey, kind: str, blob: bytes) -> paramiko.PKey:
    """Another one of the same key, which shows the certificate; the key stays as it is."""
    if isinstance(key, paramiko.AgentKey):
        signing: paramiko.PKey = paramiko.AgentKey(key.agent, key.blob, key.comment)
    else:
        signing = copy.copy(key)
    signing.public_blob = PublicBlob(kind, blob)
    return signing


def load_key(path: Path) -> paramiko.PKey:
    """A private key from its file. Cached, and without the certificate beside it.

    Raises:
        TransportError: it is missing, unreadable, encrypted or of an unsupported type.
    """
    try:
        mark = path.stat().st_mtime_ns
        return _load_cached(path, mark)
    except OSError as error:
        raise TransportError("authentication", f"key {path}: {error.strerror}") from None


@computed_once(64)
def _load_cached(path: Path, _mark: int) -> paramiko.PKey:
    try:
        key: paramiko.PKey = paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError):
        raise TransportError(
            "authentication", f"key {path}: encrypted; load it into ssh-agent (ssh-add)"
        ) from None
    except (
        ValueError,
        paramiko.SSHException,
        paramiko.pkey.UnknownKeyType,
        UnsupportedAlgorithm,
    ) as error:
        if "encrypted" in str(error).lower() or "password" in str(error).lower():
            raise TransportError(
                "authentication", f"key {path}: encrypted; load it into ssh-agent (ssh-add)"
            ) from None
        raise TransportError("authentication", f"key {path}: not a usable private key") from None
    key.public_blob = None
    return key


def _public_half(path: Path) -> set[bytes]:
    """The public key beside a private one (or in its place), to find it in the agent."""
    for each in (path.with_name(path.name + ".pub"), path):
        try:
            words = each.read_text(encoding="utf-8").split()
            return {paramiko.PublicBlob.from_string(" ".join(words[:2])).key_blob}  # type: ignore[attr-defined]
        except (OSError, ValueError, AttributeError, IndexError):
            continue
    return set()
