"""What is used of paramiko beyond its documentation is still there; a new version fails by name."""

from __future__ import annotations

import paramiko
import pytest
from paramiko.agent import AgentSSH
from paramiko.packet import Packetizer

CHANNEL = paramiko.Channel(0)
PARTS: list[tuple[object, str, str]] = [
    (paramiko.Transport, "_kex_info", "curve25519-sha256 by its RFC's name"),
    (paramiko.Transport, "_active_check_timeout", "idle connections that seldom wake"),
    (paramiko.Transport, "_send_user_message", "requests that nobody waits for"),
    (paramiko.Transport, "preferred_kex", "the order of key exchanges"),
    (paramiko.Transport, "preferred_ciphers", "the order of ciphers"),
    (paramiko.Transport, "preferred_macs", "the order of MACs"),
    (paramiko.Transport, "preferred_keys", "the host key types that known_hosts has"),
    (AgentSSH, "_connect", "IdentityAgent"),
    (CHANNEL, "in_buffer", "waking the reader, and the time of each echo"),
    (CHANNEL, "in_stderr_buffer", "waking the reader"),
    (CHANNEL, "status_event", "waking the reader with the exit status"),
    (CHANNEL, "eof_received", "the end of the output"),
    (CHANNEL, "remote_chanid", "requests that nobody waits for"),
    (Packetizer, "start_handshake", "a handshake without a thread that watches it"),
    (Packetizer, "handshake_timed_out", "a handshake without a thread that watches it"),
    (Packetizer, "complete_handshake", "a handshake without a thread that watches it"),
]


def name_of(owner: object) -> str:
    kind = owner if isinstance(owner, type) else type(owner)
    return f"paramiko.{kind.__name__}"


@pytest.mark.parametrize(("owner", "name", "need"), PARTS)
def test_paramiko_still_has(owner: object, name: str, need: str) -> None:
    assert hasattr(owner, name), f"{name_of(owner)}.{name} is gone: needed for {need}"


def test_the_wanted_key_exchanges_are_known() -> None:
    known = getattr(paramiko.Transport, "_kex_info", {})
    assert "curve25519-sha256@libssh.org" in known
