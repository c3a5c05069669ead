"""The disk that guests start from, the kernels beside it, and the keys that open it.

One image for each Debian suite that guests have the programs of; the fleet has bookworm's. Built
once, when first asked for, and cached under a key: the hash of what it is made of.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import initramfs, paths
from lab.build_folder import build_folder
from lab.kernels import KERNELS, Kernel
from lab.packages import Archive, mirror
from lab.process import LabError, run_command

if TYPE_CHECKING:
    from pathlib import Path

SUITE = "bookworm"
"""Whose programs the fleet's guests have."""

PACKAGES = (
    "busybox-static",
    "dbus",
    "iproute2",
    "iputils-ping",
    "ipvsadm",
    "kmod",
    "openssh-server",
    "procps",
    "sudo",
    "systemd-sysv",
    "udev",
    "util-linux",
)
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "ipvsadm.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-logind.service",
    "systemd-pstore.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
)
"""Units that cost boot time and tell the audit nothing."""

TREES = ("kernel/arch/x86/crypto", "kernel/crypto", "kernel/lib", "kernel/net")
DRIVERS = ("drivers/block", "drivers/char/hw_random", "drivers/net", "drivers/virtio")
"""What a guest keeps of a kernel's modules."""

MADE_OF = ("image.py", "initramfs.py", "kernels.py", "packages.py")
ROOTFS = paths.HERE / "rootfs"
OLD_PROCPS = "/opt/procps-3.3.17"


@dataclass(frozen=True)
class Image:
    """A finished image: a folder that nothing writes to any more."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The root file system, raw ext4."""
        return self.folder / "disk.ext4"

    @property
    def client_key(self) -> Path:
        """The private key that logs in as root and as audit."""
        return self.folder / "id_ed25519"

    @property
    def host_key(self) -> Path:
        """The host key that a guest shows until it is given one of its own."""
        return self.folder / "ssh_host_ed25519_key"

    def boot_files(self, series: str) -> tuple[Path, Path]:
        """The kernel and its initramfs."""
        return self.folder / f"vmlinuz-{series}", self.folder / f"initrd-{series}"


