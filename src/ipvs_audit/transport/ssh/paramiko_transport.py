"""paramiko's transport, made light and quiet, and the faults of a connection put into words."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import paramiko
from paramiko.packet import Packetizer

from ipvs_audit.model import limits
from ipvs_audit.transport import NoCommonAlgorithmError, TransportError
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.ssh import algorithms
from ipvs_audit.transport.ssh.algorithm_mismatch import Mismatch
from ipvs_audit.transport.ssh.certificate import parse
from ipvs_audit.transport.ssh.host_keys import ShownKey
from ipvs_audit.transport.ssh.known_hosts import Key
from ipvs_audit.transport.ssh.paramiko_internals import TransportBase

if TYPE_CHECKING:
    from collections.abc import Sequence

# Its log repeats what errors say already, and costs time on every packet.
_log = logging.getLogger("paramiko")
if _log.level == logging.NOTSET:
    _log.setLevel(logging.CRITICAL + 1)


class _ReadAhead:
    """A socket that is read in large pieces: paramiko asks for each packet in two small ones."""

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        self._sock = sock
        self._ahead = b""
        self.send = sock.send
        self.close = sock.close

    def recv(self, most: int) -> bytes:
        """At least a byte, or nothing at the end; raises as the socket does."""
        data = self._ahead or self._sock.recv(limits.SOCKET_READ_SIZE)
        self._ahead = data[most:]
        return data[:most]


class _Packetizer(Packetizer):
    """Reads ahead, and watches the handshake by the clock; paramiko starts a thread for it."""

    _due: float | None = None

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        super().__init__(cast("socket.socket", _ReadAhead(sock)))

    def start_handshake(self, timeout: float) -> None:
        self._due = time.monotonic() + timeout

    def handshake_timed_out(self) -> bool:
        return self._due is not None and time.monotonic() > self._due

    def complete_handshake(self) -> None:
        self._due = None


class SshTransport(TransportBase):
    """One encrypted connection, not yet authenticated."""

    def __init__(
        self, sock: socket.socket | paramiko.Channel, key_algorithms: Sequence[str]
    ) -> None:
        super().__init__(sock, packetizer_class=_Packetizer)
        self._key_algorithms = tuple(key_algorithms)
        self._stream = sock

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Host key algorithms."""
        return self._key_algorithms

    @property
    def preferred_kex(self) -> tuple[str, ...]:
        """Key exchange methods."""
        return algorithms.KEY_EXCHANGES

    @property
    def preferred_ciphers(self) -> tuple[str, ...]:
        """Ciphers."""
        return algorithms.CIPHERS

    @property
    def preferred_macs(self) -> tuple[str, ...]:
        """Message authentication codes."""
        return algorithms.MACS

    def shake_hands(self, where: str, deadline: Deadline) -> ShownKey:
        """Exchange keys and return the one that the server showed.

        Raises:
            TransportError: it is mute, busy, or no SSH server.
        """
        self.banner_timeout = self.handshake_timeout = deadline.left() + 1
        done = threading.Event()
        try:
            self.start_client(event=done)
        except RuntimeError:
            raise TransportError(
                "configuration",
                f"{where}: this machine cannot start more threads; lower --forks, or raise the"
                " process limit (ulimit -u, TasksMax, pids.max)",
                retry="backoff",
            ) from None
        if not done.wait(deadline.left()):
            raise _mute(where, banner=self.remote_version)
        if not self.is_active() or not self.initial_kex_done:
            error = self.get_exception()
            if isinstance(error, paramiko.ssh_exception.IncompatiblePeer) and self.offered:
                lacking = Mismatch(self.offered, self.preferred_keys)
                raise NoCommonAlgorithmError(f"{where}: {lacking.text}", lacking.keywords)
            raise _no_handshake(where, error, self.remote_version)
        self.offered = {}
        key = self.get_remote_server_key()
        plain = Key(key.get_name(), key.asbytes())
        if self.shown_key == plain.blob:
            return ShownKey(plain)
        try:
            certificate = parse(self.shown_key)
        except ValueError as error:
            raise TransportError(
                "protocol", f"{where}: the server's host certificate is broken: {error}"
            ) from None
        if certificate.key != plain:
            raise TransportError("protocol", f"{where}: the server's host certificate is broken")
        return ShownKey(plain, certificate)

    def auth_publickey(
        self, username: str, key: paramiko.PKey, event: threading.Event | None = None
    ) -> list[str]:
        """Log in by a key within ``auth_timeout``; paramiko looks ten times a second."""
        done = event or threading.Event()
        super().auth_publickey(username, key, done)
        if event is not None:
            return []
        due = Deadline.after(self.auth_timeout)
        while not done.wait(min(limits.CONNECTION_CHECK, due.left())) and self.is_active():
            if due.over():
                break
        self.auth_timeout = due.left()
        handler: Any = self.auth_handler
        allowed: list[str] = handler.wait_for_response(done)
        return allowed

    def close(self) -> None:
        """End the connection: first its thread, then the socket.

        A socket that is closed while its thread is about to read makes its number free for another
        connection, whose bytes the thread would then take away.
        """
        with contextlib.suppress(OSError, EOFError):
            if isinstance(self._stream, socket.socket):
                self._stream.shutdown(socket.SHUT_RDWR)
            else:
                self._stream.close()
        if self.is_alive() and self is not threading.current_thread():
            self.join(limits.CLOSE_TIMEOUT)
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            super().close()
        with contextlib.suppress(OSError):
            self._stream.close()


def _mute(where: str, *, banner: str) -> TransportError:
    if banner:
        return TransportError("unreachable", f"{where}: no key exchange within the connect timeout")
    return TransportError(
        "unreachable",
        f"{where}: accepts connections but sent no SSH banner within the connect timeout; "
        "is this an SSH port, and is sshd running?",
    )


def _no_handshake(where: str, error: Exception | None, banner: str) -> TransportError:
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return NoCommonAlgorithmError(f"{where}: no algorithm in common: {one_line(str(error))}")
    if not banner:
        # Too many lines before the banner, or one that is no text: both come from no SSH server.
        words = ("Indecipherable", "can't decode")
        if isinstance(error, paramiko.SSHException) and any(word in str(error) for word in words):
            return TransportError("protocol", f"{where}: no SSH server: {one_line(str(error))}")
        return TransportError(
            "unreachable",
            f"{where}: closed the connection before its SSH banner; too many connections at once "
            "(MaxStartups, PerSourceMaxStartups, PerSourcePenalties) or a firewall",
            retry="backoff",
        )
    if error is None or isinstance(error, (EOFError, OSError)):
        return TransportError(
            "unreachable", f"{where}: closed the connection during key exchange", retry="once"
        )
    return TransportError("protocol", f"{where}: key exchange failed: {one_line(str(error))}")
