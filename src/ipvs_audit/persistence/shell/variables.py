"""The variables that a hook sets before all else, as in ``M=ip_vs; modprobe -i $M``."""

from __future__ import annotations

import re

_FIRST = re.compile(
    r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)=([\"']?)([A-Za-z0-9_./:=+@%,-]+)\2[ \t]*(?:;|&&)(?![;&])"
)
#: Names that no shell and no program gives a meaning to, beside words of lower case.
_PLAIN = re.compile(
    r"LC_[A-Z]+|LANG|LANGUAGE|TZ|[a-z][a-z0-9_]*"
    r"|[A-Z]|MOD|MODULES?|MODNAME|MODPROBE|SYSCTL|CONF|CONFIG|FILE|KEY|VALUE"
)


def is_plain(name: str) -> bool:
    """Whether what a command does cannot depend on a variable of this name, but by ``$NAME``."""
    return _PLAIN.fullmatch(name) is not None


def assigned_first(text: str) -> dict[str, str]:
    """The variables that a command starts with and never changes again, and their values.

    >>> assigned_first("M=ip_vs; modprobe -i $M && sysctl -p")
    {'M': 'ip_vs'}
    >>> assigned_first("M=ip_vs; read M; modprobe -i $M"), assigned_first("M=ip_vs modprobe $M")
    ({}, {})
    """
    found: dict[str, str] = {}
    at = 0
    while assignment := _FIRST.match(text, at):
        name, _, value = assignment.groups()
        if name in found or not is_plain(name):
            return {}
        found[name] = value
        at = assignment.end()
    return {name: value for name, value in found.items() if not _is_changed(name, text[at:])}


def _is_changed(name: str, text: str) -> bool:
    """Whether a name is met otherwise than as ``$NAME`` or ``${NAME}``."""
    used = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", "", text)
    return re.search(rf"\b{name}\b", used) is not None
