"""One connection to a target, that runs one script and gives back bytes.

Everything that knows of SSH or of subprocesses lives in this package; what goes wrong in it is
a :class:`TransportError` with a kind, a message that names the thing, the place and what to do,
and never a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ipvs_audit.model import limits

#: What can go wrong on the way to a host. Reports group hosts by it.
FailureKind = Literal[
    "unreachable",  # refused, no route, name not resolved, mute
    "host-key",  # unknown or changed host key
    "authentication",  # the host did not accept who we are
    "become",  # sudo wants a password, rejected it, or is not allowed
    "timeout",  # connected, but the deadline ended it
    "too-much-output",  # more bytes than the cap
    "protocol",  # closed half-way, or what came is not the probe's output
    "configuration",  # the inventory or ssh_config asks for what cannot be done
    "interrupted",  # the run stopped before this host was done
]

#: Whether trying again can help: ``backoff`` where the host was too busy to speak to us.
Retry = Literal["never", "once", "backoff"]


class TransportError(Exception):
    """A host could not be reached or did not answer as it should.

    Attributes:
        kind: what reports group hosts by.
        message: the thing, the place and what to do; never a secret.
        retry: whether the collector may try again.
    """

    def __init__(self, kind: FailureKind, message: str, *, retry: Retry = "never") -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.retry: Retry = retry

    def __reduce__(self) -> tuple[type[TransportError], tuple[str, str], dict[str, str]]:
        """Let the error cross a process boundary."""
        return type(self), (self.kind, self.message), {"retry": self.retry}


class NoCommonAlgorithmError(TransportError):
    """Paramiko has none of the algorithms that the server offers; OpenSSH's client may have.

    Attributes:
        keywords: ssh_config's names of the lists, e.g. ``Ciphers``; all where it is not known.
    """

    def __init__(self, message: str, keywords: tuple[str, ...] = ()) -> None:
        super().__init__("protocol", message)
        self.keywords = keywords or ("KexAlgorithms", "HostKeyAlgorithms", "Ciphers", "MACs")

    def __reduce__(self) -> tuple[type[TransportError], tuple[object, ...], dict[str, str]]:  # type: ignore[override]
        """Let the error cross a process boundary."""
        return type(self), (self.message, self.keywords), {}


@dataclass(frozen=True, slots=True)
class Output:
    """What a script left behind on its way back.

    Attributes:
        status: exit status; None where the host did not tell.
        stdout: standard output, at most the cap.
        stderr: standard error, at most 64 KiB, the rest drained and dropped.
    """

    status: int | None
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for one host.

    Attributes:
        connect: seconds for TCP, key exchange and authentication together.
        deadline: seconds for everything on one host, connecting included.
        output: bytes of standard output before the host is given up.
    """

    connect: float = limits.CONNECT_TIMEOUT
    deadline: float = limits.HOST_DEADLINE
    output: int = limits.SCRIPT_OUTPUT


class Connection(Protocol):
    """An open connection to one target. Not shared between threads."""

    #: The server's host key as ``SHA256:...``; empty where the transport has none.
    fingerprint: str
    #: How it was reached, e.g. ``ssh root@10.0.0.5:22``, ``local``.
    via: str
    #: It goes straight to the host and costs nobody else anything: no jump host, no program here.
    direct: bool
    #: What paramiko cannot follow, so that OpenSSH's client took its place: ssh_config's keywords.
    openssh_for: tuple[str, ...]

    def run_script(self, script: bytes, *, timeout: float, max_output: int) -> Output:
        """Feed a POSIX sh script to ``sh`` on the target, as the target's become user.

        Raises:
            TransportError: of any kind but ``host-key`` and ``configuration``.
        """

    def close(self) -> None:
        """End the connection and everything that it started. Safe to call twice."""
