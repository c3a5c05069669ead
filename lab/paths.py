"""Where the lab keeps things: images and saved guests by key, runs by name."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("IPVS_AUDIT_LAB_CACHE") or HERE.parent / ".cache" / "lab").absolute()
RUN = CACHE / "run"
"""The fleet that `lab up` started."""


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds a lock of the cache, so that two sessions never build the same thing at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
