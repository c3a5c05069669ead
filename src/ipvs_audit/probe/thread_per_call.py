"""An executor that gives every call a thread of its own."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

#: What a thread is to do next; None ends it.
_Inbox = queue.SimpleQueue["Callable[[], None] | None"]


class ThreadPerCallExecutor(Executor):
    """Gives a call an idle thread, or starts one; who submits decides how many run.

    Unlike ThreadPoolExecutor's, its threads can be given up on: one that hangs in a library call
    keeps no other host waiting, and, a daemon, does not keep the interpreter from ending.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Inbox] = []
        self._over = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a call at once.

        Raises:
            RuntimeError: this machine cannot start more threads.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  # the future carries it on
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = _Inbox()
            threading.Thread(
                target=self._serve, args=(inbox,), name="ipvs-audit-collect", daemon=True
            ).start()
        inbox.put(run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """End idle threads, and the others after their call; wait for none."""
        with self._lock:
            self._over = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _serve(self, inbox: _Inbox) -> None:
        while (run := inbox.get()) is not None:
            run()
            del run
            with self._lock:
                if self._over:
                    return
                self._idle.append(inbox)
