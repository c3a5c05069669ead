"""The program through which the kernel loads modules on demand (``kernel.modprobe``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_paths import MODPROBE, MODULES_LOAD, UDEV
from ipvs_audit.snapshot.sysctl_config import candidate_lines, settings
from ipvs_audit.snapshot.sysctl_key import Key, glob_matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig

_KEY = Key("kernel/modprobe", integer=False)
_NAMED = re.compile(r"kernel[./]modprobe\b")
_CMDLINE = re.compile(r"sysctl\.kernel[./]modprobe=(.*)", re.DOTALL)
_OTHERS = (*MODPROBE.directories, *UDEV.directories, *MODULES_LOAD.directories)


def helper_doubt(config: HostConfig) -> str:
    """Why the kernel's own loads may run another command than the hook; empty where they do not.

    It starts the program that /proc/sys/kernel/modprobe names (kernel/module/kmod.c); where that is
    empty, or no program, nothing is loaded on demand. A sysctl file, the kernel command line or
    a unit may name another one, which counts after a boot, or once a hook has run sysctl.
    """
    helper = config.programs.helper
    if helper is None:
        return "by which program the kernel loads modules on demand is not known"
    if not _runs_hooks(config, helper):
        return _another(helper, "/proc/sys/kernel/modprobe")
    for value, where in _persisted(config):
        if not _runs_hooks(config, value):
            return _another(value, where)
    return ""


def _runs_hooks(config: HostConfig, helper: str) -> bool:
    """Whether a helper is kmod's modprobe, or none that could load anything."""
    at = config.programs.at(helper)
    own = at is not None and at.same == "modprobe" and helper.endswith("/modprobe")
    return not helper or own or (at is not None and at.exists is False)


def _another(helper: str, where: str) -> str:
    return (
        f"the kernel loads modules on demand through {helper} ({where}), which "
        "is not the modprobe that this audit knows: the hook may not run"
    )


def _persisted(config: HostConfig) -> Iterator[tuple[str, str]]:
    """What else sets the key: the value, and where; whichever of them wins."""
    yield from _by_sysctl_files(config)
    for word in config.tree.cmdline:
        if given := _CMDLINE.fullmatch(word):
            yield given[1], "the kernel command line"
    for other in config.boot_files.files.values():
        for line in other.lines:
            if _NAMED.search(line.text):
                yield "another program", f"{other.path}:{line.number}"


def _by_sysctl_files(config: HostConfig) -> Iterator[tuple[str, str]]:
    loaders = (config.sysctl_p, config.systemd_sysctl)
    for file in config.tree.files.values():
        if file.path.rpartition("/")[0] in _OTHERS:
            continue
        for line in candidate_lines(file, _KEY):
            for found in (each for by in loaders for each in settings(file, line, by)):
                if found.value is not None and glob_matches(found.path, _KEY.path):
                    yield found.value, found.where
