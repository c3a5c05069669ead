"""Logins as users and hosts have them: other shells, banners, none at all; and lines that fail."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import paramiko
import pytest
from openssh import Person, Server, Start, keygen, public

from ipvs_audit.transport import Limits, TransportError
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings

SHELLS = ("dash", "bash", "csh", "fish")
START_UP = (".profile", ".bashrc", ".cshrc", ".login", ".config/fish/config.fish")
#: Loose ends of every grammar, terminal codes, and a start mark that is not ours.
BANNER = '*** it\'s "forbidden" `here` $HOME %s ipvs-audit-start-0 \x1b[2J ***\n' * 500


def attempt(target: Target, settings: Settings) -> bytes:
    connection = open_connection(target, settings)
    try:
        script = b'echo "it\'s $((1+1))"'
        timeout = settings.limits.deadline
        return connection.run_script(script, timeout=timeout, max_output=1 << 20).stdout
    finally:
        connection.close()


def test_every_login_shell_with_a_banner_and_chatty_start_up_files(
    start: Start, person: Person, tmp_path: Path
) -> None:
    banner = tmp_path / "banner"
    banner.write_text(BANNER)
    with start(f"Banner {banner}") as server:
        for name in START_UP:
            path = server.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("echo welcome\n")
        for path in (server.folder, *server.folder.rglob("*")):
            path.chmod(0o755)
        target = server.target(user=person.name)
        for shell in filter(None, map(shutil.which, SHELLS)):
            with login_shell(person, shell):
                assert attempt(target, server.settings) == b"it's 2\n", shell


def test_account_that_may_not_log_in_is_explained(start: Start, person: Person) -> None:
    nologin = str(shutil.which("nologin", path="/usr/sbin:/sbin"))
    with start() as server, login_shell(person, nologin), pytest.raises(TransportError) as caught:
        attempt(server.target(user=person.name), server.settings)
    assert "nologin" in caught.value.message
    assert caught.value.kind == "protocol"


@contextlib.contextmanager
def login_shell(person: Person, shell: str) -> Iterator[None]:
    subprocess.run(["usermod", "-s", shell, person.name], check=True)
    try:
        yield
    finally:
        subprocess.run(["usermod", "-s", "/bin/sh", person.name], check=True)


@contextlib.contextmanager
def relay(port: int, forward: Callable[[socket.socket, socket.socket], None]) -> Iterator[int]:
    """A port whose connections go to another one; what comes back is forwarded by a function."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client = listening.accept()[0]
                    server = socket.create_connection(("127.0.0.1", port))
                    ours.extend((client, server))
                    for way in ((copy, client, server), (forward, server, client)):
                        threading.Thread(target=quiet, args=way, daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for one in ours:
                one.close()


def quiet(way: Callable[..., None], *sockets: socket.socket) -> None:
    with contextlib.suppress(OSError):
        way(*sockets)


def copy(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(65536):
        sink.sendall(data)


def cut(after: int, end: Callable[[socket.socket], None]) -> Callable[..., None]:
    """Forward so many bytes, then end it in this way."""

    def forward(source: socket.socket, sink: socket.socket) -> None:
        left = after
        while left and (data := source.recv(left)):
            sink.sendall(data)
            left -= len(data)
        end(sink)

    return forward


def reset(sink: socket.socket) -> None:
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sink.shutdown(socket.SHUT_RD)  # nobody else reads from it now
    sink.close()


def stall(_sink: socket.socket) -> None:
    """Nothing more comes; the line stays open."""


#: Bytes from the server: none, in its name, in the key exchange, at login, in the session.
CUTS = (0, 10, 100, 700, 1100, 1500, 1700, 1900)


def outcomes(
    sshd: Server, cuts: tuple[int, ...], end: Callable[[socket.socket], None], limits: Limits
) -> list[str]:
    found = []
    for after in cuts:
        with relay(sshd.port, cut(after, end)) as port:
            known = f"[127.0.0.1]:{port} {public(sshd.host_keys['ed25519'])}\n"
            settings = sshd.with_known(known, limits=limits)
            try:
                found.append(attempt(sshd.target(port=port), settings).decode())
            except TransportError as error:
                found.append(error.kind)
    return found


def test_line_that_is_reset_anywhere_is_an_error_of_the_line(sshd: Server) -> None:
    found = outcomes(sshd, CUTS, reset, Limits(connect=10, deadline=15))
    assert set(found[:4]) == {"unreachable"}, found
    assert set(found) <= {"unreachable", "protocol", "it's 2\n"}, found


def test_line_that_stalls_anywhere_ends_in_time(sshd: Server) -> None:
    begun = time.monotonic()
    found = outcomes(sshd, CUTS[1::2], stall, Limits(connect=1, deadline=2))
    assert set(found[:2]) == {"unreachable"}, found
    assert set(found) <= {"unreachable", "timeout", "protocol", "it's 2\n"}, found
    assert time.monotonic() - begun < len(found) * (1 + 2 + 3) + 10


class Flood(paramiko.Transport):
    """A server that keeps sending what a client must read and not answer."""

    def run_flood(self, kind: int, stop: threading.Event) -> None:
        message = paramiko.Message()
        message.add_byte(bytes([kind]))
        message.add_string(b"\x1b[2Jflood " * 2000)
        message.add_string(b"")
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while not stop.is_set() and self.is_active():
                self._send_user_message(message)


@pytest.mark.parametrize("kind", [2, 4, 53], ids=["ignore", "debug", "banner"])
def test_server_that_floods_before_the_login_ends_within_the_connect_timeout(
    sshd: Server, kind: int, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "host", "ecdsa")
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            flood = Flood(listening.accept()[0])
            flood.add_server_key(paramiko.ECDSAKey.from_private_key_file(str(key)))
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                flood.start_server(server=Mute())
                flood.run_flood(kind, stop)
            flood.close()

        threading.Thread(target=serve, daemon=True).start()
        settings = replace(
            sshd.with_known(f"[127.0.0.1]:{port} {public(key)}\n"),
            limits=Limits(connect=2, deadline=4),
        )
        begun = time.monotonic()
        with pytest.raises(TransportError) as caught:
            open_connection(sshd.target(port=port), settings)
        assert time.monotonic() - begun < 15
        stop.set()
    assert caught.value.kind in {"unreachable", "authentication", "protocol"}
    assert "\x1b" not in caught.value.message


class Mute(paramiko.ServerInterface):
    """Takes no login, and lets it wait."""

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        del username, key
        time.sleep(3)
        return paramiko.common.AUTH_FAILED
