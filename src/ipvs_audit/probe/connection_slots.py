"""Limits how many hosts are being connected to at a time, whatever else is under way.

>>> slots = ConnectionSlots(1)
>>> slots.try_acquire("web1"), slots.try_acquire("web2")
(True, False)
>>> slots.release("web1")
>>> slots.try_acquire("web2")
True
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class ConnectionSlots:
    """A number of slots, each held by one owner; shared between threads.

    Args:
        count: how many there are.
        on_release: called in the releasing thread; a slot may be free then.
    """

    def __init__(self, count: int, on_release: Callable[[], object] = lambda: None) -> None:
        self._count = count
        self._on_release = on_release
        self._holders: set[Hashable] = set()
        self._waiting = 0
        self._changed = threading.Condition()

    def try_acquire(self, owner: Hashable) -> bool:
        """Take a slot if one is free that nobody waits for."""
        with self._changed:
            free = len(self._holders) + self._waiting < self._count
            if free:
                self._holders.add(owner)
            return free

    def acquire(self, owner: Hashable, timeout: float, given_up: Callable[[], bool]) -> bool:
        """Take a slot, or keep the one already held; false where none became free in time.

        Args:
            owner: holds it then.
            timeout: seconds to wait.
            given_up: asked after every release; true ends the wait.
        """
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(
                    lambda: (
                        given_up() or owner in self._holders or len(self._holders) < self._count
                    ),
                    timeout,
                )
            finally:
                self._waiting -= 1
            if given_up() or (owner not in self._holders and len(self._holders) >= self._count):
                return False
            self._holders.add(owner)
            return True

    def release(self, owner: Hashable) -> None:
        """Give the slot back; nothing happens where none is held."""
        with self._changed:
            self._holders.discard(owner)
            self._changed.notify_all()
        self._on_release()
