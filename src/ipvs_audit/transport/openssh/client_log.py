"""What OpenSSH's client says of a connection in its own log, at LogLevel DEBUG1.

The log is a file of its own (``-E``), so that neither the host's banner, nor a proxy command, nor
a jump host can write into it. Values from the server are escaped in it by OpenSSH.
"""

from __future__ import annotations

import re

from ipvs_audit.model import limits

_KEY = re.compile(r"Server host (?:key|certificate): ([\w@.-]+) (SHA256:[A-Za-z0-9+/]{43})\b")
_AUTHENTICATING = re.compile(r"Authenticating to (\S+):(\d+) as '(.*)'")
_METHODS = re.compile(r"Authentications that can continue: (\S+)")
#: Of some 60 lines of debugging for a host, those that are looked at.
_LOOKED_AT = re.compile(
    rb"debug1: (?:Server host |Authenticating to |Authentications that |Executing proxy "
    rb"|Connection established|Remote protocol version |Entering interactive )"
)


class ClientLog:
    r"""Takes the log as it grows, and keeps of it what is needed.

    >>> log = ClientLog()
    >>> log.feed(b"debug1: Authenticating to web1:22 as 'root'\n")
    >>> log.where
    'root@web1:22'

    Attributes:
        fingerprint: of the host key that the server showed, ``SHA256:...``; empty before.
        key_type: of that key; ``ssh-ed25519-cert-v01@openssh.com`` for a certificate.
        where: user, host and port, ``root@web1:22``; empty before they are known.
        proxied: through a jump host or a proxy command.
        connected: a TCP connection stands, or a proxy command runs.
        banner: the server has said that it speaks SSH.
        methods: of authentication that the server takes.
        unsaved: the host's key is new, and could not be saved in a known_hosts file.
        ready: authenticated, and the control socket is open.
        complaints: the lines that are not of debugging, newest last.
        over: the client has closed its log.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.fingerprint = self.key_type = self.where = self.methods = ""
        self.proxied = self.connected = self.banner = self.unsaved = False
        self.ready = self.over = False
        self.complaints: list[str] = []

    def feed(self, data: bytes) -> None:
        """Take what the client wrote; nothing where it has closed the log."""
        self.over = self.over or not data
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: limits.QUOTE_SEARCHED]
        for line in lines:
            if line.startswith(b"debug") and not _LOOKED_AT.match(line):
                continue
            self._take(line.decode("utf-8", "replace").rstrip("\r"))

    def _take(self, line: str) -> None:
        if not line.startswith("debug"):
            self.complaints.append(line[: limits.QUOTE_SEARCHED])
            del self.complaints[: -limits.COMPLAINTS_KEPT]
            self.unsaved = self.unsaved or line.startswith("Failed to add the host to the list")
            return
        text = line.partition(": ")[2]
        if not self.fingerprint and (key := _KEY.match(text)):
            self.key_type, self.fingerprint = key.groups()
        elif not self.where and (to := _AUTHENTICATING.fullmatch(text)):
            host = f"[{to[1]}]" if ":" in to[1] else to[1]
            self.where = f"{to[3]}@{host}:{to[2]}"
        elif methods := _METHODS.fullmatch(text):
            self.methods = methods[1]
        elif text.startswith("Executing proxy "):
            self.proxied = self.connected = True
        elif text == "Connection established.":
            self.connected = True
        elif text.startswith("Remote protocol version "):
            self.banner = True
        elif text == "Entering interactive session.":
            self.ready = True
