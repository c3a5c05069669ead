"""The parameters that ip_vs is loaded with, and whether the kernel takes them.

ip_vs has one, ``conn_tab_bits``, an int (net/netfilter/ipvs/ip_vs_conn.c). The kernel ends a load
at the first value that is no number (``parse_args`` in kernel/params.c, ``kstrtoint``); a parameter
that it does not know it names, and loads. modprobe gives those of ``options`` lines and, also where
it reads no file, those of the kernel command line (``kmod_config_new`` in libkmod-config.c).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import MODULE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.persistence.host_config import HostConfig

_NAME = "conn_tab_bits"
_INTEGER = re.compile(r"[-+]?(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))")
_INT = range(-(2**31), 2**31)
#: Bits that every kernel takes, at most: one without a limit of its own asks for that much memory.
_MOST_BITS = 20


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as written, ``conn_tab_bits=12``, and the file and line or command with it."""

    text: str
    where: str


def configured(config: HostConfig, *, files: bool = True) -> tuple[Parameter, ...]:
    """What modprobe gives to ip_vs; without ``files`` as it does where it reads none."""
    found = [
        Parameter(word, one.where)
        for one in config.modprobe.all("options", MODULE)
        if files and one.module == MODULE  # in kmod options know no patterns
        for word in one.rest.split()
    ]
    for word in config.tree.cmdline:
        module, dot, text = word.partition(".")
        if dot and module.replace("-", "_") == MODULE:
            found.append(Parameter(text, "the kernel command line"))
    return tuple(found)


def refused(parameters: Iterable[Parameter]) -> str:
    """Why the kernel cannot load ip_vs with these; empty where it may.

    >>> refused([Parameter("conn_tab_bits=abc", "a.conf:1")])
    "the kernel rejects ip_vs with 'conn_tab_bits=abc' (a.conf:1), which is no integer"
    """
    parameters = tuple(parameters)
    if any('"' in each.text for each in parameters):
        return ""  # words belong together then
    for each in parameters:
        name, _, value = each.text.partition("=")
        if name.replace("-", "_") == _NAME and _integer(value) is None:
            told = f"{each.text!r} ({each.where})"
            return f"the kernel rejects {MODULE} with {told}, which is no integer"
    return ""


def doubtful(parameters: Iterable[Parameter]) -> str:
    """Why ip_vs may not be loaded with these; empty where every kernel loads it."""
    for each in parameters:
        name, _, value = each.text.partition("=")
        bits = _integer(value)
        if name.replace("-", "_") != _NAME or bits is None or not 0 <= bits <= _MOST_BITS:
            return f"whether {MODULE} loads with {each.text!r} ({each.where}) is not known"
    return ""


def _integer(text: str) -> int | None:
    """An int as ``kstrtoint`` reads it, with the base that its beginning tells; else None."""
    found = _INTEGER.fullmatch(text)
    if found is None or len(text) > len("-0b") + 32:
        return None
    base = 16 if found[1] else 10 if found[3] else 8
    digits = int(found[1] or found[3] or found[2] or "0", base)
    value = -digits if text[0] == "-" else digits
    return value if value in _INT else None
