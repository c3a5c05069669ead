"""Folders of the repository that the wheel carries: the checks, and the default inventory."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_REPOSITORY = _PACKAGE.parents[1]


def shipped(folder: str) -> Path:
    """Where a folder lies: inside the installed package or, in a checkout, next to ``src``.

    >>> shipped("checks").joinpath("test_est_4_live_value.py").exists()
    True
    """
    installed = _PACKAGE / folder
    return installed if installed.is_dir() else _REPOSITORY / folder
