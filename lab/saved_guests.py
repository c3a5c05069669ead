"""Saved guests: each kind of machine is booted once and saved; later guests resume from that.

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
from lab.process import run_command

if TYPE_CHECKING:
    from collections.abc import Iterable

BOOT = 180
"""Seconds of the emulator's CPU time that a boot may take; see `Patience`."""


@dataclass(frozen=True)
class SavedGuest:
    """A saved guest: its disk, as it was when its memory was saved, and its memory."""

    disk: Path
    memory: Path


def ensure(image: images.Image, machine: qemu.Machine) -> SavedGuest:
    """The saved guest of this kind, booted and saved now if it is not there yet.

    Raises:
        LabError: It does not boot, or cannot be saved.
    """
    digest = hashlib.sha256(f"{image.folder.name} {machine} {qemu.version()}".encode())
    for name in ("saved_guests.py", "qemu.py"):
        digest.update((paths.HERE / name).read_bytes())
    folder = paths.CACHE / "saved" / f"{machine.series}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        with paths.locked(f"saved-{machine.series}"):
            if not folder.is_dir():
                _save(image, machine, folder)
    paths.used(folder)
    return SavedGuest(folder / "disk.qcow2", folder / "memory")


def ensure_all(image: images.Image, machines: Iterable[qemu.Machine]) -> None:
    """The saved guests of some kinds, two boots at a time; nothing where hardware is fast."""
    if qemu.accelerator(image) != "tcg":
        return
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        list(pool.map(lambda one: ensure(image, one), machines))


def _save(image: images.Image, machine: qemu.Machine, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    print(f"lab: booting kernel {machine.series} once, to be saved", flush=True)
    with tempfile.TemporaryDirectory(prefix="saving-", dir=paths.CACHE) as name:
        work, out = Path(name), Path(name, "out")
        out.mkdir()
        disk = out / "disk.qcow2"
        backing = ["-b", str(image.disk), "-F", "raw"]
        run_command(
            ["qemu-img", "create", "-q", "-f", "qcow2", *backing, disk],
            timeout=120,
            what="make a disk for the saved guest",
        )
        drive = f"file={disk},format=qcow2"
        guest = boot(image, machine, f"saved-{machine.series}", work, drive)
        try:
            guest.ssh("systemctl is-system-running --wait; sync", timeout=BOOT, check=False)
            guest.ssh("echo 3 > /proc/sys/vm/drop_caches; rm -f /var/log/*log")
            with qemu.Control(work) as control:
                control.save(out / "memory", timeout=600)
                control.ask("quit")
        finally:
            guest.stop()
        out.rename(final)
    paths.prune(final.parent)


def boot(
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
    """Resumes the saved guest; where the hardware is fast, boots one instead."""
    if qemu.accelerator(image) != "tcg":
        return boot(image, machine, name, folder)
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
