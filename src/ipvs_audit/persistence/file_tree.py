"""Reads a file tree on disk (an image, a container's root) as the probe reads a host."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ipvs_audit.persistence import early_loading, udev_rules
from ipvs_audit.persistence.file_root import Root, UnreadableError
from ipvs_audit.snapshot import modprobe_config, sysctl_config
from ipvs_audit.snapshot.config_files import ConfigFile, ConfigTree, Line
from ipvs_audit.snapshot.host import Loaders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLACES = (
    (sysctl_config.DIRECTORIES, (".conf",)),
    (modprobe_config.DIRECTORIES, (".conf", ".alias")),
    (udev_rules.DIRECTORIES, (".rules",)),
    (early_loading.DIRECTORIES, (".conf",)),
)
_ABSOLUTE = re.compile(r"(?:^|[\s=pf'\"])(/[^\s;&|<>'\"]+)")
_LIBRARIES = (
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
)
_SYSTEMD = re.compile(r"libsystemd-shared-(\d+)[.\w~-]*\.so")
_PROCPS_LIBRARIES = (
    (re.compile(r"libproc2\.so\.1"), (4, 0, 4)),
    (re.compile(r"libproc2\.so\.0"), (4, 0, 2)),
    (re.compile(r"libprocps\.so\.8"), (3, 3, 17)),
    (re.compile(r"libprocps\.so\.7"), (3, 3, 15)),
    (re.compile(r"libprocps\.so\.[1-6]"), (3, 3, 10)),
)
_NO_FILES = ("/dev/", "/proc/", "/sys/")
_UNITS = ("systemd-sysctl.service", "systemd-modules-load.service")


def read_tree(top: Path) -> ConfigTree:
    """Read what the loaders would read, with links followed inside the tree.

    Raises:
        OSError: the top is no directory that can be entered.
    """
    next(top.iterdir(), None)
    root = Root(top)
    files: dict[str, ConfigFile] = {}
    unreadable: list[str] = []
    for directories, endings in _PLACES:
        for directory in directories:
            try:
                names = root.names(directory)
            except UnreadableError as error:
                unreadable.append(f"{directory}: {error}")
                continue
            for name in names:
                if name.endswith(endings):
                    _add(root, f"{directory}/{name}", files, unreadable)
    if sysctl_config.SYSCTL_CONF in _listed(root, "/etc"):
        _add(root, sysctl_config.SYSCTL_CONF, files, unreadable)
    for path in list(_named(files)):
        in_place = path.rpartition("/")[0] in sysctl_config.DIRECTORIES
        if path not in files and not in_place and not path.startswith(_NO_FILES):
            _add(root, path, files, unreadable)
    return ConfigTree(files=files, unreadable=tuple(unreadable))


def _listed(root: Root, directory: str) -> set[str]:
    try:
        return {f"{directory}/{name}" for name in root.names(directory)}
    except UnreadableError:
        return set()


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
        lines=parse_lines(content, continued="/modprobe.d/" in path or "/rules.d/" in path),
    )


def parse_lines(content: bytes, *, continued: bool) -> tuple[Line, ...]:
    """The lines that are not blank, numbered from 1; ``joined`` where a backslash continues one."""
    found: list[Line] = []
    first, held = 0, ""
    for number, text in enumerate(content.decode(errors="backslashreplace").split("\n"), 1):
        first = first if held else number
        if continued and (len(text) - len(text.rstrip("\\"))) % 2:
            held += text[:-1]
        elif held or text.strip():
            found.append(Line(first, held + text))
            held = ""
    if held:
        found.append(Line(first, held))
    return tuple(found)


def _named(files: dict[str, ConfigFile]) -> Iterator[str]:
    """Files that a hook gives to a sysctl loader."""
    for file in files.values():
        if "/modprobe.d/" in file.path:
            for line in file.lines or ():
                if "sysctl" in line.text:
                    yield from (
                        path
                        for path in _ABSOLUTE.findall(line.text)
                        if "/bin/" not in path and "/sbin/" not in path and "*" not in path
                    )


def detect_loaders(top: Path) -> Loaders:
    """The programs in a tree, told from their files; what is not found is taken as usual.

    A tree without any program, such as a bare ``etc``, is read as a host with current procps,
    kmod and systemd.
    """
    root = Root(top)
    libraries = [name for place in _LIBRARIES for name in _names(root, place)]
    shared = [name for place in _LIBRARIES for name in _names(root, f"{place}/systemd")]
    sysctl = _first(root, "/usr/sbin/sysctl", "/sbin/sysctl", "/usr/bin/sysctl", "/bin/sysctl")
    modprobe = _first(root, "/usr/sbin/modprobe", "/sbin/modprobe")
    systemd = _first(root, "/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
    load = _first(
        root, "/usr/lib/systemd/systemd-modules-load", "/lib/systemd/systemd-modules-load"
    )
    bare = not (sysctl or modprobe or systemd)
    box = {path for path in (sysctl, modprobe) if path and root.real(path).endswith("/busybox")}
    version = next((match[1] for name in shared if (match := _SYSTEMD.match(name))), None)
    procps = next(
        (at for pattern, at in _PROCPS_LIBRARIES if any(map(pattern.match, libraries))), (4, 0, 4)
    )
    return Loaders(
        init="systemd" if bare or systemd else "",
        systemd_sysctl=systemd or ("/usr/lib/systemd/systemd-sysctl" if bare else None),
        systemd_version=int(version) if version else None,
        systemd_modules_load=load or ("/usr/lib/systemd/systemd-modules-load" if bare else None),
        procps=None if sysctl in box and sysctl else procps,
        sysctl_path=sysctl or ("/usr/sbin/sysctl" if bare else None),
        sysctl_kind="busybox" if sysctl in box and sysctl else "procps",
        kmod=None if modprobe in box and modprobe else 34,
        modprobe=modprobe or ("/usr/sbin/modprobe" if bare else None),
        masked_units=tuple(unit for unit in _UNITS if _masked(root, unit)),
    )


def _names(root: Root, directory: str) -> list[str]:
    try:
        return root.names(directory)
    except UnreadableError:
        return []


def _first(root: Root, *paths: str) -> str | None:
    return next((path for path in paths if root.exists(path)), None)


def _masked(root: Root, unit: str) -> bool:
    return any(
        root.real(f"{directory}/{unit}") == "/dev/null"
        for directory in ("/etc/systemd/system", "/run/systemd/system")
    )
