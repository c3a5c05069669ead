"""How many hosts are changed at a time.

>>> [str(size) for size in parse_batches("1,10%,100%")]
['1', '10%', '100%']
>>> [len(batch) for batch in split_into_batches(list(range(25)), parse_batches("1,10%,100%"))]
[1, 2, 22]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEFAULT_BATCHES = "1,10%,100%"

_SIZE = re.compile(r"([1-9][0-9]{0,5})(%?)")
_WHOLE = 100
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BatchSize:
    """A number of hosts, or a percentage of all that are to be changed."""

    amount: int
    percent: bool

    def __str__(self) -> str:
        return f"{self.amount}{'%' if self.percent else ''}"

    def of(self, total: int) -> int:
        """The number of hosts: at least one."""
        return max(1, total * self.amount // _WHOLE) if self.percent else self.amount


def parse_batches(text: str) -> tuple[BatchSize, ...]:
    """Sizes from a list such as ``1,10%,100%``.

    Raises:
        ValueError: says what is wrong with it.
    """
    found = []
    for word in text.split(","):
        size = _SIZE.fullmatch(word.strip())
        if size is None or (size[2] and int(size[1]) > _WHOLE):
            raise ValueError(
                f"{word.strip()!r} is not a number of hosts or a percentage,"
                f" as in {DEFAULT_BATCHES}"
            )
        found.append(BatchSize(int(size[1]), bool(size[2])))
    return tuple(found)


def split_into_batches(hosts: Sequence[_T], sizes: Sequence[BatchSize]) -> Iterator[Sequence[_T]]:
    """The hosts in batches; the last size holds for all that are left."""
    at = number = 0
    while at < len(hosts):
        size = sizes[min(number, len(sizes) - 1)].of(len(hosts))
        yield hosts[at : at + size]
        at += size
        number += 1
