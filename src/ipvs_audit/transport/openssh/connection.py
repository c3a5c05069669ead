"""Scripts over a connection of OpenSSH's client: one session each."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import IO, TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport import Output, TransportError
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.openssh.client import Client, start_client
from ipvs_audit.transport.openssh.control import ControlError, ControlSession
from ipvs_audit.transport.openssh.pipe import SessionPipe
from ipvs_audit.transport.script_protocol import ScriptProtocol, TimeoutStyles
from ipvs_audit.transport.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from ipvs_audit.model.target import Become, Target
    from ipvs_audit.transport.script_protocol import TimeoutStyle
    from ipvs_audit.transport.settings import Settings


class OpensshConnection:
    """An open connection of OpenSSH's client.

    Attributes:
        fingerprint: the verified host key, ``SHA256:...``, as the client's log tells it; that of
            the certificate's key where the host has one. Empty where no host key took part (GSSAPI
            key exchange).
        via: how it was reached, e.g. ``ssh root@10.0.0.5:22 by OpenSSH``.
        direct: through no jump host and no proxy command.
        openssh_for: what paramiko cannot follow, where nobody asked for this client.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        openssh_for: tuple[str, ...],
        become: Become | None,
        secrets: tuple[SecretStr | None, ...],
    ) -> None:
        log = client.log
        self._client = client
        self._where = log.where or name
        self._become = become
        self._secrets = secrets
        self._timeout_styles = TimeoutStyles()
        self._lock = threading.Lock()
        self._running = self._closed = False
        self.fingerprint = log.fingerprint
        self.openssh_for = openssh_for
        self.via = f"ssh {self._where} by OpenSSH"
        self.direct = not log.proxied

    def run_script(self, script: bytes, *, timeout: float, max_output: int) -> Output:
        """Feed a script to ``sh`` on the host; see :class:`ipvs_audit.transport.Connection`."""
        deadline = Deadline.after(timeout)

        def run(style: TimeoutStyle) -> Output:
            protocol = ScriptProtocol(
                script,
                where=self._where,
                seconds=deadline.left(),
                max_output=max_output,
                become=self._become,
                timeout_style=style,
                secrets_to_hide=self._secrets,
            )
            if not self._begin():
                raise protocol.cut_off()
            try:
                return self._run(protocol, deadline, timeout)
            finally:
                self._finish()

        return self._timeout_styles.attempt(run)

    def open_pipe(self, command: str, *, timeout: float) -> SessionPipe:
        """Start a command as the login user, without a terminal, and give a pipe to it.

        What follows shows whether the command could be started.

        Raises:
            TransportError: the client is gone.
        """
        session, stdin, stdout, stderr = self._session(command, Deadline.after(timeout))
        return SessionPipe(
            session,
            (stdin, stdout, stderr),
            lambda: not self._client.has_ended(),
            self._drained(),
        )

    def _drained(self) -> dict[int, Callable[[bytes], None]]:
        """What is read while a command runs: whoever writes there would stand still otherwise."""
        log, errors = self._client.watched
        found: dict[int, Callable[[bytes], None]] = {errors: self._client.feed_errors}
        if not self._client.log.over:
            found[log] = self._client.log.feed
        return found

    def close(self) -> None:
        """End the client, the session that it has open, and every process on the way."""
        with self._lock:
            closed, self._closed = self._closed, True
            running = self._running
        if not closed:
            self._client.end()
            if not running:
                self._client.close()

    def _begin(self) -> bool:
        """Take note that a script runs; false where the connection was closed."""
        with self._lock:
            self._running = not self._closed
            return self._running

    def _finish(self) -> None:
        """A script is done; where the connection was closed meanwhile, clear up after it."""
        with self._lock:
            self._running = False
            closed = self._closed
        if closed:
            self._client.close()

    def _session(
        self, command: str, deadline: Deadline
    ) -> tuple[ControlSession, IO[bytes], IO[bytes], IO[bytes]]:
        """A command on the host, and our ends of its streams."""
        with contextlib.ExitStack() as theirs:
            pipes = [os.pipe() for _ in range(3)]
            inward, outward = pipes[0], pipes[1:]
            ours = [os.fdopen(inward[1], "wb", 0)]
            ours += [os.fdopen(each[0], "rb", 0) for each in outward]
            given = [inward[0], *(each[1] for each in outward)]
            for descriptor in given:
                theirs.callback(os.close, descriptor)
            try:
                session = ControlSession(self._client.control, command, given, deadline.left())
            except ControlError as error:
                for stream in ours:
                    stream.close()
                raise TransportError(
                    "protocol",
                    f"{self._where}: the connection ended before a session: {one_line(str(error))}",
                    retry="once",
                ) from None
        return session, *ours  # type: ignore[return-value]

    def _run(self, protocol: ScriptProtocol, deadline: Deadline, timeout: float) -> Output:
        session, *ours = self._session(protocol.command, deadline)
        with contextlib.closing(session), Streams(*ours) as streams:
            for descriptor, feed in self._drained().items():
                streams.watch(descriptor, feed)
            streams.watch(session.fileno(), session.feed)

            def over() -> bool:
                return session.over or session.status is not None or bool(session.refused)

            try:
                in_time = streams.converse(protocol, deadline, over, limits.IDLE_CONNECTION_CHECK)
            except ControlError as error:
                raise TransportError(
                    "protocol",
                    f"{self._where}: OpenSSH's client answers otherwise than documented: {error}",
                ) from None
            if in_time:
                in_time = streams.await_end(deadline, over)
            if session.refused:
                raise TransportError(
                    "protocol",
                    f"{self._where}: the server refuses a session: {one_line(session.refused)}",
                )
            if not in_time:
                raise protocol.timed_out(timeout)
            if session.status is None and (self._closed or self._client.ends_soon()):
                raise protocol.cut_off()
        return protocol.output(session.status)


def connect_openssh(
    target: Target, settings: Settings, openssh_for: tuple[str, ...] = ()
) -> OpensshConnection:
    """Open a verified connection to a target.

    Args:
        target: the host.
        settings: how to connect.
        openssh_for: why this client was chosen, where nobody asked for it.

    Raises:
        TransportError: it is not to be had; the kind and the message say why.
    """
    return OpensshConnection(
        start_client(target, settings),
        name=target.name,
        openssh_for=openssh_for,
        become=target.become,
        secrets=(target.password,),
    )
