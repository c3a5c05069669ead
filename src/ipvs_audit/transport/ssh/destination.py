"""What ssh is given of a host: ``host``, ``user@host`` or ``ssh://user@host:port``, and a key."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ipvs_audit.transport import TransportError

_URI = re.compile(
    r"(?i:ssh://)(?:(?P<user>[^@/%]+)@)?"
    r"(?:\[(?P<v6>[^\]/]+)\]|(?P<host>[^:\[\]@/%]+))(?::(?P<port>[0-9]+))?/?"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination taken apart; user and port are None where it names none."""

    host: str
    user: str | None = None
    port: str | None = None


def parse(name: str, text: str) -> Destination:
    """Take a destination apart (main in ssh.c, ``parse_ssh_uri`` in misc.c).

    >>> parse("web1", "audit@10.0.0.5")
    Destination(host='10.0.0.5', user='audit', port=None)
    >>> parse("web1", "ssh://audit@[fd00::5]:2222")
    Destination(host='fd00::5', user='audit', port='2222')

    Args:
        name: the host as messages name it.
        text: ``ansible_host``.

    Raises:
        TransportError: it begins as a URI and is none, or nothing stands before or after the ``@``.
    """
    if text.lower().startswith("ssh://"):
        found = _URI.fullmatch(text)
        if found is None:
            raise TransportError(
                "configuration",
                f"{name}: write ansible_host as ssh://user@host:port, or as a plain name or"
                " address: it is no URI of ssh",
            )
        return Destination(found["v6"] or found["host"], found["user"], found["port"])
    user, at, host = text.rpartition("@")
    if at and not (user and host):
        raise TransportError(
            "configuration", f"{name}: write ansible_host as user@host, or as host alone"
        )
    return Destination(host, user or None)


def key_file(path: str) -> str:
    """``ansible_ssh_private_key_file`` as ssh is given it: Ansible replaces the ``~``, by HOME."""
    return os.path.expanduser(path)  # noqa: PTH111  # %d and the like stay as they are
