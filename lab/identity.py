"""Makes a guest a host of its own: its name, keys, ids and clock, and the states it is in."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
from typing import TYPE_CHECKING

from lab import paths
from lab.image import new_key
from lab.process import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.guest import Guest

STATES = paths.HERE / "states"
_MODES = {"key": 0o600, "id": 0o444}

# Every fork costs a tenth of a second under emulation: hence the builtins.
ENTER = """\
set -eu
units=
enable() {{
    case $1 in *@*) file="${{1%%@*}}@.service" ;; *) file=$1 ;; esac
    ln -sf "../$file" "/etc/systemd/system/multi-user.target.wants/$1"
    units="$units $1"
}}
# A saved guest wakes up with the time, the random pool and the boot-id of the day it was saved.
# Its hardware clock is the host's clock (QEMU's -rtc), however late this script arrives.
read -r now </sys/class/rtc/rtc0/since_epoch
date --set="@$now" >/dev/null
cat /run/lab/seed >/dev/urandom
read -r uuid </proc/sys/kernel/random/uuid
echo "$uuid" >/run/lab/boot_id
mount --bind /run/lab/boot_id /proc/sys/kernel/random/boot_id
echo {name} >/proc/sys/kernel/hostname
read -r sshd </run/sshd.pid
kill -HUP "$sshd"
"""


def set_identity(guest: Guest, states: Sequence[str] = (), timeout: float = 120) -> None:
    """Gives a fresh guest its identity and enters the states.

    Afterwards its sshd shows a host key of its own, the one in `guest.known_hosts`.

    Raises:
        LabError: There is no such state, or the guest could not enter one; says why.
    """
    key = guest.folder / "ssh_host_ed25519_key"
    new_key(key, comment=guest.name)
    files = {
        "etc/hostname": f"{guest.name}\n".encode(),
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {guest.name}\n".encode(),
        "etc/machine-id": f"{machine_id(guest)}\n".encode(),
        "etc/ssh/ssh_host_ed25519_key": key.read_bytes(),
        "etc/ssh/ssh_host_ed25519_key.pub": key.with_suffix(".pub").read_bytes(),
        "run/lab/seed": os.urandom(64),
        "run/lab/boot_id": b"",
    }
    script = ENTER.format(name=guest.name)
    for state in states:
        folder = STATES / state
        if not folder.is_dir():
            raise LabError(f"guest {guest.name}: there is no state {state} in {STATES}")
        files |= {
            str(path.relative_to(folder / "root")): path.read_bytes()
            for path in sorted((folder / "root").rglob("*"))
            if path.is_file()
        }
        script += f"# state {state}\n{(folder / 'enter.sh').read_text()}"
    script += '[ -z "$units" ] || systemctl start $units\n'
    files["run/lab/enter"] = script.encode()
    guest.ssh("tar -x -C / && exec sh /run/lab/enter", stdin=_tar(files), timeout=timeout)
    _learn(guest.known_hosts, key.with_suffix(".pub"), guest.port)
    guest.wait(120)


def machine_id(guest: Guest) -> str:
    """The guest's /etc/machine-id: the same in every run, another for every name."""
    return hashlib.md5(f"ipvs-audit {guest.name}".encode(), usedforsecurity=False).hexdigest()


def _learn(known_hosts: Path, public: Path, port: int) -> None:
    kind, key = public.read_text().split()[:2]
    known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {key}\n")


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = _MODES.get(name.rpartition("_")[2], 0o644)
            entry.mtime = int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
