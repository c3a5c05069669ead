"""manifest.sha256: the digest of every file of a run, as ``sha256sum -c`` reads it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "manifest.sha256"


def write(directory: Path) -> Path:
    """List every file in the directory with its digest, by name, but the manifest itself.

    Raises:
        OSError: a file cannot be read, or the manifest not be written.
    """
    path = directory / NAME
    lines = [
        f"{_sha256(file)}  {file.name}\n"
        for file in sorted(directory.iterdir())
        if file.name != NAME
    ]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
