"""The inventory's ``ansible_ssh_common_args``: ssh's own command line, read for its settings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from ipvs_audit.transport import TransportError

#: Settings that change how a host is reached, and are supported.
SUPPORTED = frozenset({
    "addressfamily", "bindaddress", "certificatefile", "connecttimeout", "globalknownhostsfile",
    "hashknownhosts", "hostkeyalias", "hostname", "identitiesonly", "identityagent",
    "identityfile", "kbdinteractiveauthentication", "passwordauthentication", "port",
    "preferredauthentications", "proxycommand", "proxyjump", "pubkeyauthentication", "user",
    "userknownhostsfile",
})  # fmt: skip

#: Settings that ssh may be given, and that change nothing for one script over one connection.
#: StrictHostKeyChecking stands here on purpose: only ``--host-key-policy`` decides that.
IGNORED = frozenset({
    "addkeystoagent", "batchmode", "canonicalizehostname", "checkhostip", "ciphers",
    "clearallforwardings", "compression", "connectionattempts", "controlmaster", "controlpath",
    "controlpersist", "escapechar", "exitonforwardfailure", "forwardagent", "forwardx11",
    "gssapiauthentication", "gssapidelegatecredentials", "hostkeyalgorithms", "ipqos",
    "kexalgorithms", "loglevel", "macs", "nohostauthenticationforlocalhost",
    "numberofpasswordprompts", "permitlocalcommand", "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes", "requesttty", "sendenv", "serveralivecountmax",
    "serveraliveinterval", "setenv", "stricthostkeychecking", "tcpkeepalive", "updatehostkeys",
    "verifyhostkeydns", "visualhostkey",
})  # fmt: skip

_OPTION_OF = {"p": "Port", "l": "User", "i": "IdentityFile", "J": "ProxyJump", "b": "BindAddress"}
_FLAG_OF = {"4": ("AddressFamily", "inet"), "6": ("AddressFamily", "inet6")}
_IGNORED_FLAGS = frozenset("AaCGKkNnqTtvXxYy")
_IGNORED_WITH_ARGUMENT = frozenset("ceEmQS")


@dataclass(frozen=True, slots=True)
class SshArgs:
    """Settings in their order, and the file that ``-F`` names."""

    settings: tuple[tuple[str, str], ...] = ()
    config_file: Path | None = None


def parse(arguments: str) -> SshArgs:
    """Read ``-J bastion -o User=audit`` and its like.

    >>> parse("-J bastion -p2222 -o 'User audit' -o ControlMaster=auto").settings
    (('ProxyJump', 'bastion'), ('Port', '2222'), ('User', 'audit'), ('ControlMaster', 'auto'))

    Raises:
        TransportError: an option is not known, or has no argument.
    """
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        # Not the text: a ProxyCommand may hold a password.
        raise _bad("the text", f"cannot be split into words: {error}") from None
    settings: list[tuple[str, str]] = []
    config_file: Path | None = None
    while words:
        letter, argument = _option(words)
        if letter == "F":
            config_file = Path(argument).expanduser()
        elif letter == "o":
            settings.append(_setting(argument))
        elif letter in _FLAG_OF:
            settings.append(_FLAG_OF[letter])
        elif letter in _OPTION_OF:
            settings.append((_OPTION_OF[letter], argument))
    return SshArgs(tuple(settings), config_file)


def _option(words: list[str]) -> tuple[str, str]:
    """Take one option off the front: its letter and argument, empty where it has none."""
    word = words.pop(0)
    if len(word) < 2 or not word.startswith("-"):  # noqa: PLR2004
        raise _bad(word, "is not an option of ssh")
    letter, rest = word[1], word[2:]
    if letter in _FLAG_OF or letter in _IGNORED_FLAGS:
        if rest:
            words.insert(0, f"-{rest}")
        return letter, ""
    if letter not in {*_OPTION_OF, *_IGNORED_WITH_ARGUMENT, "o", "F"}:
        raise _bad(f"-{letter}", "is not supported")
    if not rest and not words:
        raise _bad(f"-{letter}", "needs an argument")
    return letter, rest or words.pop(0)


def _setting(text: str) -> tuple[str, str]:
    text = text.strip()
    end = next((at for at, c in enumerate(text) if c in "= \t"), len(text))
    key, value = text[:end], text[end:].lstrip(" \t").removeprefix("=").strip()
    if not key or not value:
        raise _bad(f"-o {key}", "is not KEYWORD=VALUE")
    if key.lower() not in SUPPORTED | IGNORED:
        raise _bad(f"-o {key}", "is not supported")
    return key, value


def _bad(what: str, why: str) -> TransportError:
    return TransportError(
        "configuration",
        f"ansible_ssh_common_args: {what} {why}; "
        "supported: -J -o -p -i -l -F -b -4 -6, and the settings in docs/known-limitations.md",
    )
