"""Whether modprobe passes over a hook because its module has soft dependencies.

libkmod runs no command for a module with soft dependencies (``ignorecmd`` in libkmod-module.c). One
for which there is no module, alias or ``install`` line is none: seen with kmod 28, 30 and 34.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import MODULE

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.modprobe_config import Directive


@dataclass(frozen=True, slots=True)
class Bypass:
    """A soft dependency for which modprobe passes over a module's hook.

    Attributes:
        directive: the ``softdep`` line.
        doubt: why it is not certain; empty where it is.
    """

    directive: Directive
    doubt: str = ""


def find_bypass(config: HostConfig, module: str) -> Bypass | None:
    """The soft dependency for which a module's hook does not run, or may not; None for none."""
    found = config.modprobe.soft_dependencies(module)
    if found is None:
        return None
    directive, names = found
    answered = _answered(config) if module == MODULE else None
    known = [_is_there(config, name) for name in names]
    if answered is True or (answered is None and True in known):
        return Bypass(directive)
    if answered is False or None not in known:
        return None
    name = names[known.index(None)]
    return Bypass(
        directive,
        f"{directive.where} names {name}: where there is such a module, modprobe skips the hook of "
        f"{module}, and whether there is one is not known",
    )


def find_sure_bypass(config: HostConfig, module: str) -> Directive | None:
    """The soft dependency for which a module's hook surely does not run; None for none."""
    bypass = find_bypass(config, module)
    return bypass.directive if bypass is not None and not bypass.doubt else None


def _answered(config: HostConfig) -> bool | None:
    """Whether this host's modprobe loads the file instead of running a hook; None: not asked."""
    answers = config.answers
    if answers is None or answers.load is None or config.asked is None or not config.asked.root:
        return None
    return not answers.load.command


def _is_there(config: HostConfig, name: str) -> bool | None:
    """Whether modprobe finds something by that name; an alias may lead to nothing."""
    programs = config.programs
    if name == MODULE or programs.modules.get(name):
        return True
    if any(config.modprobe.first(verb, name) is not None for verb in ("alias", "install")):
        return True
    return False if name in programs.unresolvable else None
