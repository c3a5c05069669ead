"""One guest: a QEMU process that we started, its console, and ssh into it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.patience import Patience
from lab.process import LabError, tail

SSH_OPTIONS = (
    *("-F", "none"),
    *("-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=60"),
    *("-o", "IdentitiesOnly=yes"),
    *("-o", "LogLevel=ERROR"),
    *("-o", "StrictHostKeyChecking=yes"),
)
PANIC = "Kernel panic - not syncing"
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this very process started: to reap them when they end."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"
SSH_FAILED = 255


class GuestError(LabError):
    """A guest died, or did not do what it was told; names it and shows its console's end."""


@dataclass
class Guest:
    r"""A guest that runs, or did.

    >>> guest.ssh("uname -r").stdout                                               # doctest: +SKIP
    '6.1.0-50-cloud-amd64\n'
    >>> guest.put("/etc/sysctl.d/90-ipvs.conf", "net.ipv4.vs.run_estimation = 0")  # doctest: +SKIP
    >>> guest.reboot()                                                             # doctest: +SKIP
    """

    name: str
    series: str
    port: int
    folder: Path
    client_key: Path
    pid: int
    started: str
    """When the process began, in the kernel's ticks: tells it from a later one with the same id."""

    @property
    def known_hosts(self) -> Path:
        """The guest's real host key, and no other."""
        return self.folder / "known_hosts"

    def save(self) -> None:
        """Leaves a note for a later `lab down`."""
        fields = {key: str(value) for key, value in asdict(self).items()}
        (self.folder / "guest.json").write_text(json.dumps(fields, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Guest:
        """The guest that was noted in the folder.

        Raises:
            LabError: There is no such note.
        """
        try:
            note = json.loads((folder / "guest.json").read_text())
            return cls(
                name=note["name"],
                series=note["series"],
                port=int(note["port"]),
                folder=folder,
                client_key=Path(note["client_key"]),
                pid=int(note["pid"]),
                started=note["started"],
            )
        except (OSError, ValueError, KeyError) as error:
            raise LabError(f"no guest in {folder}: {error}") from error

    # -- its life

    def runs(self) -> bool:
        """Whether its process is there, and is ours."""
        if (child := _children.get(self.pid)) and child.poll() is not None:
            return False
        return started(self.pid) == self.started

    def console(self, lines: int = 15) -> str:
        """The end of what the guest printed."""
        try:
            text = (self.folder / "console.log").read_text(errors="replace")
        except OSError:
            text = ""
        printed = (self.folder / "qemu.log").read_text(errors="replace")
        return tail(text.replace("\r", ""), lines) + ("\n" + tail(printed) if printed else "")

    def check(self) -> None:
        """Does nothing while the guest is well.

        Raises:
            GuestError: Its process has ended, or its kernel has panicked.
        """
        console = self.folder / "console.log"
        if not self.runs():
            raise GuestError(f"guest {self.name} has died; its console ended:\n{self.console()}")
        if console.exists() and PANIC in console.read_text(errors="replace"):
            raise GuestError(f"guest {self.name} has panicked:\n{self.console(40)}")

    def wait(self, timeout: float) -> None:
        """Until its sshd answers.

        Args:
            timeout: Seconds that it may take on a machine with nothing else to do; see `Patience`.

        Raises:
            GuestError: It died, or did not answer in time.
        """
        patience = Patience(self.pid, timeout)
        # What QEMU accepted while the guest was not there yet is lost: ask briefly, then longer.
        briefly = 0.5
        while not self.answers(briefly):
            # A starved guest works on the tries that were given up, too: each starves it more.
            briefly = min(briefly * 1.3, 60.0)
            self.check()
            if patience.over():
                raise GuestError(
                    f"guest {self.name} did not answer on port {self.port} after "
                    f"{patience}; its console ended:\n{self.console()}",
                )
            time.sleep(0.2)

    def answers(self, patience: float = 3.0) -> bool:
        """Whether an ssh banner comes: QEMU itself accepts connections before the guest does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def reboot(self, timeout: float = 120) -> None:
        """Reboots the guest's system, as `systemctl reboot` does, and waits until it is back up.

        Args:
            timeout: Seconds that it may take on a machine with nothing else to do; see `Patience`.

        Raises:
            GuestError: It is not back in time.
        """
        before = self.ssh(f"cat {BOOT_ID}").stdout
        self.ssh("systemctl start --no-block reboot.target", check=False)
        patience = Patience(self.pid, timeout)
        while not patience.over():
            self.wait(patience.left())
            asked = self.ssh(f"cat {BOOT_ID}; systemctl is-system-running --wait", check=False)
            if asked.stdout and asked.returncode != SSH_FAILED and before not in asked.stdout:
                return
            time.sleep(0.3)
        raise GuestError(f"guest {self.name} was not back {patience} after its reboot")

    def stop(self) -> None:
        """Ends the process, if it is still the one that we started; its disk's changes are lost."""
        for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if not self.runs():
                return
            os.kill(self.pid, number)
            end = time.monotonic() + patience
            while self.runs() and time.monotonic() < end:
                time.sleep(0.02)

    # -- what is done in it

    def ssh_command(self, user: str = "root") -> list[str]:
        """The ssh command line that ends where a remote command would follow."""
        known = ["-o", f"UserKnownHostsFile={self.known_hosts}"]
        key = ["-i", str(self.client_key), "-p", str(self.port)]
        return ["ssh", *SSH_OPTIONS, *known, *key, f"{user}@127.0.0.1"]

    def ssh(
        self,
        command: str,
        *,
        user: str = "root",
        stdin: bytes = b"",
        timeout: float = 60,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a shell command in the guest.

        Args:
            command: What its shell runs.
            user: Who runs it.
            stdin: What the command reads.
            timeout: Seconds that it may take on a machine with nothing else to do; see `Patience`.
            check: Whether another exit status than 0 is an error.

        Raises:
            GuestError: It took too long; or, with `check`, exited non-zero.
        """
        # A file: communicate() drops what it has not sent when its time is over (Python 3.11).
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    [*self.ssh_command(user), command],
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            except FileNotFoundError as error:
                raise LabError("ssh is not installed") from error
        with process:
            stdout, stderr = self._communicate(process, timeout, command)
        done = subprocess.CompletedProcess(
            command,
            process.returncode,
            stdout.decode(errors="replace"),
            stderr.decode(errors="replace"),
        )
        if check and done.returncode:
            self.check()
            printed = tail(done.stderr or done.stdout)
            raise GuestError(f"guest {self.name}: exited {done.returncode}: {command}\n{printed}")
        return done

    def _communicate(
        self, process: subprocess.Popen[bytes], timeout: float, command: str
    ) -> tuple[bytes, bytes]:
        """What it printed; ends it where it takes too long."""
        patience = Patience(self.pid, timeout)
        try:
            while True:
                try:
                    return process.communicate(timeout=2)
                except subprocess.TimeoutExpired as error:
                    self.check()
                    if patience.over():
                        what = f"guest {self.name}: not done after {patience}: {command}"
                        raise GuestError(f"{what}\n{self.console()}") from error
        except BaseException:
            process.kill()
            raise

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file in the guest, with its folder."""
        word, folder = shlex.quote(path), shlex.quote(str(Path(path).parent))
        command = f"mkdir -p {folder} && cat > {word} && chmod {mode:o} {word}"
        self.ssh(command, stdin=text.encode())


def started(pid: int) -> str:
    """When a process began, in ticks since boot; empty when there is none (or only a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    state, begun = fields[0], fields[19]
    return "" if state in "ZX" else begun


def start(argv: list[str], folder: Path) -> tuple[int, str]:
    """Starts QEMU in a folder, apart from our terminal; gives back its id and when it began."""
    with (folder / "qemu.log").open("wb") as log:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[process.pid] = process
    return process.pid, started(process.pid)


def free_port(first: int = 20000, last: int = 32000) -> int:
    """A port of 127.0.0.1 that nothing uses, below those that the system hands out by itself."""
    span = last - first
    offset = int.from_bytes(os.urandom(4)) % span
    for step in range(span):
        port = first + (offset + step) % span
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError(f"no free port on 127.0.0.1 from {first} to {last}")
