"""The files of an inventory: that they can be read, and their digest."""

from __future__ import annotations

import hashlib
import os
import stat
from codecs import BOM_UTF8
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.inventory.errors import InventoryError
from ipvs_audit.model import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_VARIABLES = ("group_vars", "host_vars")


def is_host_list(source: str) -> bool:
    """Whether a source names hosts (``web1,web2,``) rather than a file."""
    return "," in source and not Path(source).exists()


def checked_sources(sources: Sequence[str]) -> tuple[str, ...]:
    """The sources as Ansible gets them: absolute paths, and lists of hosts as they are.

    Raises:
        InventoryError: for a source that is not there, or that nobody can read.
    """
    if not sources:
        raise InventoryError("no inventory was given: use --inventory PATH")
    if not all(source.strip() for source in sources):
        raise InventoryError("an --inventory is empty: give a path, or leave it out")
    return tuple(
        source if is_host_list(source) else str(_checked(Path(source).expanduser(), source))
        for source in sources
    )


def files_read(source: str) -> Iterator[tuple[str, Path]]:
    """Every file that a source may be made of, as (name within it, path), in a fixed order.

    A file brings the ``group_vars`` and ``host_vars`` beside it; a directory all that is in it.
    Hidden files are left out, as Ansible does.
    """
    path = Path(source)
    if path.is_dir():
        yield from _below(path, path)
        return
    yield path.name, path
    for folder in _VARIABLES:
        yield from _below(path.parent / folder, path.parent)


def digest(sources: Sequence[str], outcome: bytes) -> str:
    """The sha256 of an inventory: the names and contents of its files, in the order given.

    It does not depend on where the files lie.

    Args:
        sources: as :func:`checked_sources` gives them.
        outcome: what came of sources that are programs; empty where there are none.

    Raises:
        InventoryError: for a file that nobody can read.
    """
    whole = hashlib.sha256()
    for source in sources:
        if is_host_list(source):
            whole.update(b"hosts\0" + source.encode() + b"\0")
            continue
        for name, path in files_read(source):
            try:
                with path.open("rb") as opened:
                    content = hashlib.file_digest(opened, "sha256").digest()
            except OSError as error:
                raise _unreadable(path, error) from error
            whole.update(b"file\0" + os.fsencode(name) + b"\0" + content)
    whole.update(b"outcome\0" + outcome)
    return whole.hexdigest()


def is_program(source: str) -> bool:
    """Whether what a source says can change while its files do not: scripts, plugin configs."""
    if is_host_list(source):
        return False
    path = Path(source)
    candidates = [p for _, p in _below(path, path)] if path.is_dir() else [path]
    return any(os.access(each, os.X_OK) or _names_a_plugin(each) for each in candidates)


def is_script(path: Path) -> bool:
    """Whether a file is a program with a ``#!`` line, rather than data with a stray x bit."""
    try:
        with path.open("rb") as opened:
            return os.access(path, os.X_OK) and opened.read(2) == b"#!"
    except OSError:
        return False


def _checked(path: Path, given: str) -> Path:
    try:
        kind = path.stat()
    except FileNotFoundError:
        hint = "" if "/" in given or "." in given else f" (for one host: '{given},')"
        raise InventoryError(f"{given}: no such inventory{hint}") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not (stat.S_ISREG(kind.st_mode) or stat.S_ISDIR(kind.st_mode)):
        raise InventoryError(
            f"{given}: an inventory is a file or a directory; write this stream to a file first"
        )
    if not os.access(path, os.R_OK):
        raise InventoryError(f"{given}: cannot read the inventory: permission denied")
    if stat.S_ISREG(kind.st_mode) and kind.st_size > limits.INVENTORY_SIZE:
        raise _too_large(given, kind.st_size)
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links


def _below(folder: Path, base: Path) -> Iterator[tuple[str, Path]]:
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(here, name)
            if not name.startswith(".") and _is_file(path):
                yield str(path.relative_to(base)), path


def _is_file(path: Path) -> bool:
    """Whether it is a file that Ansible may read; false for a link to nothing.

    Raises:
        InventoryError: it is a pipe or a device, whose reading may never end, or too large.
    """
    try:
        kind = path.stat()
    except OSError:
        return False
    if not stat.S_ISREG(kind.st_mode):
        raise InventoryError(f"{path}: remove it: it is neither a file nor a directory")
    if kind.st_size > limits.INVENTORY_SIZE:
        raise _too_large(path, kind.st_size)
    return True


def _too_large(path: Path | str, size: int) -> InventoryError:
    return InventoryError(
        f"{path}: {size:,} bytes is too large for an inventory "
        f"(limit {limits.INVENTORY_SIZE:,}): split it into a directory"
    )


def _names_a_plugin(path: Path) -> bool:
    if path.suffix not in {".yml", ".yaml", ".json", ""}:
        return False
    try:
        with path.open("rb") as opened:
            head = opened.read(64 * 1024)
    except OSError:
        return False
    lines = head.removeprefix(BOM_UTF8).splitlines()
    return any(line.startswith((b"plugin:", b'"plugin"')) for line in lines)


def _unreadable(path: Path, error: Exception) -> InventoryError:
    why = getattr(error, "strerror", None) or str(error)
    return InventoryError(f"{path}: cannot read the inventory: {why.lower()}")
