"""The version of an installed package, with the distribution's release.

>>> parse_package_version("3.3.15-8.el8")
PackageVersion(upstream=(3, 3, 15), release='8.el8', epoch=0)
>>> str(parse_package_version("2:4.0.2-3"))
'2:4.0.2-3'
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(
    r"(?:([0-9]{1,9}):)?([0-9]{1,9}(?:\.[0-9]{1,9})*)(?:-?((?<=-)\w[\w.~+^-]*|[~+^][\w.~+^-]*))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PackageVersion:
    """A package's version.

    Attributes:
        upstream: as the project counts, e.g. ``(3, 3, 15)``.
        release: the rest, as the distribution counts, e.g. ``8.el8``; empty where none is given.
        epoch: what dpkg and rpm put before a colon; 0 for none.
    """

    upstream: tuple[int, ...]
    release: str = ""
    epoch: int = 0

    def __str__(self) -> str:
        """The version as dpkg and rpm write it."""
        before = f"{self.epoch}:" if self.epoch else ""
        joint = "-" if self.release and self.release[0] not in "~+^" else ""
        return f"{before}{'.'.join(map(str, self.upstream))}{joint}{self.release}"


def parse_package_version(text: str) -> PackageVersion:
    """Read a version with or without a release.

    Raises:
        ValueError: it does not start with numbers joined by dots, or holds odd characters.
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a version such as 3.3.17 or 3.3.15-8.el8")
    upstream = tuple(int(part) for part in found[2].split("."))
    return PackageVersion(upstream, found[3] or "", int(found[1] or 0))
