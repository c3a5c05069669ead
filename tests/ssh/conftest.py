"""Servers, keys and users that the SSH tests share."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openssh import SSHD, Person, Server, Start, keygen, serve
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SSHD is None and not os.environ.get("CI"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="sshd is not installed"))


@pytest.fixture(scope="session")
def room() -> Iterator[Path]:
    """A folder that sshd may read as any user; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="ipvs-audit-ssh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def host_keys(room: Path) -> dict[str, Path]:
    return {
        "ed25519": keygen(room / "host_ed25519"),
        "ecdsa": keygen(room / "host_ecdsa", "ecdsa"),
        "rsa": keygen(room / "host_rsa", "rsa", "-b", "2048"),
    }


@pytest.fixture(scope="session")
def user_key(room: Path) -> Path:
    return keygen(room / "user")


@pytest.fixture(scope="session")
def start(room: Path, host_keys: dict[str, Path], user_key: Path) -> Start:
    """Start one more server with these lines in its configuration."""
    return partial(serve, room, host_keys, user_key)


@pytest.fixture(scope="session")
def sshd(start: Start) -> Iterator[Server]:
    """The server that most tests share."""
    with start() as server:
        yield server


@pytest.fixture(scope="session")
def person() -> Iterator[Person]:
    """A real user with a password; only root can make one."""
    if os.getuid() != 0 or not shutil.which("useradd"):
        pytest.skip("only root can add a user to log in as")
    name = f"ia{os.getpid()}"
    password = f"distinctive-{secrets.token_hex(8)}"
    subprocess.run(["useradd", "-M", "-d", "/tmp", "-s", "/bin/sh", name], check=True)  # noqa: S108
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{password}", text=True, check=True)
        yield Person(name, SecretStr(password))
    finally:
        subprocess.run(["userdel", "-f", name], check=False, capture_output=True)


@pytest.fixture
def sudoers(person: Person) -> Iterator[Callable[[str], None]]:
    """Write a rule of its own for the person into the real sudo's configuration."""
    folder = Path("/etc/sudoers.d")
    if not shutil.which("sudo") or not folder.is_dir():
        pytest.skip("sudo is not installed")
    path = folder / f"ipvs-audit-test-{os.getpid()}"

    def allow(rule: str) -> None:
        path.write_text("".join(f"{line.format(name=person.name)}\n" for line in rule.splitlines()))
        path.chmod(0o440)

    yield allow
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
