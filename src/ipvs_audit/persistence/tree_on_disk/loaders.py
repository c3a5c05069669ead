"""The loaders that a file tree on disk holds, by the files of their programs."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from ipvs_audit.persistence.boot_units import MODULES_UNIT, SYSCTL_UNIT, UDEVD_UNIT
from ipvs_audit.persistence.tree_on_disk.root import Root, UnreadableError
from ipvs_audit.snapshot.host import Loaders

if TYPE_CHECKING:
    from pathlib import Path

#: Where these programs usually are.
SYSCTL, MODPROBE = "/usr/sbin/sysctl", "/usr/sbin/modprobe"
SYSTEMD_SYSCTL = "/usr/lib/systemd/systemd-sysctl"
_MODULES_LOAD = "/usr/lib/systemd/systemd-modules-load"
_UDEVD = "/usr/lib/systemd/systemd-udevd"
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
_NEWEST_SYSTEMD = 257
_UNITS = (SYSCTL_UNIT, MODULES_UNIT, UDEVD_UNIT)


def detect_loaders(top: Path) -> Loaders:
    """The programs in a tree, detected by their files; usual ones where nothing is found.

    A tree without any program, such as a bare ``etc``, is read as a host with current procps,
    kmod and systemd.
    """
    root = Root(top)
    libraries = [name for place in _LIBRARIES for name in _names(root, place)]
    shared = [name for place in _LIBRARIES for name in _names(root, f"{place}/systemd")]
    sysctl = _first(root, SYSCTL, "/sbin/sysctl", "/usr/bin/sysctl", "/bin/sysctl")
    modprobe = _first(root, MODPROBE, "/sbin/modprobe")
    systemd = _first(root, SYSTEMD_SYSCTL, "/lib/systemd/systemd-sysctl")
    load = _first(root, _MODULES_LOAD, "/lib/systemd/systemd-modules-load")
    udevd = _first(root, _UDEVD, "/lib/systemd/systemd-udevd")
    bare = not (sysctl or modprobe or systemd)
    box = {path for path in (sysctl, modprobe) if path and root.real(path).endswith("/busybox")}
    version = next((match[1] for name in shared if (match := _SYSTEMD.match(name))), None)
    procps = next(
        (at for pattern, at in _PROCPS_LIBRARIES if any(map(pattern.match, libraries))), (4, 0, 4)
    )
    return Loaders(
        init="systemd" if bare or systemd else "",
        systemd_sysctl=systemd or (SYSTEMD_SYSCTL if bare else None),
        systemd_version=int(version) if version else _NEWEST_SYSTEMD if bare else None,
        systemd_modules_load=load or (_MODULES_LOAD if bare else None),
        procps=None if sysctl in box and sysctl else procps,
        sysctl_path=sysctl or (SYSCTL if bare else None),
        sysctl_kind="busybox" if sysctl in box and sysctl else "procps",
        kmod=None if modprobe in box and modprobe else 34,
        modprobe=modprobe or (MODPROBE if bare else None),
        modprobe_kind="busybox" if modprobe in box and modprobe else "kmod",
        masked_units=tuple(unit for unit in _UNITS if _masked(root, unit)),
        os_id=_os_id(root),
        udevd=udevd or (_UDEVD if bare else None),
    )


def _os_id(root: Root) -> str:
    """``ID`` of os-release; empty where there is none."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        with suppress(UnreadableError):
            text = root.read(root.real(path)).decode(errors="replace")
            found = re.search(r"^ID=[\"']?([\w.-]+)", text, re.MULTILINE)
            return found[1] if found else ""
    return ""


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
