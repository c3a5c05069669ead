"""Guests that have booted already: each kind is booted once, saved, and gone on from.

A saved guest has run up to multi-user.target, with ip_vs not loaded and no state of any host yet.
Under emulation that turns a boot of 15 s into one of a second or two.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import image as images
from lab import paths, qemu
from lab.guest import Guest, free_port, start
from lab.run import run

if TYPE_CHECKING:
    from collections.abc import Iterable

BOOT = 180
"""Seconds a boot may take: emulated, on a machine that is busy."""


@dataclass(frozen=True)
class Warm:
    """A saved guest: its disk, as it was when its memory was saved, and its memory."""

    disk: Path
    memory: Path


def ensure(image: images.Image, machine: qemu.Machine) -> Warm:
    """The saved guest of this kind, booted and saved now if it is not there yet.

    Raises:
        LabError: It does not boot, or cannot be saved.
    """
    digest = hashlib.sha256(f"{image.folder.name} {machine} {qemu.version()}".encode())
    for name in ("warm.py", "qemu.py"):
        digest.update((paths.HERE / name).read_bytes())
    folder = paths.CACHE / "warm" / f"{machine.series}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        with paths.locked(f"warm-{machine.series}"):
            if not folder.is_dir():
                _save(image, machine, folder)
    paths.used(folder)
    return Warm(folder / "disk.qcow2", folder / "memory")


def ensure_all(image: images.Image, machines: Iterable[qemu.Machine]) -> None:
    """The saved guests of some kinds, two boots at a time; nothing where hardware is fast."""
    if qemu.accelerator(image) != "tcg":
        return
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        list(pool.map(lambda one: ensure(image, one), machines))


def _save(image: images.Image, machine: qemu.Machine, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    print(f"lab: booting kernel {machine.series} once, to be saved", flush=True)
    with tempfile.TemporaryDirectory(prefix="warm-", dir=paths.CACHE) as name:
        work, out = Path(name), Path(name, "out")
        out.mkdir()
        disk = out / "disk.qcow2"
        backing = ["-b", str(image.disk), "-F", "raw"]
        run(
            ["qemu-img", "create", "-q", "-f", "qcow2", *backing, disk],
            timeout=30,
            what="make a disk for the saved guest",
        )
        drive = f"file={disk},format=qcow2"
        guest = boot_cold(image, machine, f"warm-{machine.series}", work, drive)
        try:
            guest.ssh("systemctl is-system-running --wait; sync", timeout=BOOT, check=False)
            guest.ssh("echo 3 > /proc/sys/vm/drop_caches; rm -f /var/log/*log")
            with qemu.Control(work) as control:
                control.save(out / "memory", timeout=120)
                control.ask("quit")
        finally:
            guest.stop()
        out.rename(final)
    paths.prune(final.parent)


def boot_cold(
    image: images.Image,
    machine: qemu.Machine,
    name: str,
    folder: Path,
    drive: str = "",
) -> Guest:
    """Boots a guest from power-on and waits for its sshd, which shows the image's host key."""
    drive = drive or f"file={image.disk},format=raw,snapshot=on"
    return _run(image, machine, name, folder, drive)


def resume(image: images.Image, machine: qemu.Machine, name: str, folder: Path) -> Guest:
    """Goes on from the saved guest; where the hardware is fast, boots one instead."""
    if qemu.accelerator(image) != "tcg":
        return boot_cold(image, machine, name, folder)
    saved = ensure(image, machine)
    drive = f"file={saved.disk},format=qcow2,snapshot=on"
    return _run(image, machine, name, folder, drive, incoming=saved.memory)


def _run(
    image: images.Image,
    machine: qemu.Machine,
    name: str,
    folder: Path,
    drive: str,
    *,
    incoming: Path | None = None,
) -> Guest:
    port = free_port()
    host_key = image.host_key.with_suffix(".pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(host_key)}\n")
    shutil.copy(image.client_key, folder / "id_ed25519")
    accel = qemu.accelerator(image)
    pid, begun = start(
        qemu.command(image, machine, accel=accel, port=port, drive=drive, incoming=incoming),
        folder,
    )
    guest = Guest(name, machine.series, port, folder, folder / "id_ed25519", pid, begun)
    guest.save()
    try:
        guest.wait(BOOT)
    except BaseException:
        guest.stop()
        raise
    return guest
