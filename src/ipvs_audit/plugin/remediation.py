"""Remediation's side of pytest: what cannot be done under it, and the question to the operator."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ipvs_audit.remedy.options import RemediationOptions


def refuse_unasked(config: pytest.Config, options: RemediationOptions) -> None:
    """Refuse to change hosts without a question, or from several processes.

    Raises:
        pytest.UsageError: says what to do.
    """
    if options.mode and config.pluginmanager.hasplugin("dsession"):
        raise pytest.UsageError("remediation runs in one process: remove -n")
    if options.changes_hosts and not options.yes and not on_terminal(config):
        raise pytest.UsageError("no terminal to ask for confirmation: add --yes")


def on_terminal(config: pytest.Config) -> bool:
    """Whether an operator can be asked; pytest's own capture is suspended to see it."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        return os.isatty(0)
    capture.suspend_global_capture(in_=True)
    try:
        return os.isatty(0)
    finally:
        capture.resume_global_capture()


def ask(config: pytest.Config, question: str) -> bool:
    """Ask at the terminal; anything but yes is no, also that the terminal is gone."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    try:
        return input(f"{question} [yes/no] ").strip().lower() in ("yes", "y")
    except (EOFError, OSError):
        return False
    finally:
        if capture is not None:
            capture.resume_global_capture()
