"""Calls of sysctl in scripts of which a line does not tell what they write.

Their keys come from a variable, a file that is not named, or from the input. What a variable holds
cannot be told, but a key that plainly begins otherwise is another key.
"""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[;&|()`{}\n]+")
_SYSCTL = re.compile(r"""(?:^|[\s"'/=:+!@-])sysctl["']?(?:\s+(.*)|$)""", re.DOTALL)
_UNKNOWN = re.compile(r"[$*?\[%]")
_FILES = re.compile(r"-[a-zA-Z]*[pf](.*)|--load(?:=(.*))?")
_SHOWS = re.compile(r"-[a-zA-Z]*[nNbrV][a-zA-Z]*|--(?:values|names|binary|pattern|help|version)")
_HERE_DOCUMENT = re.compile(r"<<-?\s*[\"'\\]?\w")
_INPUT = re.compile("-|/dev/(?:stdin|fd/0)|/proc/self/fd/0")
#: A path that does not depend on where a command starts, nor on its input.
_WHOLE = re.compile("/(?!dev/(?!null$)|proc/)")
_REDIRECTION = re.compile(r"[0-9]*[<>]+\s*\S*")


def writes_what_is_not_told(text: str, key: str) -> bool:
    """Whether a line calls sysctl so that it may set the key without naming it.

    Args:
        text: a line of a script, or a unit's command.
        key: the key's path, ``net/ipv4/vs/run_estimation``.

    >>> key = "net/ipv4/vs/run_estimation"
    >>> writes_what_is_not_told('sysctl -w "$line"', key)
    True
    >>> writes_what_is_not_told("sysctl -w net.ipv6.conf.$IFACE.disable_ipv6=1", key)
    False
    """
    return any(
        _is_open(found[1] or "", key, by_input="xargs" in part)
        for part in _SEPARATORS.split(text.replace("${", "$").replace("}", ""))
        if (found := _SYSCTL.search(part)) is not None
    )


def _is_open(rest: str, key: str, *, by_input: bool) -> bool:
    words = [word.strip("\"'") for word in _REDIRECTION.sub(" ", rest).split()]
    options = [word for word in words if word.startswith("-") and word != "-"]
    operands = [word for word in words if word not in options]
    loads = [found for word in options if (found := _FILES.fullmatch(word))]
    if loads:
        files = operands + [given for found in loads if (given := found[1] or found[2])]
        if _HERE_DOCUMENT.search(rest):
            files = [file for file in files if not _INPUT.fullmatch(file)]  # its lines are searched
        return by_input or any(_UNKNOWN.search(file) or not _WHOLE.match(file) for file in files)
    if "--system" in options or any(_SHOWS.fullmatch(word) for word in options):
        return False  # what it reads is known; a variable among its words is one more option
    return (by_input and not operands) or any(_may_be(word, key) for word in operands)


def _may_be(operand: str, key: str) -> bool:
    """Whether an operand with a variable in its key may name the key."""
    name = operand.partition("=")[0]
    unknown = _UNKNOWN.search(name)
    plain = name[: unknown.start()].replace(".", "/").lstrip("-/") if unknown else ""
    return unknown is not None and key.startswith(plain)
