"""The signals that end a run: Ctrl-C, SIGTERM (Jenkins' abort) and SIGHUP (a closed terminal).

The first ends it in order: nothing new is begun, hosts under way are verified or reverted within
``--grace`` seconds, the reports are written. Those that follow only say so again: people press
Ctrl-C twice, Jenkins sends SIGTERM to each process of a build and once more to its children
(``ProcessTree.killRecursively``), and a shell and the kernel both send SIGHUP. Only a person asks
for the end at once: by Ctrl-C, as the third signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ipvs_audit.model.stop_request import StopRequest

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Signals after which the process ends at once, repeated SIGTERM and SIGHUP not counted.
_AT_ONCE = 3
_SHOW_CURSOR = "\x1b[?25h"


class StopSignals:
    """Turns signals into a request to stop, from :meth:`install` on. A plugin of pytest's."""

    def __init__(self, stop: StopRequest, stream: int) -> None:
        """Change nothing yet.

        Args:
            stop: what the run looks at.
            stream: file descriptor to write to: Python's own streams may be what was interrupted.
        """
        self._stop = stop
        #: Not the number itself: pytest puts a file in its place while it captures.
        self._stream = -1
        with contextlib.suppress(OSError):  # started without one
            self._stream = os.dup(stream)
        self._before: dict[int, signal._HANDLER] = {}
        self._count = 0
        #: What to say besides where the process ends at once; empty for nothing.
        self.last_words: Callable[[], str] = lambda: ""

    def install(self) -> None:
        """Take over the signals, but for those that the process was started to ignore (nohup)."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._received)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Once the last test has run, a signal must not keep the reports from being written."""
        try:
            return (yield)
        finally:
            self._stop.raises = False

    def pytest_unconfigure(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        with contextlib.suppress(OSError):
            os.close(self._stream)

    def _received(self, number: int, _frame: object) -> None:
        first = not self._stop.requested
        name = signal.Signals(number).name
        if first or number == signal.SIGINT:
            self._count += 1
            if self._count >= _AT_ONCE:
                self._end_at_once(number, name)
        self._stop.request()
        more = "once" if self._count > 1 else "twice"
        self._say(
            f"{name}: {'' if first else 'already '}ending: nothing new is begun; hosts being"
            f" changed are verified or reverted within {duration(self._stop.left())}, then the"
            f" reports are written; Ctrl-C {more} more ends at once"
        )
        if first and self._stop.raises:
            raise KeyboardInterrupt

    def _end_at_once(self, number: int, name: str) -> None:
        self._say(f"{name}: ended at once, without reports{self.last_words()}")
        if os.isatty(self._stream):
            self._write(_SHOW_CURSOR)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _say(self, text: str) -> None:
        self._write(f"\nipvs-audit: {text}\n")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._stream, text.encode())
