"""What starts a unit: a target, or a timer, path or socket unit.

Source: systemd.unit(5): instances of templates, aliases, drop-ins of a prefix or of all units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.snapshot.boot_files import BootFiles


@dataclass(frozen=True, slots=True)
class Starts:
    """How a unit comes to run.

    Attributes:
        targets: directories that want it, as ``multi-user.target.wants``.
        at_any_time: a timer, path or socket unit that is wanted starts it, or a script does.
    """

    targets: set[str]
    at_any_time: bool


def starts_of(boot: BootFiles, name: str) -> Starts:
    """What starts a unit, an instance of it, or the unit that it is another name of."""
    names = {name} | {own for alias, own in boot.aliases if alias == name}
    targets = {target for unit, target in boot.wanted if _is_one_of(unit, names)}
    starters = {unit for unit, started in boot.starts if _is_one_of(started, names)}
    named = {f"{each.removesuffix('.service')}.{kind}" for each in names for kind in _KINDS}
    # A socket that accepts connections starts an instance for each.
    named |= {f"{each.removesuffix('@.service')}.socket" for each in names}
    wanted = {unit for unit, _ in boot.wanted if _is_one_of(unit, starters | named)}
    timed = any(unit.endswith(".timer") for unit in wanted) or _started_by_command(boot, names)
    return Starts(targets, timed or (bool(wanted) and not targets))


#: systemctl(1): what starts a unit; a name without an ending is a service's.
_STARTS = re.compile(
    r"\bsystemctl\b[^;&|#]*?\s(?:(?:try-|reload-or-|try-reload-or-)?restart|start|reenable|enable\s+--now)"
    r"(?:\s+--?\S+)*((?:\s+[\w@.:\\-]+)+)"
)


def _started_by_command(boot: BootFiles, names: set[str]) -> bool:
    """Whether a script or a unit's command starts it."""
    return any(
        _is_one_of(unit if "." in unit else f"{unit}.service", names)
        for file in boot.files.values()
        for line in file.lines
        for found in _STARTS.finditer(line.text)
        for unit in found[1].split()
    )


_KINDS = ("timer", "path", "socket")


def _is_one_of(unit: str, names: set[str]) -> bool:
    return unit in names or _template(unit) in names


def _template(unit: str) -> str:
    before, at, rest = unit.partition("@")
    return f"{before}@.{rest.rpartition('.')[2]}" if at else unit


def concerns_many(name: str) -> bool:
    """Whether drop-ins by this name are for all units, those of a prefix, or any instance.

    Some of these surely run: which, is not looked for.
    """
    stem = name.rpartition(".")[0]
    return not stem or stem.endswith(("-", "@"))
