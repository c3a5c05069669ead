"""The keys of an ssh-agent."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import paramiko

from ipvs_audit.transport.ssh.paramiko_internals import connected_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.transport.deadline import Deadline


@contextlib.contextmanager
def agent_keys(path: str, deadline: Deadline) -> Iterator[tuple[paramiko.PKey, ...]]:
    """Keys that sign through the agent, as long as the context lasts; none where it is gone."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(sock):
        sock.settimeout(max(0.1, deadline.left()))
        try:
            sock.connect(path)
            keys = tuple(connected_agent(sock).get_keys())
        except (OSError, paramiko.SSHException, EOFError):
            keys = ()
        yield keys