def key(suite: str = SUITE) -> str:
    """What the image is called: a hash of the recipe."""
    digest = hashlib.sha256(suite.encode())
    files = [paths.HERE / name for name in MADE_OF]
    files += [path for path in sorted(ROOTFS.rglob("*")) if path.is_file()]
    for path in files:
        digest.update(f"{path.relative_to(paths.HERE)}\0{path.stat().st_mode:o}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def ensure(suite: str = SUITE) -> Image:
    """The image of a Debian suite, built now if it is not there yet.

    Raises:
        LabError: It is not there and this user may not build it, or the build failed.
    """
    image = Image(paths.CACHE / "images" / key(suite))
    if image.folder.is_dir():
        paths.used(image.folder)
        return image
    with paths.locked("image"):
        if not image.folder.is_dir():
            _build(suite, image.folder)
    return image


def _build(suite: str, final: Path) -> None:
    if os.geteuid() != 0:
        raise LabError(
            "the lab image is not built yet, and building it needs root (debootstrap); "
            "run `make lab-build` as root once, then anybody can start the guests",
        )
    if platform.machine() != "x86_64":
        raise LabError(f"the lab image can be built on x86_64 only, not on {platform.machine()}")
    final.parent.mkdir(parents=True, exist_ok=True)
    print(f"lab: building the {suite} image {final.name} (a minute or two, once)", flush=True)
    with build_folder() as work:
        out = work / "out"
        out.mkdir()
        root = work / "rootfs"
        archive = Archive(work / "apt", [kernel.suite for kernel in KERNELS.values()])
        with ThreadPoolExecutor() as pool:
            bootstrapped = pool.submit(_bootstrap, suite, root)
            archive.update()
            unpacked = {kernel: _unpack(archive, kernel) for kernel in KERNELS.values()}
            procps = [archive.unpack(package, "bullseye") for package in ("procps", "libprocps8")]
            bootstrapped.result()
        busybox = root / "bin/busybox"
        releases = {}
        for kernel, folder in unpacked.items():
            releases[kernel.series] = release = _install_kernel(kernel, folder, root, out)
            initrd = out / f"initrd-{kernel.series}"
            modules = root / "lib/modules" / release
            initramfs.build(modules, busybox, work / initrd.name, initrd)
        _install_old_procps(procps, root)
        _keys(out)
        _configure(root, out)
        (out / "manifest.json").write_text(json.dumps(_manifest(root, releases), indent=1))
        _disk(root, out / "disk.ext4")
        out.chmod(0o755)
        out.rename(final)
    paths.prune(final.parent)


def _bootstrap(suite: str, root: Path) -> None:
    include = ",".join(PACKAGES)
    run_command(
        ["debootstrap", "--variant=minbase", f"--include={include}", suite, root, mirror()],
        timeout=1800,
        what="install the guest's Debian",
    )


def _unpack(archive: Archive, kernel: Kernel) -> Path:
    return archive.unpack(archive.depends("linux-image-cloud-amd64", kernel.suite), kernel.suite)


def _install_kernel(kernel: Kernel, folder: Path, root: Path, out: Path) -> str:
    """Puts the kernel into `out` and its modules into the root; gives back its release."""
    found = [*folder.glob("lib/modules/*"), *folder.glob("usr/lib/modules/*")]
    if len(found) != 1:
        raise LabError(f"kernel {kernel.series}: {len(found)} module trees in its package")
    source, release = found[0], found[0].name
    shutil.copy(folder / "boot" / f"vmlinuz-{release}", out / f"vmlinuz-{kernel.series}")
    target = root / "lib/modules" / release
    for tree in (*TREES, *(f"kernel/{name}" for name in DRIVERS)):
        if (source / tree).is_dir():
            shutil.copytree(source / tree, target / tree)
    for path in source.glob("modules.*"):
        shutil.copy(path, target / path.name)
    run_command(["chroot", root, "depmod", release], timeout=600, what=f"depmod for {release}")
    return release


def _install_old_procps(packages: list[Path], root: Path) -> None:
    """Debian 11's sysctl beside the guest's own: older systems read some lines differently."""
    target = root / OLD_PROCPS.lstrip("/")
    (target / "lib").mkdir(parents=True)
    for package in packages:
        for path in (*package.glob("sbin/sysctl"), *package.rglob("libprocps.so.8*")):
            shutil.copy(path, target / "lib" / path.name, follow_symlinks=False)
    wrapper = target / "sysctl"
    wrapper.write_text(
        f'#!/bin/sh\nexec env LD_LIBRARY_PATH={OLD_PROCPS}/lib {OLD_PROCPS}/lib/sysctl "$@"\n',
    )
    wrapper.chmod(0o755)


def _keys(out: Path) -> None:
    owner = paths.HERE.stat()
    for name in ("id_ed25519", "ssh_host_ed25519_key"):
        new_key(out / name, comment="ipvs-audit-lab")
        # Root builds the image, but whoever has the checkout starts the guests.
        os.chown(out / name, owner.st_uid, owner.st_gid)


def new_key(path: Path, *, comment: str) -> None:
    """A new Ed25519 key pair without a passphrase."""
    run_command(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path],
        timeout=120,
        what=f"make the key {path.name}",
    )


def _configure(root: Path, out: Path) -> None:
    shutil.copytree(ROOTFS, root, dirs_exist_ok=True)
    for path in ROOTFS.rglob("*"):
        os.chown(root / path.relative_to(ROOTFS), 0, 0)
    (root / "etc/sudoers.d/audit").chmod(0o440)
    for unit in MASKED:
        (link := root / "etc/systemd/system" / unit).unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    for path in out.glob("ssh_host_*"):
        shutil.copy(path, root / "etc/ssh" / path.name)
    run_command(
        ["chroot", root, "useradd", "--create-home", "--shell=/bin/bash", "--password=*", "audit"],
        timeout=120,
        what="make the account audit",
    )
    # Keys outside the home directories: one file for both accounts, owned by root.
    shutil.copy(out / "id_ed25519.pub", root / "etc/ssh/authorized_keys")
    # With no machine-id at all systemd would take every boot for the first one.
    (root / "etc/machine-id").write_text(hashlib.md5(b"lab", usedforsecurity=False).hexdigest())
    dbus = root / "var/lib/dbus/machine-id"
    dbus.unlink(missing_ok=True)
    dbus.symlink_to("/etc/machine-id")
    for name in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(root / name, ignore_errors=True)


def _manifest(root: Path, releases: dict[str, str]) -> dict[str, object]:
    listed = run_command(
        ["chroot", root, "dpkg-query", "--show", "--showformat=${Package} ${Version}\\n"],
        timeout=300,
        what="list the guest's packages",
    )
    return {"kernels": releases, "packages": dict(map(str.split, listed.splitlines()))}


def _disk(root: Path, disk: Path) -> None:
    with disk.open("wb") as file:
        file.truncate(2 << 30)
    run_command(
        ["mke2fs", "-q", "-t", "ext4", "-L", "lab", "-E", "root_owner=0:0", "-d", root, disk],
        timeout=600,
        what="write the disk image",
    )
