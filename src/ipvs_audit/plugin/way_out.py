"""What pytest adds to a usage error: where the options are, and which one was meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ipvs_audit.model.text import did_you_mean
from ipvs_audit.plugin.pytest_internals import option_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


class WayOut:
    """Worded only when pytest shows it: then every plugin has declared its options."""

    def __init__(self, parser: pytest.Parser, arguments: Sequence[str | os.PathLike[str]]) -> None:
        self._parser = parser
        self._arguments = [os.fspath(one) for one in arguments]

    def __str__(self) -> str:
        """One line."""
        known = option_names(self._parser)
        names = [word.partition("=")[0] for word in self._arguments if word.startswith("--")]
        meant = [did_you_mean(name, known) for name in names if name not in known]
        return "; ".join(filter(None, ("ipvs-audit audit --help", *meant)))
