"""What a collecting process does, from its fork to its end."""

from __future__ import annotations

import builtins
import contextlib
import json
import logging
import select
import signal
import warnings
from typing import TYPE_CHECKING, TextIO

from ipvs_audit.probe.process_pipe import Kind, Sender
from ipvs_audit.snapshot import store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from ipvs_audit.snapshot import Failure, Snapshot

#: The signals that end a run: the process that started this one takes them, and tells it.
_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Let signals that end a run do so when this is over: no process shall start unnoticed.

    To block them would not do where other threads run: Python runs a handler in the main thread,
    whichever of them the kernel gave the signal to. To be called there.
    """
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = [number for number in _SIGNALS if before[number] not in {signal.SIG_IGN, None}]
    try:
        for number in reversed(taken):
            signal.signal(number, lambda which, _: came.append(which))
        yield
    finally:
        for number in taken:  # that of Ctrl-C last, which could cut this short
            signal.signal(number, before[number])
        for each in came:
            signal.raise_signal(each)


def work(
    results: Callable[[Callable[[], bool]], Generator[Snapshot | Failure, None, None]],
    pipe: int,
    control: int,
) -> None:
    """Collect, and send what each host gave.

    Args:
        results: collects; is given what tells that it shall stop.
        pipe: where to send it.
        control: a descriptor that comes to its end when the run ends, also where it is killed.
    """
    _leave_signals()
    sender = Sender(pipe)
    _report_elsewhere(sender)
    end = select.poll()
    end.register(control, select.POLLIN)
    try:
        with contextlib.closing(results(lambda: bool(end.poll(0)))) as found:
            for evidence in found:
                sender.send(Kind.EVIDENCE, store.to_line(evidence))
    except (KeyboardInterrupt, BrokenPipeError):
        return
    except Exception as fault:
        sender.send(Kind.FAULT, type(fault).__name__.encode())  # its text may hold a secret
        raise


def _leave_signals() -> None:
    """Do nothing on Ctrl-C, which reaches every process. Programs started here do not ignore it."""
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def _report_elsewhere(sender: Sender) -> None:
    """Let log lines and warnings come out where they would without processes."""
    logging.getLogger().handlers[:] = [_Handler(sender)]

    def send(  # noqa: PLR0917  # as warnings calls it
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001  # a name that callers may use
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        kind = next(each for each in category.__mro__ if each.__module__ == "builtins")
        told = {"text": str(message), "category": kind.__name__, "place": [filename, lineno]}
        with contextlib.suppress(BrokenPipeError):
            sender.send(Kind.WARNING, json.dumps(told).encode())

    warnings.showwarning = send


class _Handler(logging.Handler):
    def __init__(self, sender: Sender) -> None:
        super().__init__()
        self._sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        told = {
            "name": record.name,
            "levelno": record.levelno,
            "levelname": record.levelname,
            "pathname": record.pathname,
            "lineno": record.lineno,
            "msg": record.getMessage(),
        }
        with contextlib.suppress(BrokenPipeError):
            self._sender.send(Kind.LOG, json.dumps(told).encode())


def tell(kind: Kind, body: bytes) -> None:
    """Let a log line or a warning of another process come out here."""
    told = json.loads(body)
    if kind == Kind.LOG:
        logging.getLogger(told["name"]).handle(logging.makeLogRecord(told))
    else:
        warnings.warn_explicit(told["text"], getattr(builtins, told["category"]), *told["place"])
