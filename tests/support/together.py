"""Threads that ask for the same thing at the same moment, and what is done for them."""

from __future__ import annotations

import importlib.util
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8


class Together:
    """Calls a function in eight threads; what :meth:`counted` wraps waits until all have called."""

    def __init__(self) -> None:
        self.calls = 0
        self._called = threading.Semaphore(0)

    def counted(self, really: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; its calls are counted, and the first takes until all ask."""

        def instead(*args: Any, **changes: Any) -> Any:
            self.calls += 1
            if self.calls == 1:
                assert all(self._called.acquire(timeout=30) for _ in range(THREADS))
            return really(*args, **changes)

        return instead

    def ask(self, function: Callable[[], Any]) -> list[Any]:
        """What each thread was given."""

        def one(_: int) -> Any:
            self._called.release()
            return function()

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(one, range(THREADS)))


def fresh_copy(module: Any) -> Any:
    """A copy of a module that has been asked nothing yet."""
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_copy", module.__file__)
    copy = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(copy)
    finally:
        del sys.modules[spec.name]
    return copy
