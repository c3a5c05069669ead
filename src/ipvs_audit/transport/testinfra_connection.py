"""Connections by testinfra's own backends: docker, podman, kubectl, chroot, lxc, salt ...

The backend builds its own command line; where that runs as a local process (all but salt and
winrm), this module runs it in testinfra's place, with a deadline and an output cap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import testinfra.backend

from ipvs_audit.transport import Output, TransportError, safe_names
from ipvs_audit.transport.deadline import Deadline
from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.process import run_process
from ipvs_audit.transport.script_protocol import TIMEOUT_STYLES, ScriptProtocol, TimeoutStyleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from testinfra.backend.base import BaseBackend, CommandResult

    from ipvs_audit.model.target import Become, Target

#: testinfra's backends that stand for SSH themselves, or for a whole inventory.
_OURS = frozenset({"ssh", "safe-ssh", "paramiko", "ansible", "local", "ipvs-audit"})


#: Those that lead into a container, from which its node can be entered.
CONTAINERS = ("docker", "kubectl", "openshift", "podman")


def connect_testinfra(target: Target) -> TestinfraConnection:
    """A connection by one of testinfra's own backends.

    The address may carry what the backend needs, as testinfra writes it:
    ``pod?namespace=kube-system&container=proxy``.

    Raises:
        TransportError: testinfra has no such backend, or it cannot be loaded.
    """
    known = sorted({"ssh", "local", *testinfra.backend.BACKENDS} - (_OURS - {"ssh", "local"}))
    if target.connection not in known:
        raise TransportError(
            "configuration",
            f"{target.name}: ansible_connection {target.connection} is not supported; "
            f"supported: {', '.join(known)}",
        )
    if target.become is not None and target.become.password is not None:
        raise TransportError(
            "configuration",
            f"{target.name}: a become password cannot be used with {target.connection}; "
            "allow NOPASSWD, or connect as the right user (user@name)",
        )
    address, options = _host_spec(target)
    try:
        backend = testinfra.backend.get_backend_class(target.connection)(address, **options)
    except (RuntimeError, ImportError) as error:
        raise TransportError("configuration", f"{target.name}: {one_line(str(error))}") from None
    return TestinfraConnection(
        backend,
        via=f"{target.connection} {address}" + (", its node" if target.node else ""),
        become=target.become,
        node=target.node,
    )


def _host_spec(target: Target) -> tuple[str, dict[str, Any]]:
    """The address and the options for a backend, each of them plain words.

    testinfra quotes them for a shell, but not all of them well (kubectl's ``--context="%s"``), and
    docker would take a name with ``-`` in front for an option, salt ``*`` for every minion.

    Raises:
        TransportError: says which of them is no plain word.
    """
    address = target.address or target.name
    options: dict[str, Any] = {}
    if "?" in address:
        if address == target.name:
            raise TransportError(
                "configuration",
                f"{target.name}: set ansible_host: options such as ?namespace= do not count in"
                " a host's name, which others than the inventory's author may give",
            )
        address, options = testinfra.backend.parse_hostspec(f"{target.connection}://{address}")
        options.pop("connection", None)
    if target.user and target.connection in {"docker", "podman"}:
        address = f"{target.user}@{address}"
    if target.connection != "winrm":  # it runs no program here, and its address holds a password
        for what, value in {"address": address, **options}.items():
            for word in str(value).split("@"):  # USER@CONTAINER
                safe_names.refuse_word(target.name, what, word)
    return address, options


class TestinfraConnection:
    """A testinfra backend that runs scripts. It keeps nothing open between them."""

    fingerprint = ""
    direct = False

    def __init__(
        self, backend: BaseBackend, *, via: str, become: Become | None, node: bool = False
    ) -> None:
        self._backend = backend
        self._become = become
        self._node = node
        self._kill: Callable[[], None] = lambda: None
        self._timeout_styles = list(TIMEOUT_STYLES)
        self.via = via

    def run_script(self, script: bytes, *, timeout: float, max_output: int) -> Output:
        """Run a script with ``sh -c``; see :class:`ipvs_audit.transport.Connection`.

        Over salt and winrm, ``timeout`` is not enforced here; the collector's deadline is.
        """
        deadline = Deadline.after(timeout)
        while True:
            protocol = ScriptProtocol(
                script,
                where=self.via,
                seconds=deadline.left(),
                max_output=max_output,
                become=self._become,
                timeout_style=self._timeout_styles[0],
                inline=True,
                node=self._node,
            )
            status = self._run(protocol, deadline, timeout)
            try:
                return protocol.output(status)
            except TimeoutStyleError:
                self._timeout_styles.pop(0)

    def close(self) -> None:
        """Kill the script that is running, if any; nothing stays open between scripts."""
        self._kill()

    def _run(self, protocol: ScriptProtocol, deadline: Deadline, timeout: float) -> int | None:
        status: int | None = None
        ran_here = False

        def started(kill: Callable[[], None]) -> None:
            self._kill = kill

        def run_local(command: str, *args: str) -> CommandResult:
            nonlocal status, ran_here
            ran_here = True
            line = self._backend.quote(command, *args)
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
