"""The manifest's OpenSSH signature: ``ssh-keygen -Y sign`` and ``-Y verify``.

It covers the whole run, since the manifest covers every file. See docs/reports.md.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.model.limits import MANIFEST_FILE
from ipvs_audit.model.regular_file import read_regular
from ipvs_audit.model.sanitise import clipped, one_line
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.report.manifest import NAME, SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the signature is for: one made for something else is not accepted.
NAMESPACE = "ipvs-audit"
_PATIENCE = 60


class SignatureError(UsageError):
    """A key that cannot sign, or a signature that is not valid; says why and what to do."""


def check_key(key: Path | None) -> None:
    """Sign nothing in particular, so that a key that cannot sign is found before the audit.

    Raises:
        SignatureError: it cannot.
    """
    if key is not None:
        with tempfile.TemporaryDirectory(prefix="ipvs-audit-") as place:
            Path(place, NAME).write_bytes(b"")
            sign(Path(place), key)


def sign(directory: Path, key: Path) -> Path:
    """Sign the manifest of a run.

    Args:
        directory: the run's directory.
        key: a private key without a passphrase, or a public one whose private half ssh-agent holds.

    Raises:
        SignatureError: ssh-keygen is not there, or cannot sign with the key.
    """
    if not key.expanduser().is_file():
        raise SignatureError(f"--sign {key}: no such key")
    signature = directory / SIGNATURE
    signature.unlink(missing_ok=True)
    _run(
        ["-Y", "sign", "-n", NAMESPACE, "-f", str(key.expanduser()), str(directory / NAME)],
        f"--sign {key}: ssh-keygen cannot sign with it",
        "give a key without a passphrase, or load it into ssh-agent and give its public half",
    )
    return signature


def verify(directory: Path, allowed: Path, identity: str | None) -> str:
    """Verify the signature of a run.

    Args:
        directory: the run's directory.
        allowed: an allowed_signers file, see ssh-keygen(1).
        identity: who must have signed; None takes whom the file knows the key by.

    Returns:
        Who signed.

    Raises:
        SignatureError: nobody in the file did, or something else was signed.
    """
    signature = directory / SIGNATURE
    who = identity or _principal(signature, allowed)
    _run(
        ["-Y", "verify", "-n", NAMESPACE, "-f", str(allowed), "-I", who, "-s", str(signature)],
        f"{signature}: is not valid for {who}",
        f"the signer is not in {allowed}, or the manifest was changed",
        read_regular(directory / NAME, MANIFEST_FILE),
    )
    return who


def _principal(signature: Path, allowed: Path) -> str:
    said = _run(
        ["-Y", "find-principals", "-f", str(allowed), "-s", str(signature)],
        f"{signature}: was not made by a signer in {allowed}",
        "add the signer's public key there if it is to be trusted",
    )
    return said.splitlines()[0]


def _run(arguments: Sequence[str], trouble: str, way_out: str, given: bytes = b"") -> str:
    try:
        # A session of its own has no terminal: a passphrase is not asked for, but missed.
        ran = subprocess.run(
            ["ssh-keygen", *arguments],
            input=given,
            capture_output=True,
            timeout=_PATIENCE,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError:
        raise SignatureError(
            "ssh-keygen is not installed: apt-get install openssh-client"
        ) from None
    except subprocess.TimeoutExpired:
        raise SignatureError(f"{trouble}: no answer in {_PATIENCE} s; {way_out}") from None
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        why = clipped(one_line(said[-1]), 300) if said else f"exit {ran.returncode}"
        raise SignatureError(f"{trouble}: {why}; {way_out}")
    return ran.stdout.decode("utf-8", "replace")
