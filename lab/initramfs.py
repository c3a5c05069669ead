"""The first thing a guest runs: busybox that loads the virtio drivers and hands over to systemd."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from typing import TYPE_CHECKING

from lab.process import LabError

if TYPE_CHECKING:
    from pathlib import Path

DRIVERS = (
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "failover",
    "net_failover",
    "virtio_net",
)
"""In the order of their dependencies; a kernel that has one built in has no file of it."""

INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
for module in {modules}; do /bin/busybox insmod /modules/$module; done
/bin/busybox ip link set lo up
/bin/busybox ip address add 10.0.2.15/24 dev eth0
/bin/busybox ip link set eth0 up
/bin/busybox ip route add default via 10.0.2.2
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root || exec /bin/busybox poweroff -f
/bin/busybox umount /proc
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""


def build(modules: Path, busybox: Path, scratch: Path, into: Path) -> None:
    """Writes the initramfs of one kernel.

    Args:
        modules: The kernel's module tree, `lib/modules/RELEASE`.
        busybox: A static busybox.
        scratch: A folder to lay it out in; made here.
        into: The file to write, a compressed cpio archive.
    """
    for name in ("bin", "dev", "proc", "root", "modules"):
        (scratch / name).mkdir(parents=True)
    shutil.copy(busybox, scratch / "bin/busybox")
    present = [name for name in DRIVERS if _copy(modules, name, scratch / "modules")]
    init = scratch / "init"
    init.write_text(INIT.format(modules=" ".join(present)))
    init.chmod(0o755)
    names = "\n".join(str(path.relative_to(scratch)) for path in sorted(scratch.rglob("*")))
    try:
        packed = subprocess.run(
            ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"],
            capture_output=True,
            check=True,
            cwd=scratch,
            input=names.encode(),
            timeout=300,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"pack {into.name}: {error}") from error
    # Unpacking happens under emulation: speed counts there, size hardly does here.
    into.write_bytes(gzip.compress(packed.stdout, compresslevel=1))


def _copy(modules: Path, name: str, into: Path) -> bool:
    for path in modules.rglob(f"{name}.ko*"):
        data = path.read_bytes()
        (into / name).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
        return True
    return False
