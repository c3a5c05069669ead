r"""Edits of a configuration file's bytes: what is not meant stays as it is, to the last byte.

>>> set_value(b"a = 1\r\nnet.ipv4.vs.run_estimation=1 \r\n", 2, 0)
b'a = 1\r\nnet.ipv4.vs.run_estimation=0 \r\n'
>>> comment_out(b"x = 1\ny = 2", {2})
b'x = 1\n# ipvs-audit: y = 2'
>>> append(b"x = 1", "y = 2")
b'x = 1\ny = 2\n'
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

#: What stands before a line that a remedy has taken out of effect.
MARKER = "# ipvs-audit: "

_ASSIGNED = re.compile(rb"([^=]*=[ \t]*)([^\s]*)(.*)", re.DOTALL)


def lines_of(content: bytes) -> list[bytes]:
    """The lines with their ends; only a newline ends a line, as for the loaders."""
    parts = content.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def line_end(content: bytes) -> bytes:
    """How the file ends its lines: as its first line does."""
    first = content.partition(b"\n")[0]
    return b"\r\n" if first.endswith(b"\r") and b"\n" in content else b"\n"


def set_value(content: bytes, number: int, value: int) -> bytes:
    """Give the assignment on a line another value; its spelling and white space stay.

    Args:
        content: the whole file.
        number: of the line, from 1.
        value: the new one.
    """
    lines = lines_of(content)
    found = _ASSIGNED.fullmatch(lines[number - 1])
    if found is not None:
        lines[number - 1] = found[1] + str(value).encode() + found[3]
    return b"".join(lines)


def comment_out(content: bytes, numbers: AbstractSet[int]) -> bytes:
    """Put the marker before lines, by their numbers from 1."""
    return b"".join(
        MARKER.encode() + line if number in numbers else line
        for number, line in enumerate(lines_of(content), 1)
    )


def append(content: bytes, text: str, *, end: bytes | None = None) -> bytes:
    """Add a line at the end, ended as the file's other lines are.

    A last line that has no end gets one: it would run into the new one.
    """
    end = end or line_end(content)
    if content and not content.endswith(b"\n"):
        content += end
    return content + text.encode() + end


def add_to(content: bytes, number: int, text: str) -> bytes:
    r"""Add to the end of a line, by its number from 1.

    >>> add_to(b"a\nb\n", 1, " && c")
    b'a && c\nb\n'
    """
    lines = lines_of(content)
    line = lines[number - 1]
    bare = line.rstrip(b"\n")
    lines[number - 1] = bare.rstrip(b" \t") + text.encode() + line[len(bare) :]
    return b"".join(lines)


def continued(content: bytes, number: int) -> set[int]:
    """A line's number and those of the lines that a backslash joins to it."""
    lines = lines_of(content)
    found = {number}
    while number <= len(lines) and lines[number - 1].rstrip(b"\n").endswith(b"\\"):
        number += 1
        found.add(number)
    return found


def unified(path: str, before: bytes | None, after: bytes) -> str:
    r"""The change as a unified diff; bytes that are not UTF-8 stand as ``\xNN``."""
    old = _shown(before or b"")
    new = _shown(after)
    source = "/dev/null" if before is None else f"a{path}"
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, source, f"b{path}", n=2)
    )


def _shown(content: bytes) -> list[str]:
    lines = content.decode("utf-8", "backslashreplace").replace("\r", "\\r").split("\n")
    whole = [f"{line}\n" for line in lines[:-1]]
    return [*whole, lines[-1]] if lines[-1] else whole
