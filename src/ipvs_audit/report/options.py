"""What a run writes besides the reports that it always writes, as the command line says it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.model.private_files import OWNER_ONLY
from ipvs_audit.report.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What to write.

    Attributes:
        formats: names of :data:`FORMATS`, in their order.
        junit_split: hosts a JUnit file; 0 = all in junit.xml.
        sign: the SSH key that signs the manifest; None = unsigned.
        mode: of the files; None = the owner's alone or, rendered in place, as it was.
    """

    formats: tuple[str, ...] = ()
    junit_split: int = 0
    sign: Path | None = None
    mode: int | None = None

    @classmethod
    def chosen(
        cls,
        formats: Iterable[tuple[str, ...]],
        junit_split: int,
        sign: Path | None,
        mode: int | None,
    ) -> Outputs:
        """From the options; ``--format`` may be given several times."""
        asked = {name for names in formats for name in names}
        names = tuple(name for name in FORMATS if name in asked)
        return cls(names, junit_split, sign, mode)


def add_output_options(add: Callable[..., object]) -> None:
    """Declare the options of :class:`Outputs`.

    Args:
        add: ``add_argument`` of argparse, or pytest's ``addoption``.
    """
    add(
        "--format",
        action="append",
        default=[],
        type=_formats,
        metavar="LIST",
        help=f"write these too: {', '.join(FORMATS)} (comma-separated or repeated)",
    )
    add(
        "--junit-split",
        type=_hosts,
        default=0,
        metavar="N",
        help="write junit-001.xml ..., N hosts each, instead of junit.xml",
    )
    add("--sign", metavar="KEY", help="sign the manifest with this SSH key (ssh-keygen -Y sign)")
    add_report_mode(add)


def add_report_mode(add: Callable[..., object]) -> None:
    """Declare who may read what is written."""
    add(
        "--report-mode",
        type=_mode,
        metavar="MODE",
        help="who may read the files: 600 (default), 640 (the group) or 644 (everybody);"
        " they hold root-only files of hosts",
    )


def _mode(text: str) -> int:
    modes = {"600": 0o600, "640": 0o640, "644": 0o644}
    if (mode := modes.get(text.removeprefix("0"))) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a mode of reports: {', '.join(modes)}")
    return mode


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if unknown := [name for name in names if name not in FORMATS]:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is not a format; formats are {', '.join(FORMATS)}"
        )
    return names


def _hosts(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hosts: 1 or more")
    return int(text)


def found_in(directory: Path) -> Outputs:
    """What a run's directory shows that it was written with, but for the key."""
    first = directory / "junit-001.xml"
    return Outputs(
        tuple(name for name, each in FORMATS.items() if (directory / each.file).exists()),
        first.read_bytes().count(b"<testsuite ") if first.exists() else 0,
        mode=OWNER_ONLY | directory.stat().st_mode & 0o044,
    )
