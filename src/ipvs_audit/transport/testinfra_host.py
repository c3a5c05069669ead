"""testinfra's ``host`` over our connection.

>>> host_for(target, connection).file("/etc/passwd").exists  # doctest: +SKIP
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import testinfra.backend
from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from ipvs_audit.model import limits

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target
    from ipvs_audit.transport import Connection

NAME = "ipvs-audit"


class Backend(BaseBackend):  # type: ignore[misc]
    r"""Runs each command as a script over one open connection, as the target's become user.

    Output is read as UTF-8 with undecodable bytes as ``\\xNN``; nothing is run to find out the
    host's encoding.
    """

    NAME = NAME

    def __init__(
        self,
        hostname: str,
        *,
        connection: Connection,
        timeout: float = limits.COMMAND_TIMEOUT,
        max_output: int = limits.SCRIPT_OUTPUT,
    ) -> None:
        super().__init__(hostname)
        self._connection = connection
        self._timeout = timeout
        self._max_output = max_output

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:  # noqa: ANN401
        """Run a command; its exit status is -1 where the host did not tell.

        Raises:
            TransportError: the connection is lost, or the command hangs or floods.
        """
        script = self.encode(self.get_command(command, *args))
        output = self._connection.run_script(
            script, timeout=self._timeout, max_output=self._max_output
        )
        status = -1 if output.status is None else output.status
        return self.result(status, script, output.stdout, output.stderr)

    def get_sudo_command(self, command: str, sudo_user: str | None) -> str:
        """As testinfra's own, but sudo never waits for a password."""
        user = sudo_user or "root"
        return str(self.quote("sudo -n -u %s /bin/sh -c %s", user, command))

    def get_encoding(self) -> str:
        """UTF-8, without asking the host."""
        return "utf-8"

    def decode(self, data: bytes) -> str:
        """Never raises."""
        return data.decode("utf-8", "backslashreplace")

    def encode(self, data: str) -> bytes:
        """Never raises."""
        return data.encode("utf-8", "surrogateescape")


testinfra.backend.BACKENDS[NAME] = f"{__name__}.Backend"


def host_for(
    target: Target,
    connection: Connection,
    *,
    timeout: float = limits.COMMAND_TIMEOUT,
    max_output: int = limits.SCRIPT_OUTPUT,
) -> Host:
    """An ordinary testinfra host on an open connection.

    Args:
        target: names the host.
        connection: stays the caller's to close.
        timeout: seconds for each command.
        max_output: bytes of standard output of each command.
    """
    backend = Backend(target.name, connection=connection, timeout=timeout, max_output=max_output)
    host = Host(backend)
    backend.set_host(host)
    return host
