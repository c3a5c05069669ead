"""The userlands whose loaders are tried natively: Debian 11, 12 and 13, unpacked beside each other.

No maintainer script runs: the packages' files are unpacked, which is all that the loaders need.
Cached like the lab's image, under a hash of the recipe.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.host import Loaders
from lab import paths
from lab.build_folder import build_folder
from lab.packages import Archive
from lab.process import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGES = (
    *("base-files", "bash", "busybox-static", "coreutils", "dash", "grep", "kmod", "procps"),
    *("sed", "systemd", "util-linux"),
)
MADE_OF = ("packages.py", "oracle/userlands.py")
CONFIG = ("sysctl.d", "modprobe.d", "modules-load.d")
_MERGED = ("bin", "sbin", "lib", "lib64")
_SYSTEMD = "/usr/lib/systemd"


@dataclass(frozen=True)
class Userland:
    """The programs of one release.

    Attributes:
        name: as the oracle's report shows it.
        suite: of Debian.
        procps, systemd, kmod: versions, as the probe reads them.
        busybox: sysctl and modprobe are busybox's, as on Alpine.
    """

    name: str
    suite: str
    procps: tuple[int, ...]
    systemd: int
    kmod: int
    busybox: bool = False

    @property
    def loaders(self) -> Loaders:
        """What the probe says of such a host."""
        return Loaders(
            init="systemd",
            systemd_sysctl=f"{_SYSTEMD}/systemd-sysctl",
            systemd_version=self.systemd,
            systemd_modules_load=f"{_SYSTEMD}/systemd-modules-load",
            procps=None if self.busybox else self.procps,
            sysctl_path="/usr/sbin/sysctl",
            sysctl_kind="busybox" if self.busybox else "procps",
            kmod=None if self.busybox else self.kmod,
            modprobe="/usr/sbin/modprobe",
            modprobe_kind="busybox" if self.busybox else "kmod",
            masked_units=(),
            os_id="debian",
            udevd=f"{_SYSTEMD}/systemd-udevd",
        )


USERLANDS = {
    userland.name: userland
    for userland in (
        Userland("debian-11", "bullseye", (3, 3, 17), 247, 28),
        Userland("debian-12", "bookworm", (4, 0, 2), 252, 30),
        Userland("debian-13", "trixie", (4, 0, 4), 257, 34),
        Userland("busybox", "bookworm", (), 252, 0, busybox=True),
    )
}


class _Archive(Archive):
    """An apt that resolves dependencies as well."""

    def download_with_dependencies(self, packages: Sequence[str]) -> list[Path]:
        """Fetch packages and all that they depend on, as an empty system would get them."""
        simulated = self._apt(
            "apt-get", "install", "--simulate", "--no-install-recommends", *packages
        )
        names = re.findall(r"^Inst (\S+) ", simulated, re.MULTILINE)
        self._apt("apt-get", "download", "--quiet=2", *names)
        return sorted((self.folder / "debs").glob("*.deb"))


GUEST = "debian-12"
"""The one whose programs the fleet's guests have."""

GUESTS = ("debian-11", "debian-12", "debian-13")
"""Those that the oracle's guests have in turn: each is an image of its own."""


@cache
def ensure(userland: Userland) -> Path:
    """The userland's root, built now if it is not there yet; nothing writes to it.

    Raises:
        LabError: the build failed.
    """
    final = paths.CACHE / "userlands" / f"{userland.name}-{_key()}"
    with paths.locked("userlands"):
        if final.is_dir():
            paths.used(final)
        else:
            _build(userland, final)
    return final


def _key() -> str:
    digest = hashlib.sha256()
    for name in MADE_OF:
        digest.update((paths.HERE / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(userland: Userland, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    print(f"lab: unpacking {userland.name} (once)", flush=True)
    with build_folder() as work:
        archive = _Archive(work / "apt", [userland.suite])
        archive.update()
        root = work / "root"
        (root / "usr").mkdir(parents=True)
        for name in _MERGED:
            (root / "usr" / name).mkdir()
            (root / name).symlink_to(f"usr/{name}")
        for deb in archive.download_with_dependencies(PACKAGES):
            _unpack(deb, root)
        _configure(userland, root)
        root.rename(final)
    paths.prune(final.parent)


def _unpack(deb: Path, root: Path) -> None:
    """Unpack a package through the links of a merged /usr."""
    contents = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=False, timeout=300
    )
    done = subprocess.run(
        ["tar", "-x", "--keep-directory-symlink", "-C", root],
        input=contents.stdout,
        capture_output=True,
        check=False,
        timeout=300,
    )
    if contents.returncode or done.returncode:
        raise LabError(f"{deb.name} cannot be unpacked: {(contents.stderr + done.stderr)[-500:]!r}")


def _configure(userland: Userland, root: Path) -> None:
    """Leave no configuration but what the cases bring."""
    for top in ("etc", "usr/lib", "usr/local/lib"):
        for name in CONFIG:
            shutil.rmtree(root / top / name, ignore_errors=True)
            (root / top / name).mkdir(parents=True)
    (root / "etc/sysctl.conf").unlink(missing_ok=True)
    for name in ("usr/share/doc", "usr/share/locale", "usr/share/man", "run"):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("dev", "proc", "run", "sys", "tmp"):
        (root / name).mkdir(exist_ok=True)
    shell = root / "usr/bin/sh"
    if not shell.is_symlink():
        shell.symlink_to("dash")
    if userland.busybox:
        for name in ("sysctl", "modprobe", "insmod", "rmmod", "lsmod"):
            program = root / "usr/sbin" / name
            program.unlink(missing_ok=True)
            program.symlink_to("/usr/bin/busybox")
