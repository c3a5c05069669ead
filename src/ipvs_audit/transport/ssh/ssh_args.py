"""The inventory's ``ansible_ssh_common_args``: ssh's own command line, read for its settings."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.transport import TransportError
from ipvs_audit.transport.ssh.ssh_config_text import split_line
from ipvs_audit.transport.ssh.ssh_keywords import IGNORED, ONLY_OPENSSH, SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_OPTION_OF = {
    "p": "port", "l": "user", "i": "identityfile", "J": "proxyjump", "b": "bindaddress",
    "B": "bindinterface", "I": "pkcs11provider", "P": "tag", "c": "ciphers", "m": "macs",
}  # fmt: skip
_FLAG_OF = {
    "4": ("addressfamily", "inet"),
    "6": ("addressfamily", "inet6"),
    "K": ("gssapiauthentication", "yes"),
}
_IGNORED_FLAGS = frozenset("2AaCfgkMNnqTtvXxYy")
_IGNORED_WITH_ARGUMENT = frozenset("DEeLRS")
_FLAGS = {*_FLAG_OF, *_IGNORED_FLAGS}
_WITH_ARGUMENT = {*_OPTION_OF, *_IGNORED_WITH_ARGUMENT, "o", "F"}

#: Settings that are harmless with one value only.
_HARMLESS_VALUE = {"remotecommand": "none", "sessiontype": "default", "tunnel": "no"}


@dataclass(frozen=True, slots=True)
class SshArgs:
    """Settings in their order, keyword in lower case and words, and the file that ``-F`` names."""

    settings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    config_file: Path | None = None


def parse(arguments: str) -> SshArgs:
    """Read ``-J bastion -o User=audit`` and its like.

    >>> parse("-J bastion -p2222 -o 'User audit'").settings
    (('proxyjump', ('bastion',)), ('port', ('2222',)), ('user', ('audit',)))

    Raises:
        TransportError: an option is not known, or has no argument.
    """
    settings: list[tuple[str, tuple[str, ...]]] = []
    config_file: Path | None = None
    for letter, argument in options(
        arguments, flags=_FLAGS, with_argument=_WITH_ARGUMENT, bad=_bad
    ):
        if letter == "F":
            config_file = Path(argument).expanduser()
        elif letter == "o":
            settings.append(_setting(argument))
        elif letter in _FLAG_OF:
            keyword, value = _FLAG_OF[letter]
            settings.append((keyword, (value,)))
        elif letter in _OPTION_OF:
            settings.append((_OPTION_OF[letter], (argument,)))
    return SshArgs(tuple(settings), config_file)


def options(
    arguments: str,
    *,
    flags: Collection[str],
    with_argument: Collection[str],
    bad: Callable[[str, str], TransportError],
) -> Iterator[tuple[str, str]]:
    """Take ssh's command line apart: each option's letter and argument, empty for a flag.

    Args:
        arguments: as a shell takes it.
        flags: the letters that have no argument.
        with_argument: those that have one.
        bad: makes the error of what is wrong and why.

    Raises:
        TransportError: the line cannot be split, or an option is not known or has no argument.
    """
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        # Not the text: a ProxyCommand may hold a password.
        raise bad("the text", f"cannot be split into words: {error}") from None
    while words:
        word = words.pop(0)
        if len(word) < 2 or not word.startswith("-"):  # noqa: PLR2004
            raise bad(word, "is not an option of ssh")
        letter, rest = word[1], word[2:]
        if letter in flags:
            words = [f"-{rest}", *words] if rest else words
            yield letter, ""
            continue
        if letter not in with_argument:
            raise bad(f"-{letter}", "is not supported")
        if not rest and not words:
            raise bad(f"-{letter}", "needs an argument")
        yield letter, rest or words.pop(0)


def _setting(text: str) -> tuple[str, tuple[str, ...]]:
    try:
        setting = split_line(text)
    except ValueError as error:
        raise _bad(f"-o {_keyword(text)}", f"is not KEYWORD=VALUE: {error}") from None
    keyword = _keyword(text)
    if setting is None:
        raise _bad(f"-o {keyword}", "is not KEYWORD=VALUE")
    key, words = setting
    harmless = words[0].lower() == _HARMLESS_VALUE.get(key)
    if not harmless and key not in SUPPORTED | ONLY_OPENSSH | IGNORED:
        raise _bad(f"-o {keyword}", "is not supported")
    return key, words


def _keyword(text: str) -> str:
    """The keyword as it was written, without its value."""
    return re.split(r'[\s=#"]', text.strip(), maxsplit=1)[0]


def _bad(what: str, why: str) -> TransportError:
    return TransportError(
        "configuration",
        f"ansible_ssh_common_args: {what} {why}; "
        "supported: -J -o -p -i -l -F -b -4 -6, and the settings in docs/known-limitations.md",
    )
