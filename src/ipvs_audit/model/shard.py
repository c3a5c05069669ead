"""Parts of a fleet that are audited apart: which host belongs to which, and what a part tells.

A host's shard follows from its name alone, so it never moves when another host comes or goes.

>>> Shard(3, 16).holds("lb1.example.com"), Shard.of("lb1.example.com", 16)
(False, 8)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from ipvs_audit.model.fields import Count, Moment, Text  # noqa: TC001  # pydantic reads it

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
        raise ValueError(f"{text!r} is not a shard: give K/N, e.g. 2/4")

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
class ShardPlace:
    """Where a run of one shard belongs in its fleet, so that all shards can be merged."""

    number: Annotated[int, Field(ge=1)]
    count: Annotated[int, Field(ge=1)]
    limit: Annotated[Text, Field(description="--limit as it was given; or empty")]
    total: Annotated[Count, Field(description="hosts of all shards together")]
    sha256: Annotated[
        str, Field(description="of their names, in inventory order, each with a NUL behind")
    ]
    places: Annotated[
        tuple[Count, ...], Field(description="positions of this run's hosts among them, from 0")
    ]

    @property
    def shard(self) -> Shard:
        """Which one it is."""
        return Shard(self.number, self.count)


@dataclass(frozen=True, slots=True)
class MergedShard:
    """One run of those that a merged run was made from."""

    shard: Annotated[str, Field(description="K/N")]
    limit: Annotated[str, Field(description="its --limit; or empty")]
    hosts: Annotated[Count, Field(description="how many hosts it brought")]
    id: str
    started: Moment
    finished: Moment
    operator: str
    controller: str
    argv: tuple[str, ...]
    sha256: Annotated[str, Field(description="of its results.json")]


def names_digest(names: Iterable[str]) -> str:
    """The sha256 of host names in their order, each with a NUL behind it."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
