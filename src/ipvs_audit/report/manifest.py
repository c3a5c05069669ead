"""manifest.sha256: the digest of every file of a run, as ``sha256sum -c`` reads it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ipvs_audit.model.limits import MANIFEST_FILE
from ipvs_audit.model.regular_file import open_regular, read_regular
from ipvs_audit.report.errors import ReportError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "manifest.sha256"
#: The signature of the manifest, which cannot list it.
SIGNATURE = f"{NAME}.sig"

_LINE = re.compile(r"([0-9a-f]{64})  ([^/\x00]+)")


def write(directory: Path) -> Path:
    """List every file in the directory with its digest, by name, but the manifest itself.

    Raises:
        OSError: a file cannot be read, or the manifest not be written.
    """
    path = directory / NAME
    lines = [
        f"{sha256(file)}  {file.name}\n"
        for file in sorted(directory.iterdir())
        if file.name not in (NAME, SIGNATURE)
    ]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


def entries(directory: Path) -> dict[str, str]:
    """What the manifest says: file name -> sha256; empty where there is no manifest.

    Raises:
        OSError: it cannot be read.
        ReportError: it is not a manifest.
    """
    path = directory / NAME
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(
        read_regular(path, MANIFEST_FILE).decode("utf-8", "replace").splitlines(), 1
    ):
        read = _LINE.fullmatch(line)
        if read is None or read[2] in found:
            raise ReportError(f"{path}:{number}: not a manifest line, or a duplicate name")
        found[read[2]] = read[1]
    return found


def sha256(path: Path) -> str:
    """A file's digest.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
