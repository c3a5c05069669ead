"""Programs that run another one, and those that leave the key alone however they are called."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvs_audit.persistence.shell.parser import Simple
    from ipvs_audit.persistence.shell.words import Word

#: Programs that start each other in one command: each is followed by a call within the last.
_DEEPEST = 20
#: Programs that leave the key alone and may fail.
_HARMLESS = frozenset(
    ("logger", "date", "touch", "mkdir", "wall", "chmod", "chown", "sync", "grep",
     "egrep", "lsmod", "cat", "ls", "stat", "pidof", "pgrep", "ipvsadm", "id", "uname", "which")
)  # fmt: skip
#: Programs that run another one, and how many of their words stand before it.
_WRAPPERS = {"nohup": 1, "env": 1, "nice": 1, "ionice": 1, "setsid": 1, "timeout": 2}
#: Programs that have others run later, beside what follows.
STARTERS = frozenset(("systemd-run", "at", "batch", "crontab", "service", "udevadm"))
_WAITS = re.compile(r"\bsleep\b|\bsettle\b|\bwait\b")
_TIMEOUT = re.compile(r"[1-9][0-9]{0,4}[smhd]?")
_IP_OPTIONS = frozenset(("-4", "-6", "-o", "-s", "-d", "-br", "-brief"))
_IP_OBJECTS = frozenset(("a", "addr", "address", "l", "link", "r", "route", "rule", "neigh"))
#: syslog's, as ``systemd-cat --priority`` takes them.
_PRIORITIES = frozenset(
    ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", *"01234567")
)


def wrapped(command: Simple, name: str) -> Simple | None:
    """What ``timeout 5 ...`` and the like run; None where that is not clear."""
    if name == "systemd-cat":
        return _systemd_cat(command)
    skipped = _WRAPPERS.get(name, 0)
    if name == "timeout" and not _in_time(command):
        return None
    return without(command, skipped)


def _in_time(command: Simple) -> bool:
    """Whether ``timeout`` surely lets its command end: it is given seconds, and nothing waits."""
    limit, rest = command.words[1:2], command.words[2:]
    waits = any(_WAITS.search(word.text) for word in rest)
    return not waits and any(_TIMEOUT.fullmatch(word.text) for word in limit)


def without(command: Simple, skipped: int) -> Simple | None:
    """What a wrapper such as ``exec`` or ``timeout 5`` runs; None for no or an unclear one."""
    words = command.words[skipped:]
    if not skipped or not words or any(word.text.startswith("-") for word in command.words[1:2]):
        return None
    return None if "=" in words[0].text else _inside(command, words)


def _inside(command: Simple, words: tuple[Word, ...]) -> Simple | None:
    """What one more program starts; None beyond what anybody means."""
    if command.within == _DEEPEST:
        return None
    return replace(command, words=words, redirections=(), within=command.within + 1)


def is_harmless(name: str, command: Simple) -> bool:
    """Whether a call leaves the key alone, and runs nothing that might not."""
    texts = [word.text for word in command.words[1:]]
    if name in _HARMLESS:
        return True
    if name == "udevadm":
        return texts[:1] in (["settle"], ["control"], ["info"])
    if name == "ip":
        while texts and texts[0] in _IP_OPTIONS:
            texts = texts[1:]
        return texts[:1] != [] and texts[0] in _IP_OBJECTS
    return False


def _systemd_cat(command: Simple) -> Simple | None:
    """What ``systemd-cat`` runs with its output in the journal; None for an unclear call."""
    words = list(command.words[1:])
    while words and words[0].text.startswith("-"):
        option = words.pop(0).text
        name, equals, value = option.partition("=")
        if words and not equals and name in ("-t", "-p", "--identifier", "--priority"):
            value = words.pop(0).text
        elif not equals or name not in ("--identifier", "--priority"):
            return None
        if name in ("-p", "--priority") and value not in _PRIORITIES:
            return None
    return _inside(command, tuple(words)) if words else None
