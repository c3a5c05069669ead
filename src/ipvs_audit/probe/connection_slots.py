"""The places of hosts that are being connected to: so many at a time, whatever else is under way.

>>> places = Places(1)
>>> places.enter_now("web1"), places.enter_now("web2")
(True, False)
>>> places.leave("web1")
>>> places.enter_now("web2")
True
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Places:
    """So many places, each held by one who is known by name; shared between threads.

    Args:
        most: how many there are.
        left: told, in the thread of whoever left, that one may be free.
    """

    def __init__(self, most: int, left: Callable[[], object] = lambda: None) -> None:
        self._most = most
        self._left = left
        self._holders: set[Hashable] = set()
        self._waiting = 0
        self._changed = threading.Condition()

    def enter_now(self, who: Hashable) -> bool:
        """Take a place if one is free that nobody waits for."""
        with self._changed:
            free = len(self._holders) + self._waiting < self._most
            if free:
                self._holders.add(who)
            return free

    def enter(self, who: Hashable, patience: float, given_up: Callable[[], bool]) -> bool:
        """Take a place, or keep the one that is held already; wait for it as long as is left.

        Args:
            who: holds it then.
            patience: seconds.
            given_up: asked whenever somebody leaves; true ends the wait.
        """
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(
                    lambda: given_up() or who in self._holders or len(self._holders) < self._most,
                    patience,
                )
            finally:
                self._waiting -= 1
            if given_up() or (who not in self._holders and len(self._holders) >= self._most):
                return False
            self._holders.add(who)
            return True

    def leave(self, who: Hashable) -> None:
        """Give a place back; nothing happens where none is held."""
        with self._changed:
            self._holders.discard(who)
            self._changed.notify_all()
        self._left()
