"""The checks themselves, found without pytest: to judge saved evidence again."""

from __future__ import annotations

import importlib.util
import inspect
from functools import lru_cache
from typing import TYPE_CHECKING

from ipvs_audit.controls.control import Check, control_of
from ipvs_audit.model.shipped import shipped

if TYPE_CHECKING:
    from pathlib import Path

#: What every check may ask for; one that asks for more needs the host, not only its evidence.
FROM_EVIDENCE = frozenset({"snapshot", "policy", "assessment"})


class ChecksError(Exception):
    """Checks that cannot be loaded; the message names the path."""


def own_checks() -> Path:
    """The folder of the suite's own checks."""
    return shipped("checks")


def find_checks(folder: Path) -> dict[str, Check]:
    """The checks of a folder, by the id of their control.

    Raises:
        ChecksError: the folder is missing, or one of its files does not load.
    """
    if not folder.is_dir():
        raise ChecksError(f"{folder}: no such folder of checks; name one with --checks DIR")
    found: dict[str, Check] = {}
    for path in sorted({*folder.rglob("test_*.py"), *folder.rglob("*_test.py")}):
        for one in vars(_loaded(path)).values():
            about = control_of(one)
            if about is not None and found.setdefault(about.id, one) is not one:
                raise ChecksError(f"{path}: a second check of {about.id}; remove one")
    return found


@lru_cache(maxsize=256)
def needs_host(check: Check) -> bool:
    """Whether a check asks for more than saved evidence can give."""
    return not set(inspect.signature(check).parameters) <= FROM_EVIDENCE


def _loaded(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(f"ipvs_audit_checks.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ChecksError(f"{path}: is not Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as broken:
        raise ChecksError(f"{path}: {type(broken).__name__}: {broken}") from broken
    return module
