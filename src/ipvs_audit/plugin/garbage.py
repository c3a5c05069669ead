"""Spares the garbage collector to look through a fleet again and again for garbage there is not.

Evidence, verdicts, tests and reports stay to the end of a run. Each pass over all of them is in
vain, and they are more with each host. Objects that die young are looked at as always.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: Passes over younger objects before one over all: more than any run has.
_NEVER = 1_000_000_000


def expect_none_among_the_old(config: pytest.Config) -> None:
    """From now on to the end of the run, look at young objects only, and at none of those there."""
    gc.freeze()
    young, middle, old = gc.get_threshold()
    if old < _NEVER:
        gc.set_threshold(young, middle, _NEVER)
        config.add_cleanup(lambda: gc.set_threshold(young, middle, old))
