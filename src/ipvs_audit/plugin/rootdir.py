"""Keeps pytest's root in the checkout when an option names a path elsewhere.

pytest looks for its configuration before it knows the options of a plugin: of
``pytest --inventory /etc/ansible/hosts`` it takes the path for a test folder, and makes
/etc/ansible its root, where there is no audit. This plugin, loaded by entry point, notices that and
starts pytest anew with ``-c pyproject.toml``. It does so while its options are asked for: before
pytest captures any output, and before anything else has happened.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipvs_audit.plugin.options import add_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Start pytest anew where an option's value has led it astray; adds no option."""
    config: pytest.Config | None = pluginmanager.get_plugin("pytestconfig")
    if config is None:
        return
    arguments = config.invocation_params.args
    here = config.invocation_params.dir
    called_as_a_program = tuple(sys.argv[1:]) == tuple(arguments)
    if called_as_a_program and led_astray(arguments, here, config.inipath):
        anew = [sys.executable, "-m", "pytest", "-c", str(here / "pyproject.toml"), *arguments]
        sys.stdout.flush()
        os.execv(sys.executable, anew)  # noqa: S606  # the same program with one option more


def led_astray(arguments: Sequence[str], here: Path, inipath: Path | None) -> bool:
    """Whether pytest, run in our checkout, took the value of an option of ours for its root."""
    ours = here / "pyproject.toml"
    if inipath == ours or not (here / "checks").is_dir() or not ours.is_file():
        return False
    if 'name = "ipvs-audit"' not in ours.read_text(encoding="utf-8", errors="replace"):
        return False
    words, values = _own_values(arguments)
    named_elsewhere = any(_exists(word) for word in words if not word.startswith("-"))
    return any(_exists(value) for value in values) and not named_elsewhere and "-c" not in words


class _OptionNames:
    """Stands in for pytest's parser, to learn which of our options take a value."""

    def __init__(self) -> None:
        self.valued: set[str] = set()

    def getgroup(self, *_: str) -> _OptionNames:
        return self

    def addoption(self, *names: str, **attributes: Any) -> None:  # noqa: ANN401
        if attributes.get("action", "store") in ("store", "append"):
            self.valued.update(names)


def _own_values(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments without our options' values, and those values."""
    names = _OptionNames()
    add_options(names)  # type: ignore[arg-type]
    names.valued.add("--ssh-config")  # pytest-testinfra's, which the audit shares
    words: list[str] = []
    values: list[str] = []
    rest = iter(arguments)
    for word in rest:
        words.append(word)
        if word in names.valued and (value := next(rest, None)) is not None:
            values.append(value)
    return words, values


def _exists(word: str) -> bool:
    try:
        return Path(word.partition("::")[0]).exists()
    except (OSError, ValueError):
        return False
