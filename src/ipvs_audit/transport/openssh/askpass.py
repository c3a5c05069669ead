r"""The host's password, given to OpenSSH's client when it asks, and to nobody else.

The client asks a program of its own (SSH_ASKPASS, ssh(1)). That is a script in the private folder,
which passes the question on to this process through a named pipe and gets the answer through
another. So the password stands in no argument, no environment and no file.

>>> is_for_the_password("ops@web1's password: "), is_for_the_password("(ops@web1) Password: ")
(True, True)
>>> is_for_the_password("Enter passphrase for key '/home/ops/.ssh/id_rsa': ")
False
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.model import limits

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ipvs_audit.transport.openssh.workspace import Workspace

_PROGRAM = """#!/bin/sh
printf '%s\\n' "$1" >"$IPVS_AUDIT_ASKPASS.ask" || exit 1
IFS= read -r answer <"$IPVS_AUDIT_ASKPASS.answer" || exit 1
case $answer in
    +*) printf '%s\\n' "${answer#+}" ;;
    *) exit 1 ;;
esac
"""
#: sshconnect2.c: userauth_passwd and input_userauth_info_req of OpenSSH 8.4 and later, and before.
_PASSWORD = re.compile(r".*@.*'s password: ?|\(.*@.*\) .*|(?i:.*password.*)")
_NEVER = re.compile(
    r"(?i)enter passphrase|enter pin|confirm user presence|allow use of key|.*yes/no"
)


def is_for_the_password(question: str) -> bool:
    """Whether the client asks for the host's password, and not for a key's passphrase or PIN."""
    return bool(_PASSWORD.fullmatch(question)) and not _NEVER.match(question)


class Askpass:
    """Answers for one client, with the password once and then with nothing.

    Attributes:
        asked: how often the password was asked for.
    """

    def __init__(self, password: SecretStr, name: str, there: Workspace) -> None:
        self._password = password
        self._name = name
        self._question = b""
        self.asked = 0
        self._program = there.file_with(_PROGRAM)
        self._program.chmod(0o700)
        os.mkfifo(f"{name}.ask", 0o600)
        os.mkfifo(f"{name}.answer", 0o600)
        # Opened for both, so that neither opening waits for the other side.
        self._asks = os.open(f"{name}.ask", os.O_RDWR | os.O_NONBLOCK)
        self._answers = os.open(f"{name}.answer", os.O_RDWR | os.O_NONBLOCK)

    @property
    def environment(self) -> dict[str, str]:
        """For the client; before OpenSSH 8.4 it asks only where there is a DISPLAY."""
        return {
            "SSH_ASKPASS": str(self._program),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": os.environ.get("DISPLAY") or ":0",
            "IPVS_AUDIT_ASKPASS": self._name,
        }

    def fileno(self) -> int:
        """Where the questions come."""
        return self._asks

    def answer(self, *, may_know: bool) -> None:
        """Take what was asked, and answer.

        Args:
            may_know: the host's key was verified, so it is the host that asks. Before that it can
                be a jump host, through a proxy command that has the same environment.
        """
        self._question = (self._question + os.read(self._asks, limits.QUOTE_SEARCHED))[
            : limits.QUOTE_SEARCHED
        ]
        if not self._question.endswith(b"\n") and len(self._question) < limits.QUOTE_SEARCHED:
            return
        question, self._question = self._question.decode("utf-8", "replace"), b""
        answer = b"-\n"
        if may_know and is_for_the_password(" ".join(question.splitlines())):
            self.asked += 1
            if self.asked == 1:
                answer = b"+" + self._password.get_secret_value().encode() + b"\n"
        with contextlib.suppress(BlockingIOError):
            os.write(self._answers, answer)

    def close(self) -> None:
        """Remove the pipes."""
        for descriptor in (self._asks, self._answers):
            os.close(descriptor)
        for ending in (".ask", ".answer"):
            with contextlib.suppress(FileNotFoundError):
                Path(self._name + ending).unlink()
