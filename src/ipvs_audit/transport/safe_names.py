r"""Names that may stand in a command on this machine: of hosts, users, containers.

They come from inventories, from cloud APIs where anybody may name a machine, and from ssh_config.
They go into ProxyCommand's shell, into the arguments of docker and kubectl, and into known_hosts.

>>> refuse_user_name("web1", "CORP\\jdoe")
>>> refuse_host_name("web1", "host name", "$(reboot)")  # doctest: +IGNORE_EXCEPTION_DETAIL
Traceback (most recent call last):
ipvs_audit.transport.TransportError: web1: give a plain name or address ...
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.message_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What OpenSSH refuses: ssh.c of 9.6 and later, valid_hostname and valid_ruser.
_IN_NO_HOST = frozenset("'`\"$\\;&<>|(){},")
_IN_NO_USER = frozenset("'`\";&<>|(){}")
#: A pattern, a port, a marker or a comment in known_hosts; in no host's name.
_PATTERN = frozenset("*?")
_WITH_PORT = frozenset("[]")
_NOT_FIRST_IN_HOST = frozenset("-!@#")
#: What every shell reads as it is written (shlex.quote's list), besides letters and digits.
_PLAIN = frozenset("@%+=:,./_-")
_TOKEN = re.compile(r"%(.)", re.DOTALL)
_NAME_OF_TOKEN = {"h": "host name", "n": "host name", "r": "user name"}


def refuse_host_name(where: str, what: str, name: str) -> None:
    """Refuse a host name that OpenSSH refuses, or that known_hosts would take for a pattern.

    Args:
        where: the host as messages name it.
        what: ``host name``, ``HostName`` or ``HostKeyAlias``, for the message.
        name: what an inventory or ssh_config gave.

    Raises:
        TransportError: says what in it is refused.
    """
    refused = _IN_NO_HOST | _PATTERN | (frozenset() if what == "HostKeyAlias" else _WITH_PORT)
    for at, character in enumerate(name):
        if (
            character in refused
            or character.isspace()
            or not character.isprintable()
            or (at == 0 and character in _NOT_FIRST_IN_HOST)
        ):
            _refuse(where, what, name, character)
    if ".." in name.split("/"):  # %h stands in UserKnownHostsFile, too
        _refuse(where, what, name, "..")


def refuse_user_name(where: str, name: str) -> None:
    r"""Refuse a user name that OpenSSH refuses; ``CORP\jdoe`` and ``John Doe`` it does not.

    Raises:
        TransportError: says what in it is refused.
    """
    for at, character in enumerate(name):
        after = name[at + 1 : at + 2]
        if (
            character in _IN_NO_USER
            or not character.isprintable()
            or (at == 0 and character == "-")
            or (character.isspace() and after == "-")
            or (character == "\\" and not after)
        ):
            _refuse(where, "user name", name, character)


def refuse_tokens(where: str, command: str, tokens: Mapping[str, str]) -> None:
    r"""Refuse a ProxyCommand in which ``%h``, ``%n`` or ``%r`` would not be read as it is.

    Stricter than OpenSSH, where a shell makes a secret of the user name ``$TOKEN`` and
    ``CORPjdoe`` of ``CORP\jdoe``.

    Args:
        where: the host as messages name it.
        command: with the tokens in it.
        tokens: what each stands for.

    Raises:
        TransportError: says what in which name is refused.
    """
    for letter in _TOKEN.findall(command):
        if letter in _NAME_OF_TOKEN:
            what = f"{_NAME_OF_TOKEN[letter]} in ProxyCommand (%{letter})"
            refuse_word(where, what, tokens[letter])


def refuse_word(where: str, what: str, word: str) -> None:
    """Refuse what some shell would not read as one word as it is, or a program as an option.

    Raises:
        TransportError: says what in it is refused.
    """
    for at, character in enumerate(word):
        if not (character.isalnum() or character in _PLAIN) or (at == 0 and character == "-"):
            _refuse(where, what, word, character)


_WAYS_OUT = {
    "host name": "give a plain name or address in ansible_host",
    "HostName": "give a plain name or address in ssh_config's HostName",
    "HostKeyAlias": "give a plain name in HostKeyAlias",
    "user name": "give a plain name in ansible_user, or in ssh_config's User",
}


def _refuse(where: str, what: str, name: str, found: str) -> NoReturn:
    way_out = _WAYS_OUT.get(what, "use letters, digits and . _ - only")
    raise TransportError(
        "configuration",
        f"{one_line(where)}: {way_out}: the {what} {name!a} holds {found!a}, with which a name"
        " could run a command on this machine or stand for other hosts",
    )
