"""Remediation's side of pytest: what cannot be done under it, and the question to the operator."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.plugin.terminal import encodable_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.remedy.options import RemediationOptions


def refuse_unasked(config: pytest.Config, options: RemediationOptions) -> None:
    """Refuse to change hosts without a question, or from several processes.

    Raises:
        pytest.UsageError: says what to do.
    """
    if options.mode and config.option.collectonly:
        raise pytest.UsageError(
            "--collect-only lists checks and contacts no host, so nothing would be planned or"
            " changed: remove it, or the option of the remediation"
        )
    if options.mode and config.pluginmanager.hasplugin("dsession"):
        raise pytest.UsageError("remediation runs in one process: remove -n")
    if options.changes_hosts and not options.yes and not on_terminal(config):
        raise pytest.UsageError("no terminal to ask for confirmation: add --yes")


def on_terminal(config: pytest.Config) -> bool:
    """Whether an operator can be asked."""
    with _users_input(config):
        return os.isatty(0)


def ask(config: pytest.Config, question: str) -> bool:
    """Ask at the terminal; anything but yes is no, also that the terminal is gone."""
    with _users_input(config):
        try:
            sys.stdout.write(encodable_by(sys.stdout, f"{question} [yes/no] "))
            sys.stdout.flush()
            return _line().strip().lower() in (b"yes", b"y")
        except OSError:
            return False


def _line() -> bytes:
    """A line of the terminal, which gives whole lines; empty at the end of its input.

    Not by ``input()``, which a signal does not end that comes between the question and the reading.
    """
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        while 0 not in select.select([0, woken], [], [])[0]:
            os.read(woken, 4096)  # its handler has run, and did not end the run
        return os.read(0, 4096)
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


@contextlib.contextmanager
def _users_input(config: pytest.Config) -> Iterator[None]:
    """The user's own standard input for a while, in place of the one that pytest gives tests.

    Between its hooks pytest captures no output, and so it has to be afterwards: what is told while
    hosts are changed would not be seen until all is done.
    """
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    capture.suspend_global_capture(in_=True)
    try:
        yield
    finally:
        capture.resume_global_capture()  # the only way to give tests their input back
        capture.suspend_global_capture()
