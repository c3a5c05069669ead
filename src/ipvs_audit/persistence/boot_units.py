"""Whether systemd-sysctl.service and systemd-modules-load.service do what they do as shipped.

Source: systemd.unit(5), systemd.service(5); the units of systemd 219 to 257.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.snapshot.boot_files import BootFile, BootFiles

SYSCTL_UNIT = "systemd-sysctl.service"
MODULES_UNIT = "systemd-modules-load.service"
UDEVD_UNIT = "systemd-udevd.service"

#: Their names of old, by which Debian's units have drop-ins as well.
_ALIASES = {SYSCTL_UNIT: "procps.service", MODULES_UNIT: "kmod.service"}
#: The loaders' own units, by each of their names.
LOADER_UNITS = frozenset((*_ALIASES, *_ALIASES.values()))

#: Targets that a boot to a login may reach.
BOOT_TARGETS = frozenset(
    f"{name}.target.{kind}"
    for name in (
        *("sysinit", "local-fs", "timers", "basic", "network-pre", "network", "network-online"),
        *("getty", "multi-user", "graphical", "default"),
    )
    for kind in ("wants", "requires")
)
#: Those that every boot to a login reaches: graphical.target, getty.target and those of the network
#: only where something wants them, and local-fs.target stands in front of what services wait for.
SURE_TARGETS = frozenset(
    f"{name}.target.{kind}"
    for name in ("sysinit", "basic", "timers", "multi-user", "default")
    for kind in ("wants", "requires")
)
_EARLY_TARGETS = frozenset(("sysinit.target.wants", "sysinit.target.requires"))
#: Conditions of the units as shipped: they hold where there is something to do.
_SHIPPED = re.compile(
    r"Condition(PathIsReadWrite=/proc/sys/(net/)?|Capability=CAP_SYS_MODULE"
    r"|DirectoryNotEmpty=\|((/usr/local|/usr)?/lib|/etc|/run)/(modules-load|sysctl)\.d"
    r"|PathExists=\|/etc/sysctl\.conf|KernelCommandLine=\|(rd\.)?modules[-_]load)"
)
_EXEC = re.compile(
    r"ExecStart[ \t]*=[ \t]*(/usr)?/lib/systemd/(systemd-sysctl|systemd-modules-load)[ \t]*"
)


@dataclass(frozen=True, slots=True)
class UnitCheck:
    """What a boot does with a unit.

    Attributes:
        why_not: why the boot does not start it; empty where it does.
        doubt: why what it does is not known; empty where it is as shipped.
    """

    why_not: str = ""
    doubt: str = ""


def check_unit(boot: BootFiles, name: str) -> UnitCheck:
    """Compare a unit with the shipped one.

    A tree without units is taken to have them as shipped.
    """
    if not boot.units_seen:
        return UnitCheck()
    if name not in boot.units:
        return UnitCheck(why_not=f"the host has no {name}")
    targets = {target for unit, target in boot.wanted if unit == name}
    if not targets & BOOT_TARGETS:
        return UnitCheck(why_not=f"no target of the boot wants {name}")
    doubt = next(_differences(boot, name), "")
    if not doubt and not targets & _EARLY_TARGETS:
        doubt = f"{name} is wanted by {min(targets)} and not by sysinit.target"
    return UnitCheck(doubt=doubt)


def _differences(boot: BootFiles, name: str) -> Iterator[str]:
    own = boot.files.get(boot.units[name])
    if own is None:
        yield f"{boot.units[name]} could not be read"
        return
    yield from _odd_lines(own, name)
    texts = [line.text.strip() for line in own.lines]
    if sum(text.startswith("ExecStart=") for text in texts) != 1:
        yield f"{own.path} does not start {name.removesuffix('.service')} once"
    if name == SYSCTL_UNIT and not any(
        text.startswith("After=") and MODULES_UNIT in text.split("=")[1].split() for text in texts
    ):
        yield f"{own.path} is not ordered after {MODULES_UNIT}"
    for path, file in boot.files.items():
        folder = path.rpartition("/")[0].rpartition("/")[2]
        if folder in (f"{name}.d", f"{_ALIASES[name]}.d", "service.d", "systemd-.service.d"):
            yield from _odd_lines(file, name)


def _odd_lines(file: BootFile, name: str) -> Iterator[str]:
    program = name.removesuffix(".service")
    if file.others:
        yield f"{file.path}:{file.others[0]} has {name} run something else"
    for line in file.lines:
        text = line.text.strip()
        where = f"{file.path}:{line.number}"
        if text.startswith("Exec"):
            found = _EXEC.fullmatch(text)
            if found is None or found[2] != program:
                yield f"{where} has {name} run something else: {text!r}"
        elif text.startswith(("Condition", "Assert")) and not _SHIPPED.fullmatch(text):
            yield f"{where} gives {name} a condition: {text!r}"
        elif text.startswith(("User", "Dynamic", "Private", "Network", "Join", "Protect", "Root")):
            yield f"{where} changes where {name} runs: {text!r}"
        elif text.startswith("After=") and not _plain_order(text):
            yield f"{where} orders {name} otherwise than shipped: {text!r}"


def _plain_order(text: str) -> bool:
    """Whether an order leaves the unit within sysinit.target."""
    return not any(
        unit.endswith(".target") and not unit.startswith(("local-fs", "network-pre"))
        for unit in text.partition("=")[2].split()
    )
