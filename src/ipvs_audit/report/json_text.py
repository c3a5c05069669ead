"""What the JSON formats for other programs (HDF, OSCAL, SARIF) have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ipvs_audit.model.sanitise import clipped, visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Characters of one text; the readers of these formats show no more.
LONGEST = 4_000


def dumped(value: object) -> str:
    """A value as JSON: compact, and ASCII alone."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def said(text: str, otherwise: str = "") -> str:
    """A text of the run as these formats hold it; another in place of an empty one."""
    return clipped(visible(text), LONGEST) or visible(otherwise)


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Write a file as its parts come, so that a large fleet is never held whole.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(parts)
