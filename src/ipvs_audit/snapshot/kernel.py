"""The kernel: its release, its generation, and what is known of its ip_vs module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel release, e.g. ``5.10.134-16.3.al8.x86_64`` on ``x86_64``."""

    release: str
    arch: str


@dataclass(frozen=True, slots=True)
class Module:
    """The state of ip_vs.

    Attributes:
        state: ``loaded`` (as a module), ``builtin``, ``available`` (a file for this kernel, not
            loaded), ``absent`` (neither), ``unknown`` (not loaded; /lib/modules not readable).
        file: the module file, or None.
        knows_switch: whether the module file holds the string ``run_estimation``: the switch's
            name; None where it could not be read.
        refcount: users of the loaded module; None where not loaded.
        kthreads: names of the estimator threads seen (``ipvs-e:0:0``), empty before Linux 6.2.
    """

    state: Literal["loaded", "builtin", "available", "absent", "unknown"]
    file: str | None
    knows_switch: bool | None
    refcount: int | None
    kthreads: tuple[str, ...]

    @property
    def loaded(self) -> bool:
        """Whether ip_vs runs, as a module or built in."""
        return self.state in ("loaded", "builtin")
