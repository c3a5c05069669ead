"""Scripts over SSH: one channel each on one verified connection."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import paramiko

from ipvs_audit.model import limits
from ipvs_audit.transport import Output, TransportError
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.script_protocol import ScriptProtocol, TimeoutStyles
from ipvs_audit.transport.ssh.dial import SshLink, dial
from ipvs_audit.transport.ssh.paramiko_internals import send_request
from ipvs_audit.transport.ssh.pipe import ChannelPipe
from ipvs_audit.transport.ssh.route import find_route

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ipvs_audit.model.target import Become, Target
    from ipvs_audit.transport.script_protocol import TimeoutStyle
    from ipvs_audit.transport.settings import Settings


class SshConnection:
    """An open SSH connection.

    Attributes:
        fingerprint: the verified host key, ``SHA256:...``.
        via: how it was reached, e.g. ``ssh root@10.0.0.5:22``.
        direct: through no jump host and no proxy command.
    """

    def __init__(
        self,
        link: SshLink,
        *,
        via: str,
        direct: bool,
        where: str,
        become: Become | None,
        secrets: tuple[SecretStr | None, ...],
    ) -> None:
        self._link = link
        self._where = where
        self._become = become
        self._secrets = secrets
        self._timeout_styles = TimeoutStyles()
        self.fingerprint = link.fingerprint
        self.via = via
        self.direct = direct
        self.openssh_for: tuple[str, ...] = ()
        self._channel: paramiko.Channel | None = None
        self._closed = False

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
            return self._run(protocol, deadline, timeout)

        return self._timeout_styles.attempt(run)

    def open_pipe(self, command: str, *, timeout: float) -> ChannelPipe:
        """Start a command as the login user, without a terminal, and give a pipe to it.

        Only while no script runs. What follows shows whether the command could be started.

        Raises:
            TransportError: no session is to be had.
        """
        channel = self._open_channel(Deadline.after(timeout))
        pipe = ChannelPipe(channel, self._link.transport.is_active)
        try:
            send_request(channel, "exec", command, want_reply=True)
        except (OSError, EOFError, paramiko.SSHException):
            raise TransportError(
                "protocol", f"{self._where}: the connection ended before the command started"
            ) from None
        return pipe

    def close(self) -> None:
        """Kill the script that is running, if any, and end every connection on the way."""
        self._closed = True
        if self._channel is not None:
            self._close_channel(self._channel, finished=False)
        self._link.close()

    def _run(self, protocol: ScriptProtocol, deadline: Deadline, timeout: float) -> Output:
        channel = self._open_channel(deadline)
        finished = False
        self._channel = channel
        try:
            send_request(channel, "exec", protocol.command, want_reply=True)
            self._converse(channel, protocol, deadline, timeout)
            finished = channel.exit_status_ready()
        except TimeoutError:
            raise protocol.timed_out(timeout) from None
        except (OSError, EOFError, paramiko.SSHException):
            # A program that ends without reading its input closes it under our hands: no fault of
            # the connection, and what it said tells why.
            if not self._link.transport.is_active() or channel.exit_status < 0:
                raise protocol.cut_off() from None
            while _drain(channel, protocol):
                pass
            finished = True
        finally:
            self._close_channel(channel, finished=finished)
            self._channel = None
        has_status = channel.exit_status >= 0
        if not has_status and (self._closed or not self._link.transport.is_active()):
            raise protocol.cut_off()
        return protocol.output(channel.exit_status if has_status else None)

    def _open_channel(self, deadline: Deadline) -> paramiko.Channel:
        try:
            return self._link.transport.open_session(timeout=deadline.left())
        except paramiko.ChannelException as error:
            raise TransportError(
                "protocol", f"{self._where}: the server refuses a session: {one_line(error.text)}"
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            if deadline.over():
                raise TransportError(
                    "timeout", f"{self._where}: connected, but no session was opened in time"
                ) from None
            raise TransportError(
                "protocol",
                f"{self._where}: the connection ended before a session: {one_line(str(error))}",
                retry="once",
            ) from None

    def _converse(
        self,
        channel: paramiko.Channel,
        protocol: ScriptProtocol,
        deadline: Deadline,
        timeout: float,
    ) -> None:
        wake = _DataEvent(channel)
        channel.in_buffer.set_event(wake)
        channel.in_stderr_buffer.set_event(wake)
        channel.status_event = _StatusEvent(wake)
        lingering: Deadline | None = None
        eof_sent = False
        while True:
            wake.rearm()
            over = channel.closed or (channel.eof_received and channel.exit_status_ready())
            moved = _drain(channel, protocol)
            data = protocol.take_input()
            if data:
                channel.settimeout(max(0.05, deadline.left()))
                channel.sendall(data)
            if protocol.input_over and not eof_sent:
                channel.shutdown_write()
                eof_sent = wake.seldom = True
            if moved and not deadline.over():
                lingering = None
                continue
            if over:
                return
            if channel.exit_status_ready():
                lingering = lingering or Deadline.after(limits.BACKGROUND_OUTPUT)
                if lingering.over():
                    return
            if deadline.over():
                raise protocol.timed_out(timeout)
            check = limits.IDLE_CONNECTION_CHECK if wake.seldom else limits.CONNECTION_CHECK
            if lingering:
                check = limits.BACKGROUND_OUTPUT / 4
            wake.wait(min(deadline.left(), check))

    def _close_channel(self, channel: paramiko.Channel, *, finished: bool) -> None:
        """Close the channel; kill what still runs at its end, where the server knows how to."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            if not finished and not channel.closed:
                send_request(channel, "signal", "KILL", want_reply=False)
            channel.close()


class _DataEvent(threading.Event):
    """Tells that a buffer has changed; only its one reader clears it, not the buffers.

    Attributes:
        seldom: nobody waits to answer what comes, so that it may gather; its end is told at once.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        super().__init__()
        self._channel = channel
        self._gathered = 0
        self.seldom = False

    def set(self) -> None:
        """Called from paramiko's thread for every packet, and when the channel ends."""
        if self.seldom and not (self._channel.eof_received or self._channel.closed):
            self._gathered += 1
            if self._gathered % limits.PACKETS_PER_WAKE:
                return
        self.tell()

    def tell(self) -> None:
        """Wake the reader in any case."""
        super().set()

    def clear(self) -> None:
        """Paramiko clears the event when one of the two buffers runs empty: too early."""

    def rearm(self) -> None:
        super().clear()


class _StatusEvent(threading.Event):
    """Set by paramiko when the exit status has come, which may be long before the output ends."""

    def __init__(self, wake: _DataEvent) -> None:
        super().__init__()
        self._wake = wake

    def set(self) -> None:
        super().set()
        self._wake.tell()


def _drain(channel: paramiko.Channel, protocol: ScriptProtocol) -> bool:
    moved = False
    if channel.recv_stderr_ready():
        protocol.feed_stderr(channel.recv_stderr(limits.READ_SIZE))
        moved = True
    if channel.recv_ready():
        protocol.feed_stdout(channel.recv(limits.READ_SIZE))
        moved = True
    return moved


def connect_ssh(target: Target, settings: Settings) -> SshConnection:
    """Open a verified SSH connection to a target.

    Raises:
        TransportError: it is not to be had; the kind and the message say why.
    """
    route = find_route(target, settings)
    hop = route[-1]
    jumps = "".join(f" via {each.where}" for each in route[:-1])
    return SshConnection(
        dial(route, settings),
        via=f"ssh {hop.where}{jumps}",
        direct=len(route) == 1 and not hop.proxy_command,
        where=hop.where,
        become=target.become,
        secrets=(target.password,),
    )
