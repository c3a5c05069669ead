"""Files and directories that only their owner may read, whatever the umask says.

Evidence holds whole files of hosts that only root may read there.

>>> oct(directory_mode(0o640))
'0o750'
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

#: Files; directories have :func:`directory_mode` of it.
OWNER_ONLY = 0o600


def directory_mode(mode: int) -> int:
    """The mode of a directory whose files have that mode: who may read them may enter it."""
    return mode | (mode & 0o444) >> 2


def make_directories(path: Path, mode: int = OWNER_ONLY) -> None:
    """Make a directory and its parents for files of that mode; those that exist stay as they are.

    Raises:
        OSError: one of them cannot be made.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        try:
            each.mkdir(mode=0o700)
        except FileExistsError:  # another run has made it meanwhile
            continue
        each.chmod(directory_mode(mode))


def new_file(path: Path) -> BinaryIO:
    """Open a new file of the owner's for writing; what has the name already is removed, not opened.

    Raises:
        OSError: it cannot be created.
    """
    path.unlink(missing_ok=True)
    return first_file(path)


def first_file(path: Path) -> BinaryIO:
    """Open a file of the owner's for writing, of a name that nothing has yet, be it a link.

    Raises:
        FileExistsError: something has it.
        OSError: it cannot be created.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb")


def set_modes(directory: Path, mode: int) -> None:
    """Give a directory and all that is in it the mode that they are to have.

    Raises:
        OSError: a mode cannot be set.
    """
    for path in (directory, *directory.rglob("*")):
        path.chmod(directory_mode(mode) if path.is_dir() else mode)
