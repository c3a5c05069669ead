"""Where the lab keeps things: images and saved guests by key, runs by name."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("IPVS_AUDIT_LAB_CACHE") or HERE.parent / ".cache" / "lab").absolute()
RUN = CACHE / "run"
"""The fleet that `lab up` started."""

INVENTORY = HERE.parent / "inventories" / "lab.yml"
"""Leads to that fleet's inventory while it is up; kept out of git."""


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds a lock of the cache, so that two sessions never build the same thing at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def used(folder: Path) -> None:
    """Remembers that something in the cache was wanted now; harmless where that is not ours."""
    with suppress(OSError):
        os.utime(folder)


def prune(folder: Path, days: float = 3) -> None:
    """Removes what stands in a folder of the cache and was not wanted for some days."""
    oldest = time.time() - days * 86400
    for path in folder.iterdir():
        if path.is_dir() and path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)
