"""A connection by OpenSSH's client: started, watched, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.openssh import causes
from ipvs_audit.transport.openssh.arguments import command_line
from ipvs_audit.transport.openssh.askpass import Askpass
from ipvs_audit.transport.openssh.client_log import ClientLog
from ipvs_audit.transport.openssh.workspace import workspace
from ipvs_audit.transport.process import end_group

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings


class Client:
    """One process of OpenSSH's client, in a session of its own.

    Attributes:
        log: what it says of the connection.
        control: its control socket.
    """

    def __init__(self, target: Target, settings: Settings) -> None:
        """Start it.

        Raises:
            TransportError: it cannot be started.
        """
        self.log = ClientLog()
        self._proxies = b""
        self._secrets = (target.password,)
        self._where = target.name
        self._lock = threading.Lock()
        self._askpass: Askpass | None = None
        with contextlib.ExitStack() as undo:
            self._start(target, settings, undo)
            undo.pop_all()

    def _start(self, target: Target, settings: Settings, undo: contextlib.ExitStack) -> None:
        try:
            there = workspace()
            name = there.next_name()
            self.control = f"{name}.s"
            self._files = [f"{name}.log", f"{name}.pid", self.control]
            undo.callback(self._remove_files)
            arguments = command_line(
                target, settings, there, log=f"{name}.log", control=self.control
            )
            os.mkfifo(f"{name}.log", 0o600)
            self._log = os.open(f"{name}.log", os.O_RDONLY | os.O_NONBLOCK)
            undo.callback(os.close, self._log)
            environment = None
            if target.password is not None:
                self._askpass = Askpass(target.password, name, there)
                undo.callback(self._askpass.close)
                environment = os.environ | self._askpass.environment
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
                env=environment,
            )
            Path(f"{name}.pid").write_text(f"{self._process.pid}\n", encoding="ascii")
        except OSError as error:
            raise TransportError(
                "configuration", f"{target.name}: ssh cannot be started: {error.strerror}"
            ) from None

    @property
    def _errors(self) -> IO[bytes]:
        assert self._process.stderr is not None  # noqa: S101  # it was asked for
        return self._process.stderr

    def await_ready(self, deadline: Deadline) -> None:
        """Wait until the host has let us in, answering for the password.

        Raises:
            TransportError: it has not, and why.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._log, selectors.EVENT_READ)
            selector.register(self._errors, selectors.EVENT_READ)
            if self._askpass is not None:
                selector.register(self._askpass, selectors.EVENT_READ)
            while not self._is_decided() and not deadline.over():
                found = selector.select(min(deadline.left(), limits.CONNECTION_CHECK))
                if not found and self.has_ended():
                    break
                for key, _ in found:
                    if key.fileobj == self._askpass and self._askpass is not None:
                        self.feed_log_now()
                        self._askpass.answer(may_know=bool(self.log.fingerprint))
                    elif key.fd == self._log:
                        self.feed_log_now()
                    elif not self.feed_errors_now():
                        selector.unregister(self._errors)
        if self.log.ready and not self.log.unsaved:
            return
        late = deadline.over() and not self.has_ended()
        self.end()
        self.feed_log_now()
        self.feed_errors_now()
        raise causes.refused(
            self.log,
            self._proxies,
            where=self.log.where or self._where,
            late=late,
            secrets=self._secrets,
        )

    def _is_decided(self) -> bool:
        return self.log.ready or self.log.over or self.log.unsaved

    @property
    def watched(self) -> tuple[int, int]:
        """Descriptors to be read while the connection stands, for :meth:`feed_log` and errors."""
        return self._log, self._errors.fileno()

    def feed_errors(self, data: bytes) -> None:
        """Keep the end of what jump hosts and proxy commands say."""
        self._proxies = (self._proxies + data)[-limits.PROXY_ERRORS :]

    def feed_log_now(self) -> None:
        """Read what the log holds; its end is told to :attr:`log`."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._log, limits.READ_SIZE):
                self.log.feed(data)
            self.log.feed(b"")

    def feed_errors_now(self) -> bool:
        """Read what others wrote; false where nobody is left who could."""
        os.set_blocking(self._errors.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._errors.fileno(), limits.READ_SIZE):
                self.feed_errors(data)
            return False
        return True

    def has_ended(self) -> bool:
        """Whether the client is gone."""
        return self._process.poll() is not None

    def ends_soon(self) -> bool:
        """Whether the client is gone, or about to go."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limits.CLIENT_END)
        return self.has_ended()

    def end(self) -> None:
        """End the client and all that it started; from any thread. Its files stay."""
        with self._lock:
            if self._process.returncode is None:
                end_group(self._process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(limits.CLIENT_END)
            end_group(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """End it, and remove its files; only while nobody reads them."""
        self.end()
        os.close(self._log)
        self._errors.close()
        if self._askpass is not None:
            self._askpass.close()
        self._remove_files()

    def _remove_files(self) -> None:
        for path in self._files:
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()


def start_client(target: Target, settings: Settings) -> Client:
    """A client that is connected and logged in.

    Raises:
        TransportError: it is not to be had; the kind and the message say why.
    """
    client = Client(target, settings)
    try:
        client.await_ready(Deadline.after(min(settings.limits.connect, settings.limits.deadline)))
    except BaseException:
        client.close()
        raise
    return client
