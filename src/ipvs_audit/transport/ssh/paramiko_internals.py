"""The private names of paramiko that are used, each with what needs it; no other module may.

paramiko is held to one major version for them, and a test names the one that a new version takes
away.
"""

from __future__ import annotations

import time
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import auth_handler, buffered_pipe, channel, packet, transport
from paramiko.agent import AgentSSH
from paramiko.common import cMSG_CHANNEL_REQUEST

from ipvs_audit.model import limits
from ipvs_audit.transport.ssh.group18 import KexGroup18SHA512

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

# Needed: paramiko's time limits go by the wall clock. Where that was set forward by hours, they
# were over at once, and the host was an error.
for _module in (auth_handler, buffered_pipe, channel, packet, transport):
    vars(_module)["time"] = SimpleNamespace(time=time.monotonic, sleep=time.sleep)

_LIBSSH_CURVE = "curve25519-sha256@libssh.org"
#: What paramiko can agree on keys by, with the name that RFC 8731 gave to a method of OpenSSH's.
#: Needed: hardened servers know that name only.
KEY_EXCHANGES: dict[str, Any] = dict(getattr(paramiko.Transport, "_kex_info", {}))
if _LIBSSH_CURVE in KEY_EXCHANGES:
    KEY_EXCHANGES["curve25519-sha256"] = KEY_EXCHANGES[_LIBSSH_CURVE]
KEY_EXCHANGES[KexGroup18SHA512.name] = KexGroup18SHA512


class TransportBase(paramiko.Transport):
    """paramiko's transport with the key exchanges above, whose thread seldom wakes.

    Needed: the certificate that a host shows, which paramiko drops, and what a server offers.

    Needed: by itself the thread of each connection wakes ten times a second to see if it should
    end: 5,000 times for 512 hosts that wait for their second sample. ``close`` wakes it.
    """

    _kex_info = KEY_EXCHANGES
    _active_check_timeout = limits.IDLE_CONNECTION_CHECK
    #: The host key or certificate as the server showed it, of which paramiko keeps the key only.
    shown_key: bytes = b""
    #: What the server offers in the key exchange, until it has found something in common.
    offered: Mapping[str, Sequence[str]] = MappingProxyType({})

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        super()._verify_key(host_key, sig)  # type: ignore[misc]
        self.shown_key = self.shown_key or host_key

    def _really_parse_kex_init(
        self, m: paramiko.Message, ignore_first_byte: bool = False
    ) -> dict[str, list[str]]:
        parsed: dict[str, list[str]] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not ignore_first_byte:
            self.offered = {key: tuple(parsed[key]) for key in parsed if "algo" in key}
        return parsed


def connected_agent(sock: socket.socket) -> AgentSSH:
    """An agent at the other end of a connected socket.

    Needed: ssh_config's IdentityAgent, and a time limit. paramiko's own way is SSH_AUTH_SOCK only.

    Raises:
        SSHException, OSError, EOFError: it is not an agent, or does not answer.
    """
    agent = AgentSSH()
    agent._connect(sock)  # type: ignore[attr-defined]  # noqa: SLF001
    return agent


def send_request(to: paramiko.Channel, kind: str, argument: str, *, want_reply: bool) -> None:
    """Send a request of a channel without waiting for the answer.

    Needed: a script follows its command at once, which spares a round trip a host, and what still
    runs at the end is sent a signal. paramiko's exec_command waits, and for ever where a server
    never answers; it has no way to send signals.
    """
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(to.remote_chanid)
    message.add_string(kind)
    message.add_boolean(want_reply)
    message.add_string(argument)
    link: Any = to.get_transport()
    link._send_user_message(message)  # noqa: SLF001
