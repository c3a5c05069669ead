"""ProxyCommand: a program whose input and output are the connection."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.message_text import output_note

if TYPE_CHECKING:
    from ipvs_audit.transport.ssh.hop import Hop


#: Shells of accounts that nobody logs in to: they run no command.
_NO_SHELLS = frozenset({"nologin", "false"})


def _shell() -> str:
    """The user's own shell, as in OpenSSH (``ssh_proxy_connect``)."""
    shell = Path(os.environ.get("SHELL", ""))
    usable = shell.name not in _NO_SHELLS and shell.is_file() and os.access(shell, os.X_OK)
    return str(shell) if usable else "/bin/sh"


class ProxyCommand:
    """A running ProxyCommand, ended with the stack that it is started on.

    Attributes:
        sock: our end of the socket pair that is its input and output.
    """

    def __init__(self, command: str, stack: contextlib.ExitStack) -> None:
        """Start it by a shell, in a session of its own.

        Args:
            command: with nothing left to be replaced.
            stack: ends it, and whatever it has started.
        """
        self.sock, theirs = socket.socketpair()
        stack.callback(self.sock.close)
        with theirs:
            self._child = subprocess.Popen(
                [_shell(), "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self._said = b""
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        stack.callback(self._end)

    def explain(self, hop: Hop, error: TransportError) -> TransportError:
        """What the command itself says of a failed connection; the error where it still runs."""
        try:
            status = self._child.wait(limits.CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            return error
        self._reader.join(limits.CLOSE_TIMEOUT)
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        return TransportError(
            "unreachable",
            f"{hop.where}: the ProxyCommand ended before the server answered ({how})"
            f"{output_note(self._said, (hop.password,))}",
            # ssh's words where a bastion takes no more connections (MaxStartups).
            retry="backoff" if b"kex_exchange_identification" in self._said else "never",
        )

    def _read_errors(self) -> None:
        """Keep the beginning of what it says, and let it say on."""
        stream = self._child.stderr
        if stream is None:
            return
        with stream, contextlib.suppress(OSError):
            while data := os.read(stream.fileno(), limits.READ_SIZE):
                if len(self._said) < limits.QUOTE_SEARCHED:
                    self._said += data[: limits.QUOTE_SEARCHED - len(self._said)]

    def _end(self) -> None:
        """End the command and what it has started, also where it ended itself before that."""
        if self._child.poll() is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(limits.PROXY_COMMAND_END)
        self._signal(signal.SIGKILL)
        self._child.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)
