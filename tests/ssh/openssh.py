"""A real OpenSSH server on loopback, started and ended by the tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipvs_audit.model.target import Target
from ipvs_audit.transport import Limits
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from pydantic import SecretStr

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
ME = pwd.getpwuid(os.getuid()).pw_name
QUICK = Limits(connect=10, deadline=20)


@dataclass(frozen=True)
class Person:
    """A user made for the tests."""

    name: str
    password: SecretStr


def keygen(path: Path, kind: str = "ed25519", *options: str) -> Path:
    """A key pair without passphrase (unless the options say otherwise)."""
    passphrase = [] if "-N" in options else ["-N", ""]
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-C", "test", "-f", str(path), *passphrase, *options],
        check=True,
    )
    return path


def public(path: Path) -> str:
    """The public half, type and blob."""
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


def fingerprint(path: Path) -> str:
    told = subprocess.run(
        ["ssh-keygen", "-lf", f"{path}.pub"], check=True, capture_output=True, text=True
    )
    return told.stdout.split()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running sshd and what is needed to get in."""

    folder: Path
    port: int
    host_keys: dict[str, Path]
    user_key: Path
    pid: int
    settings: Settings = field(default_factory=Settings)

    @property
    def name(self) -> str:
        return f"[127.0.0.1]:{self.port}"

    def known(self, *kinds: str) -> str:
        """Lines for known_hosts; all key types where none is named."""
        paths = [self.host_keys[kind] for kind in kinds or self.host_keys]
        return "".join(f"{self.name} {public(path)}\n" for path in paths)

    def target(self, name: str = "web1", **changes: Any) -> Target:
        target = Target(
            name,
            address="127.0.0.1",
            port=self.port,
            user=ME,
            key_file=str(self.user_key),
        )
        return replace(target, **changes)

    def with_known(self, text: str, **changes: Any) -> Settings:
        """Settings with a known_hosts file of its own."""
        path = self.folder / f"known-{time.monotonic_ns()}"
        path.write_text(text)
        return replace(self.settings, known_hosts=(path,), **changes)

    def sessions(self) -> set[int]:
        """Processes under the server: one or two per open connection, and what they run."""
        return descendants(self.pid)


#: Starts one more server, with these lines in its configuration.
Start = Callable[..., AbstractContextManager[Server]]


def children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def descendants(pid: int) -> set[int]:
    tree, found, todo = children(), set[int](), [pid]
    while todo:
        for child in tree.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return found


def running(words: str) -> list[int]:
    """Processes whose command line holds these words."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if words in (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(
                    "utf-8", "replace"
                ):
                    found.append(int(entry.name))
    return found


def wait_until(condition: Any, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


@contextlib.contextmanager
def serve(
    folder: Path, host_keys: dict[str, Path], user_key: Path, *lines: str, path: str = ""
) -> Iterator[Server]:
    """Run sshd in the foreground as a child, ended by its pid.

    Sessions have a home of their own: the start-up files of whoever runs the tests are not tested.
    """
    assert SSHD is not None
    port = free_port()
    # Not named by the port alone: one that is free again may be given out twice.
    here = Path(tempfile.mkdtemp(prefix=f"sshd-{port}-", dir=folder))
    here.chmod(0o755)
    authorized = here / "authorized_keys"
    authorized.write_text(public(user_key) + "\n")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    config = here / "sshd_config"
    config.write_text(
        "\n".join(
            (
                *lines,  # the first value wins
                f"Port {port}",
                "ListenAddress 127.0.0.1",
                *(f"HostKey {path}" for path in host_keys.values()),
                "PidFile none",
                "StrictModes no",
                f"AuthorizedKeysFile {authorized}",
                "UsePAM no",
                "PermitRootLogin yes",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                # The one keyword of which the last value wins.
                *(
                    []
                    if any(line.startswith("MaxStartups") for line in lines)
                    else ["MaxStartups 1000"]
                ),
                f"SetEnv HOME={here} {f'PATH={path}' if path else ''}",
                "UseDNS no",
                "LogLevel VERBOSE",
                "",
            )
        )
    )
    with (here / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stdout=log, stderr=log)
    try:
        if not wait_until(lambda: _answers(port) or process.poll() is not None):
            raise AssertionError("sshd does not answer")
        assert process.poll() is None, (here / "log").read_text()
        server = Server(here, port, host_keys, user_key, process.pid)
        settings = Settings(limits=QUICK, ssh_config=Path("/dev/null"))
        yield replace(
            server, settings=replace(server, settings=settings).with_known(server.known())
        )
    finally:
        left = descendants(process.pid)
        process.terminate()
        process.wait(10)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, 9)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            return sock.recv(4) == b"SSH-"
    except OSError:
        return False
