"""Reads a file tree on disk (an image, a container's root) as the probe reads a host."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ipvs_audit.persistence.tree_on_disk.lines import parse_lines
from ipvs_audit.persistence.tree_on_disk.root import Root, UnreadableError
from ipvs_audit.snapshot import config_paths
from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree
from ipvs_audit.snapshot.config_paths import SYSCTL, SYSCTL_CONF

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Of each misspelt directory at most this many files are noted, as the probe does.
_MOST_IGNORED = 20
_ABSOLUTE = re.compile(r"(?:^|[\s=pf'\"])(/[^\s;&|<>'\"]+)")
_NO_FILES = ("/dev/", "/proc/", "/sys/")


def read_tree(top: Path) -> ConfigTree:
    """Read what the loaders would read, with links followed inside the tree.

    Raises:
        OSError: the top is no directory that can be entered.
    """
    next(top.iterdir(), None)
    root = Root(top)
    files: dict[str, ConfigFile] = {}
    unreadable: list[str] = []
    for kind in config_paths.ALL:
        for directory in kind.directories:
            try:
                names = root.names(directory)
            except UnreadableError as error:
                unreadable.append(f"{directory}: {error}")
                continue
            for name in names:
                if name.endswith(kind.endings):
                    _add(root, f"{directory}/{name}", files, unreadable)
    if SYSCTL_CONF in _listed(root, "/etc"):
        _add(root, SYSCTL_CONF, files, unreadable)
    for path in list(_named(files)):
        in_place = path.rpartition("/")[0] in SYSCTL.directories
        if path not in files and not in_place and not path.startswith(_NO_FILES):
            _add(root, path, files, unreadable)
    return ConfigTree(files=files, unreadable=tuple(unreadable), ignored=tuple(_ignored(root)))


def _ignored(root: Root) -> Iterator[str]:
    """Files that concern ip_vs and that no loader reads, for their name or their directory's."""
    for kind in (config_paths.SYSCTL, config_paths.MODPROBE):
        places = [(f"/etc/{kind.folder}", kind.endings)]
        places += [(name, ()) for name in _listed(root, "/etc") if kind.is_misspelt(name[5:])]
        for directory, endings in places:
            names = [path for path in _listed(root, directory) if not path.endswith(endings)]
            yield from [path for path in names[:_MOST_IGNORED] if _concerns_ip_vs(root, path)]


def _concerns_ip_vs(root: Root, path: str) -> bool:
    if "/README" in path:
        return False
    try:
        return config_paths.CONCERNS_IP_VS.search(root.read(root.real(path))) is not None
    except UnreadableError:
        return False


def _listed(root: Root, directory: str) -> list[str]:
    try:
        return [f"{directory}/{name}" for name in root.names(directory)]
    except UnreadableError:
        return []


def _add(root: Root, path: str, files: dict[str, ConfigFile], unreadable: list[str]) -> None:
    real = root.real(path)
    if real in ("", "/dev/null"):
        files[path] = ConfigFile(path, real, 0, 0, 0, 0, "", ())
        return
    try:
        about, content = root.stat(real), root.read(real)
    except UnreadableError as error:
        unreadable.append(f"{path}: {error}")
        files[path] = ConfigFile(path, real, 0, 0, 0, 0, "", None)
        return
    files[path] = ConfigFile(
        path=path,
        real=real,
        uid=about.st_uid,
        gid=about.st_gid,
        mode=about.st_mode & 0o7777,
        size=about.st_size,
        sha256=hashlib.sha256(content).hexdigest(),
        lines=parse_lines(path, content),
    )


def _named(files: dict[str, ConfigFile]) -> Iterator[str]:
    """Files that a hook names for a sysctl loader."""
    for file in files.values():
        if "/modprobe.d/" in file.path:
            for line in file.lines or ():
                if "sysctl" in line.text:
                    yield from (
                        path
                        for path in _ABSOLUTE.findall(line.text)
                        if "/bin/" not in path and "/sbin/" not in path and "*" not in path
                    )
