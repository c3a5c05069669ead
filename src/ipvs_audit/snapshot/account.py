"""Whom the probe ran as, and what that account could not see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ipvs_audit.snapshot.section import Facts, Section, read_facts

_KEYS = frozenset(("uid", "user", "sudo-user", "shell", "ticks"))
_BLIND = "blind="


@dataclass(frozen=True)
class Account:
    """The account, read from the section when it is asked for.

    Every property may raise :class:`GarbledEvidenceError`; a line that does not parse spoils none
    but its own.
    """

    section: Section

    @cached_property
    def _facts(self) -> Facts:
        lines = (line for line in self.section.lines() if not line.startswith(_BLIND))
        return read_facts(replace(self.section, output="\n".join(lines)), _KEYS)

    @property
    def root(self) -> bool:
        """Whether the probe's effective user was root."""
        return self._facts.number("uid") == 0

    @property
    def user(self) -> str:
        """The effective user, as evidence shows it: ``root (uid 0)``."""
        return f"{self._facts.get('user') or 'nameless'} (uid {self._facts.number('uid')})"

    @property
    def cpu_seconds(self) -> float | None:
        """CPU that the probe itself used on the host, children included."""
        return None if self._facts.get("ticks") is None else self._facts.number("ticks") / 100

    @property
    def blind(self) -> tuple[str, ...]:
        """What the probe could not see, and why, one sentence each."""
        if self._facts.odd is not None:
            raise self.section.garbled_line(self._facts.odd)
        lines = (line for line in self.section.lines() if line.startswith(_BLIND))
        return tuple(line.removeprefix(_BLIND) for line in lines)
