"""What a file tree on disk tells of the next boot: what its initramfs loads, and no more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.persistence.tree_on_disk.root import Root, UnreadableError
from ipvs_audit.snapshot.next_boot import NextBoot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ASSUMED = (
    "the kernel that boots is taken to have the key, and /etc to be kept: a tree does not tell"
)
_INITRAMFS_TOOLS = re.compile(r"[ \t]*ip[_-]vs")
_DRACUT = re.compile(r"[ \t]*force_drivers.*ip[_-]vs")
_DRACUT_FOLDERS = ("/etc/dracut.conf.d", "/usr/lib/dracut/dracut.conf.d")


def read_next_boot(top: Path) -> NextBoot:
    """What the tree tells of its next boot, as the probe's awk finds it on a host."""
    root = Root(top)
    found = [*_lines(root, "/etc/initramfs-tools/modules", _INITRAMFS_TOOLS)]
    found += _lines(root, "/etc/dracut.conf", _DRACUT)
    for folder in _DRACUT_FOLDERS:
        for name in _names(root, folder):
            if name.endswith(".conf"):
                found += _lines(root, f"{folder}/{name}", _DRACUT)
    return NextBoot(
        kernels=(),
        assumed=_ASSUMED,
        initramfs=tuple(found),
        dracut=root.exists("/usr/lib/dracut"),
    )


def _names(root: Root, folder: str) -> list[str]:
    try:
        return root.names(folder)
    except UnreadableError:
        return []


def _lines(root: Root, path: str, wanted: re.Pattern[str]) -> Iterator[str]:
    try:
        text = root.read(root.real(path)).decode(errors="replace")
    except UnreadableError:
        return
    for number, line in enumerate(text.split("\n"), 1):
        if wanted.match(line):
            yield f"{path}:{number}"
