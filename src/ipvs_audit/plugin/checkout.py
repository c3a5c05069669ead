"""Helps pytest where it was given the audit's options and did not find the audit.

Loaded by entry point into every pytest of the environment. pytest looks for its configuration
before it knows a plugin's options: of ``pytest --inventory /etc/ansible/hosts`` it takes the path
for a test folder, and makes /etc/ansible its root. In a checkout, pytest is started again with
``-c pyproject.toml``; elsewhere, pytest's usage error says what to type.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Adds no option. It runs before pytest captures output, and before anything has happened."""
    config: pytest.Config | None = pluginmanager.get_plugin("pytestconfig")
    if config is None or pluginmanager.hasplugin("ipvs_audit.plugin.hooks"):
        return
    from ipvs_audit.plugin.command import is_checkout  # noqa: PLC0415  # for a few runs only

    arguments, here = config.invocation_params.args, config.invocation_params.dir
    if not {str(word).partition("=")[0] for word in arguments} & _our_options():
        return
    if not is_checkout(here):
        parser.extra_info["ipvs-audit"] = (
            f"{here} is not a checkout of ipvs-audit; from any directory use: ipvs-audit audit ..."
        )
    elif tuple(sys.argv[1:]) == tuple(arguments) and "-c" not in arguments:
        again = [sys.executable, "-m", "pytest", "-c", str(here / "pyproject.toml"), *arguments]
        sys.stdout.flush()
        os.execv(sys.executable, again)  # noqa: S606  # the same program with one option more


def _our_options() -> set[str]:
    from ipvs_audit.plugin.options import add_options  # noqa: PLC0415  # as above

    names = _OptionNames()
    add_options(names)  # type: ignore[arg-type]
    return names.found | {"--ssh-config"}  # pytest-testinfra's, which the audit shares


class _OptionNames:
    """Stands in for pytest's parser, to learn the names of our options."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def getgroup(self, _: str) -> _OptionNames:
        return self

    @property
    def addoption(self) -> Callable[..., None]:
        return lambda *names, **_: self.found.update(names)
