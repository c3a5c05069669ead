"""A remedy's side of pytest: the question to the operator, and how it is hung into a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model.operator_name import operator_name
from ipvs_audit.remedy.host_access import LiveDoor
from ipvs_audit.remedy.remediation import Remediation, who_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipvs_audit.audit.session import AuditSession


def remediation_of(
    config: pytest.Config, audit: AuditSession, directory: Path, say: Callable[[str], None]
) -> Remediation | None:
    """What the options ask for beside an audit; None for nothing.

    Raises:
        pytest.UsageError: hosts would be changed without a question, or from several processes.
    """
    options = audit.options.remedy
    if not options.mode:
        return None
    if config.pluginmanager.hasplugin("dsession"):
        raise pytest.UsageError("a remedy runs in one process: leave -n out")
    if options.changes and not options.yes and not on_terminal(config):
        raise pytest.UsageError(
            "hosts are to be changed, and there is no terminal to ask at: add --yes"
        )
    who = who_runs(operator_name())
    door = LiveDoor(audit.targets, audit.policies, audit.options.connection, directory.name, who)
    return Remediation(
        options,
        audit.policies,
        door if options.changes else None,
        audit.options.reports,
        directory,
        audit.options.forks,
        say,
        lambda question: ask(config, question),
    )


def on_terminal(config: pytest.Config) -> bool:
    """Whether somebody can be asked; pytest's own capture is put aside to see it."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        return os.isatty(0)
    capture.suspend_global_capture(in_=True)
    try:
        return os.isatty(0)
    finally:
        capture.resume_global_capture()


def ask(config: pytest.Config, question: str) -> bool:
    """Ask at the terminal; anything but yes is no."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    try:
        return input(f"{question} [yes/no] ").strip().lower() in ("yes", "y")
    except EOFError:
        return False
    finally:
        if capture is not None:
            capture.resume_global_capture()
