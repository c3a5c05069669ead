"""What is tried: a tree, and how ip_vs is then loaded."""

from __future__ import annotations

from dataclasses import dataclass, field

EXECUTABLE = "# executable\n"
"""The first line of a file that is executable and no script: the kernel cannot start it."""


@dataclass(frozen=True)
class TrialCase:
    """A tree to install, and how ip_vs is then loaded.

    Attributes:
        number: of the case within its seed.
        files: content by path without leading slash.
        links: target by path.
        trigger: what is loaded: ``ip_vs`` or a module that needs it.
        softdep: what modules.softdep beside modules.dep says of ip_vs, ``pre: nf_nat``.
    """

    number: int
    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    trigger: str = "ip_vs"
    softdep: str = ""
