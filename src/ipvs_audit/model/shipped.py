"""Folders of the repository that the wheel carries, wherever the code runs from."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_REPOSITORY = _PACKAGE.parents[1]
#: Where each lies in the repository; the package has it under its name. See setup.py.
_IN_REPOSITORY = {
    "checks": "checks",
    "inventories": "inventories",
    "control_pages": "docs/controls",
}


def shipped(folder: str) -> Path:
    """Where a folder lies: inside the installed package or, in a checkout, next to ``src``.

    Args:
        folder: ``checks``, ``inventories`` or ``control_pages``.

    >>> shipped("checks").joinpath("test_est_4_live_value.py").exists()
    True
    >>> shipped("control_pages").joinpath("EST-4.md").exists()
    True
    """
    installed = _PACKAGE / folder
    return installed if installed.is_dir() else _REPOSITORY / _IN_REPOSITORY[folder]


def documented_controls() -> frozenset[str]:
    """Ids of the controls that have a page: one without a check is missing, not forgotten."""
    return frozenset(page.stem for page in shipped("control_pages").glob("*.md"))
