"""An executor that gives every call a thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Executor):
    """Starts a daemon thread per call; who submits decides how many run at a time.

    Unlike ThreadPoolExecutor's, its threads can be given up on: one that hangs in a library call
    takes no other host's place, and does not keep the interpreter from ending.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a call at once."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  # the future carries it on
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=run, name="ipvs-audit-collect", daemon=True).start()
        return future
