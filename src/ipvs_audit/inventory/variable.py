"""One variable of a host, or one setting that stands in for it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Variable:
    """A value as Ansible resolved it: plain Python data, and where it was written.

    Attributes:
        value: may be a secret.
        place: ``file:line:column``, or the environment variable; empty where Ansible did not say.
    """

    value: object = field(repr=False)
    place: str = ""
