"""Scripts on this machine, under the same rules as on any other."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.process import run_process
from ipvs_audit.transport.script_protocol import TIMEOUT_STYLES, ScriptProtocol, TimeoutStyles

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.model.target import Become, Target
    from ipvs_audit.transport import Output
    from ipvs_audit.transport.script_protocol import TimeoutStyle


def refuse_other_machine(target: Target) -> None:
    """Refuse ``ansible_connection: local`` with the address of another machine.

    Ansible takes no notice of the address; here this machine would be reported as that one.

    Raises:
        TransportError: the address is not known to be this machine's; no name is looked up.
    """
    address = target.address or target.name
    host = socket.gethostname()
    own_names = {target.name, "localhost", host, host.split(".")[0]}
    if address not in own_names and not _is_own_address(address):
        raise TransportError(
            "configuration",
            f"{target.name}: remove ansible_connection or ansible_host: the connection is local, so"
            f" this machine would be audited in place of {address}",
        )


def _is_own_address(address: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with (
            contextlib.suppress(OSError, ValueError),
            socket.socket(family, socket.SOCK_DGRAM) as probe,
        ):
            probe.bind((str(ipaddress.ip_address(address)), 0))
            return True
    return False


class LocalConnection:
    """This machine. Every script runs in a session of its own, that is killed as one."""

    fingerprint = ""
    direct = False
    openssh_for: tuple[str, ...] = ()
    via = "local"

    def __init__(self, become: Become | None = None) -> None:
        self._become = become
        self._kill: Callable[[], None] = lambda: None
        # Without sudo the whole group dies with us; what sudo runs needs a leash.
        self._timeout_styles = TimeoutStyles(TIMEOUT_STYLES if become else TIMEOUT_STYLES[-1:])

    def run_script(self, script: bytes, *, timeout: float, max_output: int) -> Output:
        """Feed a script to ``sh``; see :class:`ipvs_audit.transport.Connection`."""
        deadline = Deadline.after(timeout)

        def run(style: TimeoutStyle) -> Output:
            protocol = ScriptProtocol(
                script,
                where="local",
                seconds=deadline.left(),
                max_output=max_output,
                become=self._become,
                timeout_style=style,
            )
            status = run_process(
                ["/bin/sh", "-c", protocol.command],
                protocol,
                deadline,
                timeout,
                on_start=self._started,
            )
            return protocol.output(status)

        return self._timeout_styles.attempt(run)

    def close(self) -> None:
        """Kill the script that is running, if any; nothing stays open between scripts."""
        self._kill()

    def _started(self, kill: Callable[[], None]) -> None:
        self._kill = kill
