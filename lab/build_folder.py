"""A folder to build an image in, removed afterwards; never through what is mounted in it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lab import paths
from lab.process import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "build-"


@contextmanager
def build_folder() -> Iterator[Path]:
    """A new folder in the cache, with those gone that a killed build left; one build at a time.

    Another build waits for the end of this one, whatever it builds: what it finds is left over.
    debootstrap mounts the guest's /proc and /sys there. A build that fails leaves them mounted, so
    they are unmounted before the folder is removed.

    Raises:
        LabError: Something stays mounted; the folder is left alone then.
    """
    with paths.locked("build"):
        yield from _alone()


def _alone() -> Iterator[Path]:
    for left in paths.CACHE.glob(f"{PREFIX}*"):
        remove(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=paths.CACHE))
    try:
        yield folder
    except BaseException as error:
        try:
            remove(folder)
        except LabError as also:
            # What went wrong first is what has to be read.
            error.add_note(str(also))
        raise
    remove(folder)


def remove(folder: Path) -> None:
    """Unmounts what is mounted in a folder, and removes it.

    Raises:
        LabError: Something stays mounted.
    """
    for place in reversed(mounted(folder)):
        subprocess.run(["umount", place], capture_output=True, check=False, timeout=60)
    if left := mounted(folder):
        raise LabError(
            f"{folder} is kept, for {' and '.join(map(str, left))} cannot be unmounted;"
            " end what uses it, then: umount " + " ".join(map(str, reversed(left)))
        )
    shutil.rmtree(folder)


def mounted(folder: Path) -> list[Path]:
    """What is mounted in a folder, in the order of mounting (proc(5), mountinfo).

    >>> mounted(Path("/proc/self/fd"))
    []
    """
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    # Blanks in a name are written as \040, as in fstab(5).
    places = [
        Path(line.split(" ")[4].encode().decode("unicode_escape", errors="replace"))
        for line in lines
    ]
    return [place for place in places if place.is_relative_to(folder.resolve())]
