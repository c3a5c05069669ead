"""What else a sysctl loader sets beside the key: what a load of ip_vs changes with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Literal

from ipvs_audit.model.text import some_of
from ipvs_audit.snapshot.sysctl_config import is_selected, loader_files, settings
from ipvs_audit.snapshot.sysctl_key import is_glob, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.running_values import Answer
    from ipvs_audit.snapshot.sysctl_config import Setting
    from ipvs_audit.snapshot.sysctl_loader import Loader

_MOST_NAMED = 5
_WHY: dict[str, str] = {
    "differs": "differs from the running value",
    "acts": "acts on each write",
    "absent": "the kernel has no such key now",
    "readonly": "the key is read-only",
    "pattern": "is a pattern",
    "unread": "could not be compared",
}


@dataclass(frozen=True, slots=True)
class SideEffect:
    """A line, beside those of the key, that is not proven to change nothing when it is applied.

    Attributes:
        key: as the line spells it.
        where: file and line.
        answer: what the probe found, or that it is a pattern.
    """

    key: str
    where: str
    answer: Answer | Literal["pattern"]

    @property
    def changes(self) -> bool:
        """Whether applying it changes something for sure, as the host is now."""
        return self.answer in ("differs", "acts")

    def __str__(self) -> str:
        return f"{self.key} ({self.where}: {_WHY[self.answer]})"


@lru_cache(maxsize=256)
def side_effects(config: HostConfig, loader: Loader) -> tuple[SideEffect, ...]:
    """The lines that a loader applies beside the key and that may change something, in order.

    A line is harmless only where the probe found the key's running value equal to the line's, and
    the loader means the key that the probe looked at.
    """
    return tuple(dict.fromkeys(_effects(config, loader)))


def _effects(config: HostConfig, loader: Loader) -> Iterator[SideEffect]:
    for build in loader.builds:
        for file in loader_files(config.tree, build).files:
            for line in file.lines or ():
                for setting in settings(file, line, build):
                    if _applied(config, build, setting):
                        answer = _answer(config, setting, file.real)
                        if answer != "equal":
                            yield SideEffect(setting.spelled[:80], setting.where, answer)


def _applied(config: HostConfig, loader: Loader, setting: Setting) -> bool:
    ours = resolved(setting.path) == config.key.path
    return setting.value is not None and not ours and is_selected(loader, setting.path)


def _answer(config: HostConfig, setting: Setting, real: str) -> Answer | Literal["pattern"]:
    if is_glob(setting.path):
        return "pattern"
    running = config.tree.running
    found = running.get((setting.file, setting.line)) or running.get((real, setting.line))
    if found is None or resolved(found.path) != resolved(setting.path):
        return "unread"
    return found.answer


def union_of(effects: Iterable[tuple[SideEffect, ...]]) -> tuple[SideEffect, ...]:
    """All of several states, each once, in order."""
    return tuple(dict.fromkeys(chain.from_iterable(effects)))


def name_effects(effects: Iterable[SideEffect]) -> str:
    """Some of them, and how many more there are."""
    return some_of([str(effect) for effect in effects], _MOST_NAMED)
