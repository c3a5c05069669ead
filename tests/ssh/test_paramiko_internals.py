"""What is used of paramiko beyond its documentation is still there; a new version fails by name."""

from __future__ import annotations

import paramiko
import pytest
from paramiko.agent import AgentSSH
from paramiko.packet import Packetizer

from ipvs_audit.transport.ssh.group18 import KexGroup18SHA512

CHANNEL = paramiko.Channel(0)
PARTS: list[tuple[object, str, str]] = [
    (paramiko.Transport, "_kex_info", "curve25519-sha256 by its RFC's name"),
    (paramiko.Transport, "_verify_key", "the certificate that a host shows"),
    (paramiko.Transport, "_really_parse_kex_init", "what a server offers"),
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


def test_group18_is_the_8192_bit_group_of_rfc_3526() -> None:
    def arctan_of_reciprocal(x: int, one: int) -> int:
        total = term = one // x
        n, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    one = 1 << (8062 + 64)
    pi = 4 * (4 * arctan_of_reciprocal(5, one) - arctan_of_reciprocal(239, one)) >> 64
    assert 2**8192 - 2**8128 - 1 + 2**64 * (pi + 4743158) == KexGroup18SHA512.P
    assert KexGroup18SHA512.G == 2
