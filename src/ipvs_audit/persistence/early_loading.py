"""Whether ip_vs is loaded early at boot, before systemd-sysctl runs, and by what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.snapshot.config_paths import MODULES_LOAD, first_unreadable
from ipvs_audit.snapshot.modprobe_config import underscored
from ipvs_audit.snapshot.sysctl_config import files_by_name

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

_UNIT = "systemd-modules-load.service"
_CMDLINE = re.compile(r"modules[-_]load=(.*)")


@dataclass(frozen=True, slots=True)
class EarlyLoad:
    """What loads ip_vs before systemd-sysctl runs.

    Attributes:
        source: ``/etc/modules-load.d/ipvs.conf:1`` or ``the kernel command line``; empty for none.
        through_modprobe: whether modprobe's configuration, and so a hook, is honoured.
        doubt: why this is not certain; empty where it is.
    """

    source: str
    through_modprobe: bool = True
    doubt: str = ""


def find_early_load(config: HostConfig) -> EarlyLoad:
    """Find what loads ip_vs, or a module that needs it, early at boot."""
    if config.module == "builtin":
        return EarlyLoad("ip_vs is built into the kernel", through_modprobe=False)
    loaders = config.loaders
    if loaders.init != "systemd" or loaders.systemd_modules_load is None:
        return EarlyLoad("")
    if _UNIT in loaders.masked_units:
        return EarlyLoad("")
    for word in config.tree.cmdline:
        found = _CMDLINE.fullmatch(word)
        if found and any(_needs(config, name) for name in found[1].split(",")):
            return EarlyLoad("the kernel command line")
    return _from_files(config)


def _from_files(config: HostConfig) -> EarlyLoad:
    files, _ = files_by_name(config.tree, MODULES_LOAD.directories, *MODULES_LOAD.endings)
    for file in files:
        if file.lines is None and not file.masks and file.real:
            return EarlyLoad("", doubt=f"{file.path} could not be read")
        for line in file.lines or ():
            name = line.text.strip()
            if name[:1] not in ("#", ";", "") and _needs(config, name):
                return EarlyLoad(f"{file.path}:{line.number}")
    closed = first_unreadable(MODULES_LOAD, config.tree.unreadable)
    return EarlyLoad("", doubt=f"could not be read: {closed}" if closed else "")


def _needs(config: HostConfig, spelled: str) -> bool:
    """Whether loading a module by this name loads ip_vs; a blacklisted name is passed over."""
    name = underscored(spelled.strip())
    if name != MODULE and not name.startswith(f"{MODULE}_") and name != "xt_ipvs":
        return False
    return not any(
        directive.module == name
        for directive in config.modprobe.directives
        if directive.verb == "blacklist"
    )
