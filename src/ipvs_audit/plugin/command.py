"""How ``ipvs-audit audit`` runs pytest in its own process, from any folder.

Outside a checkout pytest must not read the configuration of whoever owns the working directory. So
it is given ours, and the folder of the checks as its root.
"""

from __future__ import annotations

import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONFIG = Path(__file__).with_name("pytest.ini")
_PLUGIN = "ipvs_audit.plugin.hooks"
_CACHE = Path("reports", ".pytest_cache")
#: pytest warns that it cannot rewrite the assertions of a plugin that is imported; ours has none.
_IMPORTED_FIRST = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"


@dataclass(frozen=True)
class Command:
    """What the user typed. Given to pytest as a plugin, so that the audit's hooks find it.

    Attributes:
        words: the command line, for the reports.
        installed: whether the run has no checkout, so that its defaults come from the package.
    """

    words: tuple[str, ...]
    installed: bool

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        """Let usage errors name the command, not ``pytest.main()``."""
        parser.optparser.prog = "ipvs-audit audit"


def command_of(config: pytest.Config) -> Command | None:
    """The command that started pytest; None where the user typed ``pytest``."""
    plugins = config.invocation_params.plugins or ()
    return next((plugin for plugin in plugins if isinstance(plugin, Command)), None)


def run_pytest(arguments: Sequence[str], checks: Sequence[str], words: tuple[str, ...]) -> int:
    """Run the audit.

    Args:
        arguments: pytest's options and ours.
        checks: folders or files of checks; empty for the suite's own.
        words: the command line as it was typed.

    Returns:
        pytest's exit code.
    """
    here = Path.cwd()
    installed = not is_checkout(here)
    own = shipped("checks")
    config = here / "pyproject.toml"
    start: tuple[str, ...] = ()
    if installed:
        config = _CONFIG
        checks = checks or (str(own),)
        start = (f"--rootdir={own}", f"--confcutdir={own}", "-o", f"cache_dir={here / _CACHE}")
    command = Command(words, installed)
    options = ("-c", str(config), "-W", _IMPORTED_FIRST, *start)
    return int(pytest.main([*options, *checks, *arguments], [command]))


def is_checkout(folder: Path) -> bool:
    """Whether plain ``pytest`` runs the audit in a folder: its pyproject.toml loads our plugin.

    Never where everybody may write: whoever planted that file there would have us run his code.
    """
    try:
        if folder.stat().st_mode & stat.S_IWOTH:
            return False
        settings = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        return _PLUGIN in settings["tool"]["pytest"]["ini_options"]["addopts"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
