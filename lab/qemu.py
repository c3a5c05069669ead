"""QEMU: the accelerator that works here, the command line of a guest, and its control socket."""

from __future__ import annotations

import functools
import json
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lab import paths
from lab.process import LabError, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from lab.image import Image

BINARY = "qemu-system-x86_64"
CPU = "max,-cx16"
"""6.12 crashes at random in emulation right after a cmpxchg16b; so the guests' CPU has none."""

KVM_TRIAL = 4.0
"""Seconds that a kernel gets to print its first line: /dev/kvm may exist and hang all the same."""


@dataclass(frozen=True)
class Machine:
    """What kind of machine a guest is."""

    series: str
    memory: int = 256
    """MiB."""
    smp: str = "1"
    """QEMU's -smp, as in `1,maxcpus=64`."""
    append: str = ""
    """More kernel parameters, as in `possible_cpus=64`."""


@functools.cache
def version() -> str:
    """QEMU's version line.

    Raises:
        LabError: QEMU is not installed.
    """
    return run_command([BINARY, "--version"], timeout=60, what="find QEMU").splitlines()[0]


def accelerator(image: Image) -> str:
    """`kvm` where a kernel really starts under it, else `tcg`; found out once per boot of the host.

    IPVS_AUDIT_LAB_ACCEL overrides.
    """
    if given := os.environ.get("IPVS_AUDIT_LAB_ACCEL"):
        return given
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        this_boot = f"{file.read().strip()} {version()}"
    known = paths.CACHE / "accelerator.json"
    try:
        stored = json.loads(known.read_text())
    except (OSError, ValueError):
        stored = {}
    if stored.get("host") != this_boot:
        stored = {"host": this_boot, "accelerator": "kvm" if _kvm_starts(image) else "tcg"}
        known.write_text(json.dumps(stored))
    return str(stored["accelerator"])


def _kvm_starts(image: Image) -> bool:
    kernel, initrd = image.boot_files("6.1")
    argv = [BINARY, "-accel", "kvm", "-cpu", CPU, "-m", "256", "-nodefaults", "-nographic"]
    argv += ["-no-reboot", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initrd)]
    argv += ["-append", "console=ttyS0 earlyprintk=serial panic=-1"]
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=KVM_TRIAL,
        )
        printed = done.stdout
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
    return b"Linux version" in printed


def command(
    image: Image,
    machine: Machine,
    *,
    accel: str,
    port: int,
    drive: str,
    incoming: Path | None = None,
) -> list[str]:
    """The command line of a guest; its files are relative to the folder it is started in.

    Args:
        image: Where kernel and initramfs are.
        machine: What kind of machine.
        accel: `kvm` or `tcg`.
        port: On 127.0.0.1, forwarded to the guest's sshd.
        drive: QEMU's -drive without the interface.
        incoming: A saved guest to resume instead of booting.
    """
    kernel, initrd = image.boot_files(machine.series)
    append = f"console=ttyS0 net.ifnames=0 loglevel=4 fsck.mode=skip {machine.append}".strip()
    network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:22"
    # The buffer of translated code would take half a gigabyte a guest.
    accel = "tcg,tb-size=128" if accel == "tcg" else accel
    argv = [BINARY, "-accel", accel, "-cpu", CPU, "-m", str(machine.memory), "-smp", machine.smp]
    argv += ["-nodefaults", "-nographic", "-rtc", "base=utc,clock=host"]
    argv += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", append]
    argv += ["-drive", f"{drive},if=virtio"]
    argv += ["-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="]
    argv += ["-serial", "file:console.log", "-qmp", "unix:qmp.sock,server=on,wait=off"]
    if incoming:
        argv += ["-incoming", f"exec:cat {_shell_word(incoming)}"]
    return argv


def _shell_word(path: Path) -> str:
    if not re.fullmatch(r"[\w./+@:-]+", str(path)):
        raise LabError(f"the lab's cache has a name that QEMU cannot take: {path}")
    return str(path)


class Control:
    """QEMU's control socket (QMP) in a guest's folder; one command, one answer.

    >>> with Control(folder) as control:                    # doctest: +SKIP
    ...     control.ask("query-status")
    {'status': 'running', 'singlestep': False, 'running': True}
    """

    def __init__(self, folder: Path, timeout: float = 60.0) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)

    def __enter__(self) -> Self:
        # A socket's address is short, a checkout's path may not be.
        folder = os.open(self._folder, os.O_PATH)
        try:
            self._socket.connect(f"/proc/self/fd/{folder}/qmp.sock")
        except OSError as error:
            raise LabError(f"QEMU in {self._folder} does not answer: {error}") from error
        finally:
            os.close(folder)
        self._file = self._socket.makefile("rw", encoding="utf-8")
        self._file.readline()
        self.ask("qmp_capabilities")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, command: str, **arguments: object) -> Any:  # noqa: ANN401
        """What QEMU returns.

        Raises:
            LabError: QEMU refused, or does not answer.
        """
        try:
            self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self._file.flush()
            while True:
                answer = json.loads(self._file.readline() or '{"error": "it has ended"}')
                if "error" in answer:
                    raise LabError(f"QEMU in {self._folder}, {command}: {answer['error']}")
                if "return" in answer:
                    return answer["return"]
        except (OSError, ValueError) as error:
            raise LabError(f"QEMU in {self._folder}, {command}: {error}") from error

    def save(self, shell_target: Path, timeout: float) -> None:
        """Writes the running guest's memory and devices to a file; the guest is stopped then."""
        self.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40, "downtime-limit": 600_000})
        self.ask("migrate", uri=f"exec:cat > {_shell_word(shell_target)}")
        end = time.monotonic() + timeout
        while (status := self.ask("query-migrate").get("status")) != "completed":
            if status == "failed" or time.monotonic() > end:
                raise LabError(f"QEMU in {self._folder}: saving the guest: {status}")
            time.sleep(0.1)
