"""A cache for what many threads ask for at the same moment."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

Asked = TypeVarTuple("Asked")
T = TypeVar("T")


def computed_once(
    most: int = 1,
) -> Callable[[Callable[[*Asked], T]], Callable[[*Asked], T]]:
    """``functools.lru_cache`` for which one thread computes a result while the others wait for it.

    Of functools' own caches each thread that asks before the first result is there computes one of
    its own: hosts that are collected together did the work of a whole run each. Who asks for
    something else does not wait. An exception is not kept: the next one tries for itself.

    >>> @computed_once()
    ... def read(name: str) -> str:
    ...     print("reading", name)
    ...     return name.upper()
    >>> read("a"), read("a")
    reading a
    ('A', 'A')

    Args:
        most: results that are kept; those not asked for the longest go first.

    Returns:
        What decorates a function whose arguments are hashable, and which does not call itself.
    """

    def decorate(function: Callable[[*Asked], T]) -> Callable[[*Asked], T]:
        cached = functools.lru_cache(maxsize=most)(function)
        guard = threading.Lock()
        under_way: dict[object, threading.Lock] = {}

        @functools.wraps(function)
        def ask(*asked: *Asked) -> T:
            with guard:
                lock = under_way.setdefault(asked, threading.Lock())
            try:
                with lock:
                    return cached(*asked)
            finally:
                with guard:
                    under_way.pop(asked, None)

        return ask

    return decorate
