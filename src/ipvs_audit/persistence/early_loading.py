"""Whether ip_vs is loaded early at boot, before systemd-sysctl runs, and by what."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot_units import MODULES_UNIT, check_unit
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.snapshot.config_paths import MODULES_LOAD, first_unreadable
from ipvs_audit.snapshot.modprobe_config import underscored
from ipvs_audit.snapshot.sysctl_config import files_by_name

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

_CMDLINE = re.compile(r"modules[-_]load=(.*)")
_BLACKLIST = re.compile(r"(?:modprobe\.blacklist|module_blacklist)=(.*)")
#: Modules that need ip_vs and that every kernel with it may have; others are not known to exist.
_SCHEDULERS = (
    "dh",
    "fo",
    "lblc",
    "lblcr",
    "lc",
    "mh",
    "nq",
    "ovf",
    "rr",
    "sed",
    "sh",
    "wlc",
    "wrr",
)
_DEPENDENTS = frozenset((*(f"{MODULE}_{name}" for name in _SCHEDULERS), f"{MODULE}_ftp", "xt_ipvs"))
_LIKE_A_DEPENDENT = re.compile(r"ip_vs_[a-z0-9_]+")


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
    unit = check_unit(config.boot_files, MODULES_UNIT)
    if MODULES_UNIT in loaders.masked_units or unit.why_not:
        return EarlyLoad("")
    found = _configured(config)
    if unit.doubt and (found.source or found.doubt):
        return replace(found, doubt=found.doubt or unit.doubt)
    return found


def _configured(config: HostConfig) -> EarlyLoad:
    """What the kernel command line and modules-load.d name."""
    for word in config.tree.cmdline:
        found = _CMDLINE.fullmatch(word)
        if found and any(_needs(config, name) for name in found[1].split(",")):
            return EarlyLoad("the kernel command line")
    return _from_files(config)


def kept_out(config: HostConfig) -> bool:
    """Whether the kernel refuses to load ip_vs: ``module_blacklist=`` on its command line."""
    given = (word.partition("=") for word in config.tree.cmdline)
    return any(
        name == "module_blacklist" and MODULE in names.split(",") for name, _, names in given
    )


def _from_files(config: HostConfig) -> EarlyLoad:
    """What modules-load.d names: systemd takes a whole line, less blanks around it, for a name."""
    files, _ = files_by_name(config.tree, MODULES_LOAD.directories, *MODULES_LOAD.endings)
    doubt = ""
    for file in files:
        if file.lines is None and not file.masks and file.real:
            return EarlyLoad("", doubt=f"{file.path} could not be read")
        for line in file.lines or ():
            name = line.text.strip()
            if name[:1] in ("#", ";", ""):
                continue
            if _needs(config, name):
                return EarlyLoad(f"{file.path}:{line.number}")
            if _may_need(config, name):
                doubt = doubt or f"whether {file.path}:{line.number} loads ip_vs is not known"
    closed = first_unreadable(MODULES_LOAD, config.tree.unreadable)
    return EarlyLoad("", doubt=f"could not be read: {closed}" if closed else doubt)


def unloadable_lines(config: HostConfig) -> tuple[str, ...]:
    """Lines of modules-load.d that are meant to load ip_vs and name no module, a sentence each."""
    files, _ = files_by_name(config.tree, MODULES_LOAD.directories, *MODULES_LOAD.endings)
    return tuple(
        f"{file.path}:{line.number} loads nothing: the whole line is taken for one name"
        for file in files
        for line in file.lines or ()
        if line.text.strip()[:1] not in ("#", ";", "")
        and len(words := line.text.split()) > 1
        and any(_is_dependent(underscored(word)) for word in words)
    )


def _is_dependent(name: str) -> bool:
    return name == MODULE or name in _DEPENDENTS


def _needs(config: HostConfig, spelled: str) -> bool:
    """Whether loading a module by this name loads ip_vs; a blacklisted name is passed over."""
    name = underscored(spelled.strip())
    return _is_dependent(name) and name not in _blacklisted(config)


def _may_need(config: HostConfig, spelled: str) -> bool:
    """Whether a name may be a module that needs ip_vs, or an alias of one."""
    name = underscored(spelled)
    alias = config.modprobe.first("alias", name) if name else None
    if alias is not None and underscored(alias.rest.strip()).startswith(MODULE):
        return True
    unknown = _LIKE_A_DEPENDENT.fullmatch(name) is not None and name not in _DEPENDENTS
    return unknown and name not in _blacklisted(config)


def _blacklisted(config: HostConfig) -> frozenset[str]:
    """Names that a ``blacklist`` line or the kernel command line keeps from being loaded."""
    found = (_BLACKLIST.fullmatch(word) for word in config.tree.cmdline)
    names = {underscored(name) for match in found if match for name in match[1].split(",")}
    lines = (each for each in config.modprobe.directives if each.verb == "blacklist")
    return frozenset(names | {each.module for each in lines})
