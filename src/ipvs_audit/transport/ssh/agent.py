"""The keys of an ssh-agent."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import paramiko
from paramiko.agent import AgentSSH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.transport.deadline import Deadline


@contextlib.contextmanager
def agent_keys(path: str, deadline: Deadline) -> Iterator[tuple[paramiko.PKey, ...]]:
    """Keys that sign through the agent, as long as the context lasts; none where it is gone."""
    agent = AgentSSH()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(sock):
        sock.settimeout(max(0.1, deadline.left()))
        try:
            sock.connect(path)
            agent._connect(sock)  # type: ignore[attr-defined]  # noqa: SLF001
            keys = tuple(agent.get_keys())
        except (OSError, paramiko.SSHException, EOFError):
            keys = ()
        yield keys
