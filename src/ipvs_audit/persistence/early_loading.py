"""Whether ip_vs is loaded early at boot, before systemd-sysctl runs, and by what."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot_units import MODULES_UNIT, check_unit
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.snapshot.config_paths import MODULES_LOAD, first_unreadable
from ipvs_audit.snapshot.kernel import upstream_version
from ipvs_audit.snapshot.modprobe_config import underscored
from ipvs_audit.snapshot.sysctl_config import SYSTEMD_SPACES, files_by_name, systemd_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.config_files import ConfigFile

_CMDLINE = re.compile(r"modules[-_]load=(.*)")
_BLACKLIST = re.compile(r"(?:modprobe\.blacklist|module_blacklist)=(.*)")
_BLANKS = re.compile("[ \t]+")
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
#: The first Linux with those that came late.
_SINCE = {f"{MODULE}_fo": (3, 18), f"{MODULE}_ovf": (4, 3), f"{MODULE}_mh": (4, 18)}
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
    if any(_needs(config, name) for name in _on_command_line(config)):
        return EarlyLoad("the kernel command line")
    return _from_files(config)


def loaded_early(config: HostConfig) -> tuple[str, ...]:
    """The modules that the kernel command line and modules-load.d name, whatever they are."""
    names = [*_on_command_line(config), *(name for _, name in _in_files(config))]
    found = (each for name in names for each in _aliased(config, underscored(name)))
    return tuple(dict.fromkeys(found))


def _on_command_line(config: HostConfig) -> Iterator[str]:
    for word in config.tree.cmdline:
        if found := _CMDLINE.fullmatch(word):
            yield from found[1].split(",")


def _in_files(config: HostConfig) -> Iterator[tuple[str, str]]:
    """What systemd takes for names in modules-load.d, each with its file and line."""
    for file in _files(config):
        for number, name in _names(config, file):
            yield f"{file.path}:{number}", name


def _files(config: HostConfig) -> tuple[ConfigFile, ...]:
    files, _ = files_by_name(config.tree, MODULES_LOAD.directories, *MODULES_LOAD.endings)
    return files


def kept_out(config: HostConfig) -> bool:
    """Whether the kernel refuses to load ip_vs: ``module_blacklist=`` on its command line."""
    given = (word.partition("=") for word in config.tree.cmdline)
    return any(
        name == "module_blacklist" and MODULE in names.split(",") for name, _, names in given
    )


def _from_files(config: HostConfig) -> EarlyLoad:
    """What modules-load.d names: systemd takes a whole line, less blanks around it, for a name."""
    doubt = ""
    for file in _files(config):
        if file.lines is None and not file.masks and file.real:
            return EarlyLoad("", doubt=f"{file.path} could not be read")
        for number, name in _names(config, file):
            if _needs(config, name):
                return EarlyLoad(f"{file.path}:{number}")
            if _may_need(config, name):
                doubt = doubt or f"whether {file.path}:{number} loads ip_vs is not known"
    closed = first_unreadable(MODULES_LOAD, config.tree.unreadable)
    return EarlyLoad("", doubt=f"could not be read: {closed}" if closed else doubt)


def _names(config: HostConfig, file: ConfigFile) -> Iterator[tuple[int, str]]:
    """What systemd takes for names in a file, each with the number of its line."""
    for line in file.lines or ():
        for text in systemd_lines(line.text, config.systemd_sysctl):
            name = text.strip(SYSTEMD_SPACES)
            if name[:1] not in ("#", ";", ""):
                yield line.number, name


def unloadable_lines(config: HostConfig) -> tuple[str, ...]:
    """Lines of modules-load.d that are meant to load ip_vs and name no module, a sentence each.

    For other names on the line, or for a blank that systemd does not take for one.
    """
    return tuple(
        f"{where} loads nothing: the whole line is taken for one name"
        for where, name in _in_files(config)
        if not _is_dependent(underscored(name))
        and any(_is_dependent(underscored(word)) for word in name.split())
    )


def _is_dependent(name: str) -> bool:
    return name == MODULE or name in _DEPENDENTS


def _needs(config: HostConfig, spelled: str) -> bool:
    """Whether loading a module by this name surely loads ip_vs.

    An alias of that name is loaded instead of the module; a blacklisted one is passed over.
    """
    if any(each.concerns(underscored(spelled)) for each in config.modprobe.maybe):
        return False
    return any(
        _is_dependent(name) and _is_there(config, name) and name not in blacklisted(config)
        for name in _aliased(config, underscored(spelled))
    )


def _may_need(config: HostConfig, spelled: str) -> bool:
    """Whether a name may be one of a module that needs ip_vs: not known, or not on every kernel."""
    name = underscored(spelled)
    named = (name, *_aliased(config, name))
    open_ = set(named) - blacklisted(config)
    return any(each == MODULE or _LIKE_A_DEPENDENT.fullmatch(each) for each in open_)


def _aliased(config: HostConfig, name: str) -> tuple[str, ...]:
    """What modprobe loads by a name: the aliases of that name, or else the module itself."""
    aliases = config.modprobe.all("alias", name) if name else ()
    modules = (underscored(_BLANKS.split(each.rest.strip(" \t"))[0]) for each in aliases)
    return tuple(modules) or (name,)


def _is_there(config: HostConfig, name: str) -> bool:
    """Whether a kernel of this version surely has a module that needs ip_vs."""
    since, version = _SINCE.get(name), upstream_version(config.kernel)
    return since is None or (version is not None and version >= since)


def blacklisted(config: HostConfig) -> frozenset[str]:
    """Names that a ``blacklist`` line or the kernel command line keeps from being loaded."""
    found = (_BLACKLIST.fullmatch(word) for word in config.tree.cmdline)
    names = {underscored(name) for match in found if match for name in match[1].split(",")}
    lines = (each for each in config.modprobe.directives if each.verb == "blacklist")
    return frozenset(names | {each.module for each in lines})
