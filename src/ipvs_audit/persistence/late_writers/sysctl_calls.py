"""Calls of sysctl in scripts of which a line does not tell what they write.

Their keys come from a variable, a file that was not brought, or the input. What a variable holds
cannot be told, but a key that plainly begins otherwise is another key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_paths import SYSCTL, SYSCTL_CONF

if TYPE_CHECKING:
    from collections.abc import Container

_SEPARATORS = re.compile(r"[;&|()`{}\n]+")
_SYSCTL = re.compile(r"""(?:^|[\s"'/=:+!@-])(systemd-)?sysctl["']?(?:\s+(.*)|$)""", re.DOTALL)
_UNKNOWN = re.compile(r"[$*?\[%]")
_VARIABLE = re.compile(r"[$%]")
_FILES = re.compile(r"-[a-zA-Z]*[pf](.*)|--load(?:=(.*))?")
_SHOWS = re.compile(r"-[a-zA-Z]*[nNbrV][a-zA-Z]*|--(?:values|names|binary|pattern|help|version)")
_HERE_DOCUMENT = re.compile(r"<<-?\s*[\"'\\]?\w")
_INPUT = re.compile("-|/dev/(?:stdin|fd/0)|/proc/self/fd/0")
_PREFIX = re.compile(r"--prefix\s+\S+")
_REDIRECTION = re.compile(r"[0-9]*[<>]+\s*\S*")


def writes_what_is_not_told(text: str, key: str, known: Container[str]) -> bool:
    """Whether a line calls sysctl so that it may set the key without naming it.

    Args:
        text: a line of a script, or a unit's command.
        key: the key's path, ``net/ipv4/vs/run_estimation``.
        known: paths of the files whose settings were brought, beside the loaders' own.

    >>> key, known = "net/ipv4/vs/run_estimation", {"/opt/lb/tune.conf"}
    >>> writes_what_is_not_told('sysctl -w "$line"', key, known)
    True
    >>> writes_what_is_not_told("sysctl -w net.ipv6.conf.$IFACE.disable_ipv6=1", key, known)
    False
    >>> writes_what_is_not_told("sysctl -p /opt/lb/tune.conf", key, known)
    False
    """
    return any(
        _systemd_is_open(found[2] or "", known)
        if found[1]
        else _is_open(found[2] or "", key, known, by_input="xargs" in part)
        for part in _SEPARATORS.split(text.replace("${", "$").replace("}", ""))
        if (found := _SYSCTL.search(part)) is not None
    )


def _words(rest: str) -> tuple[list[str], list[str]]:
    """The options and the other words of a call."""
    words = [word.strip("\"'") for word in _REDIRECTION.sub(" ", rest).split()]
    options = [word for word in words if word.startswith("-") and word != "-"]
    return options, [word for word in words if word not in options]


def _systemd_is_open(rest: str, known: Container[str]) -> bool:
    _, operands = _words(_PREFIX.sub(" ", rest))
    return not all(_is_told(file, known) for file in operands)


def _is_open(rest: str, key: str, known: Container[str], *, by_input: bool) -> bool:
    options, operands = _words(rest)
    loads = [found for word in options if (found := _FILES.fullmatch(word))]
    if loads:
        files = operands + [given for found in loads if (given := found[1] or found[2])]
        if _HERE_DOCUMENT.search(rest):
            files = [file for file in files if not _INPUT.fullmatch(file)]  # its lines are searched
        return by_input or not all(_is_told(file, known) for file in files)
    if "--system" in options or any(_SHOWS.fullmatch(word) for word in options):
        return False  # what it reads is known; a variable among its words is one more option
    return (by_input and not operands) or any(_may_be(word, key) for word in operands)


def _is_told(file: str, known: Container[str]) -> bool:
    """Whether a file's settings were brought; of the loaders' own folders all files are.

    A word that is no path is taken for prose: scripts print advice that names sysctl.
    """
    if file in known or file == SYSCTL_CONF or file.startswith("/proc/sys/"):
        return True
    if file.rpartition("/")[0] in SYSCTL.directories and not _VARIABLE.search(file):
        return True
    return not (file == "-" or "/" in file or file.endswith(".conf") or _UNKNOWN.search(file))


def _may_be(operand: str, key: str) -> bool:
    """Whether an operand with a variable in its key may name the key."""
    name = operand.partition("=")[0]
    unknown = _UNKNOWN.search(name)
    plain = name[: unknown.start()].replace(".", "/").lstrip("-/") if unknown else ""
    return unknown is not None and key.startswith(plain)
