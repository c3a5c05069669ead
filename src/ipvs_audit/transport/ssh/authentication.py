"""Proving to an SSH server who we are: key files, agent, then password."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import paramiko

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.message_text import one_line
from ipvs_audit.transport.ssh.keys import offered_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipvs_audit.transport.deadline import Deadline
    from ipvs_audit.transport.ssh.hop import Hop
    from ipvs_audit.transport.ssh.paramiko_transport import SshTransport


def authenticate(transport: SshTransport, hop: Hop, deadline: Deadline) -> None:
    """Log in as the hop's user.

    Raises:
        TransportError: the server accepts none of what there is to offer.
    """
    attempt = _Attempt(transport, hop, deadline)
    if attempt.by_key() or attempt.by_password():
        return
    raise attempt.refused()


class _Attempt:
    """One login: what was tried, and what the server said it would take."""

    def __init__(self, transport: SshTransport, hop: Hop, deadline: Deadline) -> None:
        self._transport = transport
        self._hop = hop
        self._deadline = deadline
        self._tried: list[str] = []
        self._notes: list[str] = []
        self._allowed: frozenset[str] = frozenset()

    def by_key(self) -> bool:
        if "publickey" not in self._hop.methods:
            return False
        with contextlib.closing(offered_keys(self._hop, self._deadline, self._notes)) as keys:
            for name, key in keys:
                if self._try(
                    name, functools.partial(self._transport.auth_publickey, self._hop.user, key)
                ):
                    return True
                if self._allowed and "publickey" not in self._allowed:
                    return False
        return False

    def by_password(self) -> bool:
        if self._hop.password is None:
            return False
        secret = self._hop.password.get_secret_value()
        if "password" in self._hop.methods and (not self._allowed or "password" in self._allowed):
            done = self._try(
                "password",
                lambda: self._transport.auth_password(self._hop.user, secret, fallback=False),
            )
            if done:
                return True
        if "keyboard-interactive" in self._hop.methods & self._allowed:
            return self._try("keyboard-interactive", lambda: self._interactive(secret))
        return False

    def _interactive(self, secret: str) -> None:
        asked = 0

        def answer(_title: str, _text: str, prompts: list[tuple[str, bool]]) -> list[str]:
            nonlocal asked
            asked += len(prompts)
            return [secret for _ in prompts] if asked == 1 else ["" for _ in prompts]

        self._transport.auth_interactive(self._hop.user, answer)

    def _try(self, name: str, attempt: Callable[[], object]) -> bool:
        if self._deadline.over():
            raise TransportError(
                "unreachable", f"{self._hop.where}: login not finished within the connect timeout"
            )
        self._transport.auth_timeout = self._deadline.left()
        self._tried.append(name)
        try:
            attempt()
        except paramiko.BadAuthenticationType as error:
            self._allowed = frozenset(error.allowed_types)
        except paramiko.AuthenticationException as error:
            self._look_closer(error)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost(error) from None
        return self._transport.is_authenticated()

    def _look_closer(self, error: paramiko.AuthenticationException) -> None:
        """Tell a rejected key from a server that hung up or fell silent."""
        if "timeout" in str(error).lower():
            raise TransportError(
                "unreachable",
                f"{self._hop.where}: no answer to the login within the connect timeout",
            ) from None
        if not self._transport.is_active():
            raise self._lost(error) from None
        # The allowed methods are known once the server has named them.
        handler_types = getattr(error, "allowed_types", None)
        if handler_types:
            self._allowed = frozenset(handler_types)

    def _lost(self, error: Exception) -> TransportError:
        tried = len(self._tried)
        if tried > 1:
            return TransportError(
                "authentication",
                f"{self._hop.where}: closed the connection after {tried} attempts "
                f"({', '.join(self._tried)}): too many authentication failures (MaxAuthTries); "
                "name one key with ansible_ssh_private_key_file and set IdentitiesOnly yes",
            )
        return TransportError(
            "unreachable",
            f"{self._hop.where}: closed the connection during login"
            f"{': ' + one_line(str(error)) if str(error) else ''}",
            retry="once",
        )

    def refused(self) -> TransportError:
        hop = self._hop
        tried = f"the server rejected {', '.join(self._tried)}" if self._tried else "no usable key"
        takes = f"; it accepts {', '.join(sorted(self._allowed))}" if self._allowed else ""
        notes = f"; {'; '.join(self._notes)}" if self._notes else ""
        return TransportError(
            "authentication",
            f"{hop.where}: login as {hop.user} failed: {tried}{takes}{notes}; "
            "check ansible_user, ansible_ssh_private_key_file, ansible_password and the agent",
        )
