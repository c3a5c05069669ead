"""The fleet that collecting is measured on: many names of one real sshd on loopback."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_evidence import RECORDINGS

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = ROOT / ".venv-bench" / "bin" / "python"
#: What a far host takes longer for each round trip.
DELAY_MS = 20
#: As in pyproject.toml: its plugin imports all of it at the end of each run.
WITHOUT_HYPOTHESIS = ("-p", "no:hypothesispytest")
sys.path.insert(0, str(ROOT / "tests" / "ssh"))

from openssh import ME, Server, free_port, keygen, public, serve, wait_until  # noqa: E402
from openssh import _answers as answers  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where the hosts are, and what each program needs to reach them.

    Attributes:
        folder: for files that a peer wants.
        port: of 127.0.0.1; every host's.
        key: the user's private key.
        known_hosts: says the server's host key.
    """

    folder: Path
    port: int
    key: Path
    known_hosts: Path

    def inventory(self, hosts: int) -> Path:
        """An Ansible inventory of that many names of the server."""
        path = self.folder / f"hosts-{hosts}-{self.port}.ini"
        digits = max(4, len(str(hosts)))  # as many at both ends, as Ansible wants them
        path.write_text(
            f"host[{1:0{digits}}:{hosts:0{digits}}] ansible_host=127.0.0.1 ansible_port={self.port}"
            f" ansible_user={ME} ansible_ssh_private_key_file={self.key}\n"
        )
        return path

    def ssh_config(self) -> Path:
        """What OpenSSH's own clients need; its cheapest key exchange, as ours."""
        path = self.folder / f"ssh_config-{self.port}"
        path.write_text(
            "Host *\n HostName 127.0.0.1\n"
            f" Port {self.port}\n User {ME}\n IdentityFile {self.key}\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {self.known_hosts}\n GlobalKnownHostsFile /dev/null\n"
            f" HostKeyAlias [127.0.0.1]:{self.port}\n BatchMode yes\n LogLevel ERROR\n"
            " KexAlgorithms curve25519-sha256\n ControlMaster no\n"
        )
        return path


@contextlib.contextmanager
def fleet() -> Iterator[Fleet]:
    """Start the server; it is ended with the block."""
    with tempfile.TemporaryDirectory(prefix="ipvs-audit-bench-") as name:
        room = Path(name)
        room.chmod(0o755)
        key = keygen(room / "user")
        # A loopback port per host would need as many servers; one takes all sessions.
        with serve(room, {"ed25519": keygen(room / "host")}, key, "LogLevel ERROR") as server:
            yield _fleet(room, server, server.port)


def _fleet(room: Path, server: Server, port: int) -> Fleet:
    known = room / f"known_hosts-{port}"
    known.write_text(
        "".join(f"[127.0.0.1]:{port} {public(path)}\n" for path in server.host_keys.values())
    )
    return Fleet(room, port, server.user_key, known)


@contextlib.contextmanager
def stub(room: Path, wait: float, core: int | None = None) -> Iterator[Fleet]:
    """A fleet that stub_sshd.py plays.

    Args:
        room: for its keys and files.
        wait: seconds until it answers.
        core: the one that it is kept on; all, where None.
    """
    port, host_key, key = free_port(), room / f"host-{wait}", room / f"user-{wait}"
    keygen(host_key)
    keygen(key)
    stands_for = RECORDINGS / "drifted.jsonl"
    with _server(port, core, PEERS, HERE / "stub_sshd.py", port, host_key, stands_for, wait):
        known = room / f"known_hosts-{port}"
        known.write_text(f"[127.0.0.1]:{port} {public(host_key)}\n")
        yield Fleet(room, port, key, known)


@contextlib.contextmanager
def delayed(near: Fleet, milliseconds: float, core: int | None = None) -> Iterator[Fleet]:
    """The same fleet behind a proxy on loopback that adds this much to each round trip.

    Args:
        near: the fleet.
        milliseconds: half of them on the way there.
        core: the one that the proxy is kept on; all, where None.
    """
    port, proxy = free_port(), HERE / "delay_proxy.py"
    with _server(port, core, sys.executable, proxy, port, near.port, milliseconds / 2):
        known = near.folder / f"known_hosts-{port}"
        known.write_text(near.known_hosts.read_text().replace(f":{near.port} ", f":{port} "))
        yield Fleet(near.folder, port, near.key, known)


@contextlib.contextmanager
def _server(port: int, core: int | None, *command: str | Path | float) -> Iterator[None]:
    """Run a server until the block ends; it listens when the block begins."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    process = subprocess.Popen([*pinned, *map(str, command)])
    try:
        if not wait_until(lambda: answers(port) or process.poll() is not None, 20):
            raise RuntimeError(f"{command[1]} does not answer")
        yield
    finally:
        process.terminate()
        process.wait(10)


def quiet_environment() -> dict[str, str]:
    """The environment without anybody's agent, Ansible settings and pytest options."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "SSH_", "PYTEST_"))
    }
    return {**kept, "LC_ALL": "C.UTF-8"}
