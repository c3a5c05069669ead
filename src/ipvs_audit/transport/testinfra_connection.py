"""Connections by testinfra's own backends: docker, podman, kubectl, chroot, lxc, salt ...

The backend builds its own command line; where that runs as a local process (all but salt), this
module runs it in testinfra's place, with a deadline and an output cap.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import testinfra.backend

from ipvs_audit.transport import Output, TransportError, safe_names
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.process import run_process
from ipvs_audit.transport.script_protocol import ScriptProtocol, TimeoutStyles

if TYPE_CHECKING:
    from collections.abc import Callable

    from testinfra.backend.base import BaseBackend, CommandResult

    from ipvs_audit.model.target import Become, Target
    from ipvs_audit.transport.script_protocol import TimeoutStyle

#: testinfra's backends that stand for SSH themselves, or for a whole inventory.
_OURS = frozenset({"ssh", "safe-ssh", "paramiko", "ansible", "local", "ipvs-audit"})
#: Windows has no IPVS.
_NO_LINUX = frozenset({"winrm"})
_URL_USER = re.compile(r"://[^/@\s]*@")


#: Those that lead into a container, from which its node can be entered.
CONTAINERS = ("docker", "kubectl", "openshift", "podman")


def connect_testinfra(target: Target) -> TestinfraConnection:
    """A connection by one of testinfra's own backends.

    Raises:
        TransportError: testinfra has no such backend, or it cannot be loaded.
    """
    known = {"ssh", "local", *testinfra.backend.BACKENDS} - (_OURS - {"ssh", "local"}) - _NO_LINUX
    if target.connection not in known:
        raise TransportError(
            "configuration",
            f"{target.name}: ansible_connection {target.connection} is not supported; "
            f"supported: {', '.join(sorted(known))}",
        )
    if target.become is not None and target.become.password is not None:
        raise TransportError(
            "configuration",
            f"{target.name}: a become password cannot be used with {target.connection}; "
            "allow NOPASSWD, or connect as the right user (user@name)",
        )
    address = _address(target)
    try:
        backend = testinfra.backend.get_backend_class(target.connection)(address)
    except (RuntimeError, ImportError) as error:
        raise TransportError("configuration", f"{target.name}: {one_line(str(error))}") from None
    return TestinfraConnection(
        backend,
        via=_via(target, address),
        become=target.become,
        program_args=target.program_args,
        node=target.node,
    )


def _via(target: Target, address: str) -> str:
    """How a report says that the host was reached: passwords of URLs left out."""
    words = " ".join((target.connection, *target.program_args, address))
    return _URL_USER.sub("://***@", words) + (", its node" if target.node else "")


def _address(target: Target) -> str:
    """The address for a backend, of plain words.

    docker would take a name with ``-`` in front for an option, salt ``*`` for every minion.

    Raises:
        TransportError: says what in it is not plain.
    """
    address = target.address or target.name
    if target.user and target.connection in {"docker", "podman"}:
        address = f"{target.user}@{address}"
    for word in address.split("@"):  # USER@CONTAINER
        safe_names.refuse_word(target.name, "address", word)
    return address


class TestinfraConnection:
    """A testinfra backend that runs scripts. It keeps nothing open between them."""

    fingerprint = ""
    direct = False
    openssh_for: tuple[str, ...] = ()

    def __init__(
        self,
        backend: BaseBackend,
        *,
        via: str,
        become: Become | None,
        program_args: tuple[str, ...] = (),
        node: bool = False,
    ) -> None:
        self._backend = backend
        self._program_args = program_args
        self._become = become
        self._node = node
        self._kill: Callable[[], None] = lambda: None
        self._timeout_styles = TimeoutStyles()
        self.via = via

    def run_script(self, script: bytes, *, timeout: float, max_output: int) -> Output:
        """Run a script with ``sh -c``; see :class:`ipvs_audit.transport.Connection`.

        Over salt, ``timeout`` is not enforced here; the collector's deadline is.
        """
        deadline = Deadline.after(timeout)

        def run(style: TimeoutStyle) -> Output:
            protocol = ScriptProtocol(
                script,
                where=self.via,
                seconds=deadline.left(),
                max_output=max_output,
                become=self._become,
                timeout_style=style,
                inline=True,
                node=self._node,
            )
            return protocol.output(self._run(protocol, deadline, timeout))

        return self._timeout_styles.attempt(run)

    def close(self) -> None:
        """Kill the script that is running, if any; nothing stays open between scripts."""
        self._kill()

    def _with_program_args(self, line: str) -> str:
        """A backend's command line with our options after its first word, the program."""
        program, _, rest = line.partition(" ")
        return " ".join((program, *map(shlex.quote, self._program_args), rest))

    def _run(self, protocol: ScriptProtocol, deadline: Deadline, timeout: float) -> int | None:
        status: int | None = None
        ran_here = False

        def started(kill: Callable[[], None]) -> None:
            self._kill = kill

        def run_local(command: str, *args: str) -> CommandResult:
            nonlocal status, ran_here
            ran_here = True
            line = self._with_program_args(self._backend.quote(command, *args))
            status = run_process(
                ["/bin/sh", "-c", line], protocol, deadline, timeout, on_start=started
            )
            return self._backend.result(
                status or 0, line.encode("utf-8", "surrogateescape"), b"", b""
            )

        self._backend.run_local = run_local
        try:
            result = self._backend.run(protocol.command)
        except TransportError:
            raise
        except Exception as error:  # noqa: BLE001  # each backend raises what its library raises
            raise TransportError("unreachable", f"{self.via}: {one_line(str(error))}") from None
        if not ran_here:
            protocol.feed_stdout(result.stdout_bytes)
            protocol.feed_stderr(result.stderr_bytes)
            status = result.rc
        return status
