"""Parts of a fleet that are audited apart: which host belongs to which, and what a part tells.

A host's shard follows from its name alone, so it never moves when another host comes or goes.

>>> Shard(3, 16).holds("lb1.example.com"), Shard.of("lb1.example.com", 16)
(False, 8)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Shard:
    """The ``number``-th of ``count`` shards, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``K/N``.

        Raises:
            ValueError: it is not that, or K is not one of 1 to N.
        """
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise ValueError(f"{text!r} is not a shard: say K/N, e.g. 2/4")

    @staticmethod
    def of(name: str, count: int) -> int:
        """The number of a host's shard: the head of its name's sha256, modulo the count."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % count + 1

    def holds(self, name: str) -> bool:
        """Whether the host of that name belongs here."""
        return self.of(name, self.count) == self.number

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True)
class Part:
    """What a run of one shard tells, so that all of them can be put together again.

    Attributes:
        number, count: the shard.
        limit: ``--limit`` as it was given; empty where there was none.
        total: hosts of all shards together: those of the inventory within the limit.
        sha256: digest of their names; see :func:`names_digest`.
        places: where the hosts of this shard stand among them, from 0, in the order of the run.
    """

    number: int
    count: int
    limit: str
    total: int
    sha256: str
    places: tuple[int, ...]

    @property
    def shard(self) -> Shard:
        """Which one it is."""
        return Shard(self.number, self.count)


@dataclass(frozen=True, slots=True)
class Source:
    """One run of those that a merged run was put together from.

    Attributes:
        shard: ``K/N``.
        limit: its ``--limit``; empty where there was none.
        hosts: how many hosts it brought.
        id, started, finished, operator, controller, argv: as in the run.
        sha256: of its results.json.
    """

    shard: str
    limit: str
    hosts: int
    id: str
    started: str
    finished: str
    operator: str
    controller: str
    argv: tuple[str, ...]
    sha256: str


def names_digest(names: Iterable[str]) -> str:
    """The sha256 of host names in their order, each with a NUL behind it."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
