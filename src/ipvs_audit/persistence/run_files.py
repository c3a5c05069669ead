"""What is left of the configuration at the next boot: /run is empty then (file-hierarchy(7))."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.persistence.host_config import HostConfig

_RUN = ("/run/", "/var/run/")


def without_run(config: HostConfig) -> HostConfig:
    """The configuration that the next boot finds; the same object where nothing lies in /run.

    A link into /run is dangling then. What is restored in /run early in each boot is not known
    to this audit, so it does not count.
    """
    return without_files(config, _in_run(config))


def lost_at_boot(config: HostConfig, judge: Callable[[HostConfig], object]) -> str:
    """Why the next boot gives another result, naming the files in /run; empty where it does not.

    Args:
        config: the files as they are now.
        judge: what to compare.
    """
    paths = _in_run(config)
    if not paths:
        return ""
    now = judge(config)
    if judge(without_files(config, paths)) == now:
        return ""
    alone = [path for path in paths if judge(without_files(config, (path,))) != now]
    return f"{', '.join(alone or paths)} will not exist after a boot: /run is empty then"


def _in_run(config: HostConfig) -> tuple[str, ...]:
    files = config.tree.files.values()
    return tuple(
        one.path for one in files if one.path.startswith(_RUN) or one.real.startswith(_RUN)
    )


@lru_cache(maxsize=256)
def without_files(config: HostConfig, paths: tuple[str, ...]) -> HostConfig:
    """The same without these files, and without what only /run and /tmp hold; links dangle."""
    closed = tuple(each for each in config.tree.unreadable if not each.startswith(_RUN))
    told = config.programs.paths
    kept = {path: at for path, at in told.items() if not _is_volatile(path)}
    if not paths and closed == config.tree.unreadable and len(kept) == len(told):
        return config
    files = {
        path: replace(file, real="", lines=()) if path in paths else file
        for path, file in config.tree.files.items()
        if path not in paths or not path.startswith(_RUN)
    }
    return replace(
        config,
        tree=replace(config.tree, files=files, unreadable=closed),
        programs=replace(config.programs, paths=kept),
    )


def _is_volatile(path: str) -> bool:
    """Whether a path is in a directory of /run or /tmp, which the next boot may not have."""
    return path.startswith((*_RUN, "/tmp/")) and path.count("/") > 2  # noqa: PLR2004, S108
