"""The kernels that guests run: one of each generation of IPVS estimation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """A Debian cloud kernel, named by its series.

    >>> KERNELS["6.1"].suite
    'bookworm'
    """

    series: str
    suite: str
    estimation: str
    """How it estimates: `unswitchable`, `timer` or `kthread`."""


KERNELS = {
    kernel.series: kernel
    for kernel in (
        Kernel("5.10", "bullseye", "unswitchable"),
        Kernel("6.1", "bookworm", "timer"),
        Kernel("6.12", "trixie", "kthread"),
    )
}
