"""A request to end a run early, and the time that hosts under way have left then.

>>> stop = StopRequest(grace=60)
>>> stop.left()
inf
>>> stop.request()
>>> stop.left() <= 60
True
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.model.limits import STOP_GRACE

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class StopRequest:
    """Whether a run was asked to end. Any thread may look at it.

    Attributes:
        grace: seconds that hosts being changed have, from the request on.
        raises: whether a signal that asks for it raises KeyboardInterrupt in the main thread; false
            where that would leave something half done, and somebody looks at ``requested``.
    """

    grace: float = STOP_GRACE
    raises: bool = True
    _at: float | None = None

    @property
    def requested(self) -> bool:
        """Whether nothing new may begin."""
        return self._at is not None

    def request(self) -> None:
        """Ask for it; a second time changes nothing."""
        if self._at is None:
            self._at = time.monotonic()

    def left(self, share: float = 1.0) -> float:
        """Seconds left of that share of the grace period; infinite without a request."""
        if self._at is None:
            return math.inf
        return max(0.0, self._at + self.grace * share - time.monotonic())

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a request raise KeyboardInterrupt meanwhile: whoever calls this expects it."""
        before, self.raises = self.raises, True
        try:
            yield
        finally:
            self.raises = before
