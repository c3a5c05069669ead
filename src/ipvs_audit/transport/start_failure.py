"""Why a script did not start: read from what the login shell or sudo said instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.transport import FailureKind, TransportError
from ipvs_audit.transport.message_text import output_note

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ipvs_audit.model.target import Become

#: sudo's own words (plugins/sudoers and src/sudo.c, in the C locale) -> what to do about them.
_SUDO: tuple[tuple[str, str], ...] = (
    (
        r"must have a tty|tty required",
        "sudo requires a terminal (requiretty); add 'Defaults:{login} !requiretty' to sudoers",
    ),
    (
        r"incorrect password|try again|no password was provided",
        "sudo rejected the become password for {user}; check ansible_become_password",
    ),
    (
        r"password is required|askpass|terminal is required|no tty present",
        (
            "sudo requires a password; set ansible_become_password, "
            "or allow the login user NOPASSWD in sudoers"
        ),
    ),
    (
        r"not in the sudoers|may not run sudo|not allowed to (execute|run|set)",
        "sudo does not allow the login user to run sh as {user}; see docs/least-privilege.md",
    ),
    (r"unknown user", "no such user {user}; check ansible_become_user"),
    (
        r"sudo.*(not found|no such file)",
        "sudo is not installed on the host; install it, or log in as root and drop ansible_become",
    ),
    (
        r"account (validation failure|expired)|password expired|set-?uid|no new privileges",
        "sudo cannot work for the login user on this host",
    ),
)

#: Login shells and forced commands that let nobody run anything.
_SHELL: tuple[tuple[str, str], ...] = (
    (
        r"not available|nologin|administratively|no shell|/bin/false",
        "the login user may not run commands (nologin shell)",
    ),
    (
        r"restricted|rbash|not permitted|command not allowed|sftp",
        "the login user has a restricted shell or a forced command, and sh could not be run",
    ),
)


def explain(
    *,
    where: str,
    status: int | None,
    stdout: bytes,
    stderr: bytes,
    become: Become | None,
    secrets: tuple[SecretStr | None, ...] = (),
) -> TransportError:
    """The error that tells why the start mark never came.

    >>> from ipvs_audit.model.target import Become
    >>> explain(where="web1", status=1, stdout=b"", stderr=b"sudo: a password is required",
    ...         become=Become()).kind
    'become'
    """
    text = (stderr + b"\n" + stdout).decode("utf-8", "replace").lower()
    quote = output_note(stderr.strip() or stdout, secrets)
    if become is not None:
        for pattern, advice in _SUDO:
            if re.search(pattern, text):
                advice = advice.format(user=become.user, login="USER")  # noqa: PLW2901
                return TransportError("become", f"{where}: {advice}{quote}")
    for pattern, advice in _SHELL:
        if re.search(pattern, text):
            return TransportError("protocol", f"{where}: {advice}{quote}")
    kind: FailureKind = "become" if become is not None and "sudo" in text else "protocol"
    end = "no exit status" if status is None else f"exit status {status}"
    return TransportError(
        kind,
        f"{where}: sh did not start ({end}); a forced command, or a login shell that runs "
        f"something else{quote}",
    )
