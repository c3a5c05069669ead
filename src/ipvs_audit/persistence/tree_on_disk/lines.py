"""The lines of a configuration file, joined as its reader joins them; the probe does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.snapshot.config_files import Line

if TYPE_CHECKING:
    from ipvs_audit.snapshot.config_files import Joined

_BLANKS = " \t\r"


def parse_lines(path: str, content: bytes) -> tuple[Line, ...]:
    """The lines that are not blank, numbered from 1.

    A backslash at the end continues a line of modprobe's (kmod's getline_wrapped) and of udev's.
    Where nothing follows, not even a line's end, kmod takes the end of the file for a character.
    """
    texts = content.decode(errors="backslashreplace").split("\n")
    if "/rules.d/" in path:
        return _of_udev(texts)
    found: list[Line] = []
    first, held = 0, ""
    for number, text in enumerate(texts, 1):
        first = first if held else number
        if "/modprobe.d/" in path and (len(text) - len(text.rstrip("\\"))) % 2:
            held += text[:-1]
        elif held and number == len(texts) and not text:  # the probe cannot tell it from the next
            break
        elif held or text.strip():
            found.append(Line(first, held + text))
            held = ""
    if held:
        found.append(Line(first, held, "open"))
    return tuple(found)


def _of_udev(texts: list[str]) -> tuple[Line, ...]:
    """As udev from systemd 243 joins lines (udev_rules_parse_file in udev-rules.c).

    It drops comments and leading blanks within a continued line; older ones do not. What a blank
    line within one does differs between versions, and so does the end of the file.
    """
    found: list[Line] = []
    first = 0
    held: str | None = None
    joined: Joined = ""
    after: Joined = ""
    for number, text in enumerate(texts, 1):
        bare = text.lstrip(_BLANKS)
        if bare.startswith("#"):
            joined = joined or ("" if held is None else "old")
            continue
        if held is None and not bare:
            continue
        first = number if held is None else first
        if held is not None and not bare:
            joined = after = "open"
        elif held is not None and bare != text and not held.endswith((" ", "\t", ",")):
            joined = joined or "old"
        whole = text if held is None else held + bare
        if text.endswith("\\"):
            held = whole[:-1]
            continue
        found.append(Line(first, whole, joined))
        held, joined, after = None, after, ""
    if held is not None:
        found.append(Line(first, held, "open"))
    return tuple(found)
