"""Which of pytest-xdist's processes this is, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def is_worker(config: pytest.Config) -> bool:
    """Whether this is an xdist worker, which judges but neither collects nor reports."""
    return hasattr(config, "workerinput")


def is_controller(config: pytest.Config) -> bool:
    """Whether this is the xdist controller, which collects and reports but does not judge."""
    return bool(config.pluginmanager.hasplugin("dsession"))
