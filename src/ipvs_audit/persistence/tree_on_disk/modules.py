"""The kernel modules of a file tree on disk, by the lists that depmod wrote beside them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from ipvs_audit.persistence.tree_on_disk.root import Root, UnreadableError
from ipvs_audit.snapshot.modprobe_config import underscored
from ipvs_audit.snapshot.sysctl_key import is_glob, name_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FOLDER = "/lib/modules"
_FILES = re.compile(r"/([\w-]+)\.ko(?:\.[gx]z|\.zst)?(?::|$)", re.MULTILINE)
_SOFTDEP = re.compile(r"softdep ip[_-]vs ")
_ALIASES = re.compile(r"(?:^alias |\.alias=)([^\s\0]+)", re.MULTILINE)
_LARGEST = 8 * 1024 * 1024
"""Bytes of one such file; a distribution's modules.alias has 1 to 2 million."""


def read_modules(root: Root, words: Iterable[str]) -> dict[str, bool]:
    """Which of these modules all kernels of a tree have; nothing is known without a kernel."""
    found: dict[str, bool] = {}
    spelled = {word.replace("-", "_") for word in words}
    for release in _releases(root):
        listed = _read(root, release, "modules.dep") + _read(root, release, "modules.builtin")
        names = {each.replace("-", "_") for each in _FILES.findall(listed)}
        for word in spelled:
            found[word] = found.get(word, True) and word in names
    return found


def unresolvable(root: Root, names: Iterable[str]) -> frozenset[str]:
    """By which of these names no kernel of a tree has a module, a built-in or an alias."""
    left = {name.replace("-", "_") for name in names}
    releases = list(_releases(root)) if left else []
    for release in releases:
        listed = [_read(root, release, f"modules.{name}") for name in ("dep", "builtin", "alias")]
        if not (listed[0] and listed[2]):
            return frozenset()  # nobody ran depmod, or the file is too large
        text = "\n".join((*listed, _read(root, release, "modules.builtin.modinfo")))
        there = {each.replace("-", "_") for each in _FILES.findall(text)}
        aliases = {underscored(each) for each in _ALIASES.findall(text)}
        left -= there | aliases
        odd = [each for each in aliases if is_glob(each) and ":" not in each]  # of no device
        left = {name for name in left if not any(name_matches(each, name) for each in odd)}
    return frozenset(left if releases else ())


def read_softdep(top: Path) -> str:
    """What modules.softdep says of ip_vs, as the probe has it; of several kernels' the first."""
    root = Root(top)
    for release in _releases(root):
        for number, line in enumerate(_read(root, release, "modules.softdep").split("\n"), 1):
            if _SOFTDEP.match(line):
                return f"{number}:{line}"
    return ""


def _releases(root: Root) -> Iterator[str]:
    with suppress(UnreadableError):
        yield from root.names(_FOLDER)


def _read(root: Root, release: str, name: str) -> str:
    with suppress(UnreadableError):
        path = root.real(f"{_FOLDER}/{release}/{name}")
        return root.read(path, _LARGEST).decode(errors="replace") if path else ""
    return ""
