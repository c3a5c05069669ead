"""The command of a udev rule, as udev splits it and fills it in; it runs no shell.

Source: systemd's src/udev/udev-event.c (strv_split_full with EXTRACT_UNQUOTE, EXTRACT_RELAX and
EXTRACT_RETAIN_ESCAPE in 247 to 257), udev(7).
"""

from __future__ import annotations

import re

from ipvs_audit.persistence.hook.programs import UDEV_PROGRAMS
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.shell.parser import Simple
from ipvs_audit.persistence.shell.words import Word

#: The first systemd whose splitting was looked at: quotes join with what stands beside them.
_JOINS_QUOTES = 247
_PLAIN = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"\\]+)(?:[ \t]+|$)")
_FILLED = {"%%": "%", "$$": "$", "$kernel": MODULE, "%k": MODULE}
_FILLS = re.compile(
    r"%%|\$\$|\$kernel|%k"
    r"|\$(?:attr|devnode|devpath|driver|env|id|links|major|minor|name|number|parent|result|root|sysfs"
    r"|sys|tempnode)|%[NsEnpbMmcPDLrS]"
)
_UNFILLED = re.compile(r"\$[A-Za-z_{][A-Za-z_]*")
#: udev ends a program after 180 s, or what udev.conf says; a wait may be no longer than this, in s.
_LONGEST_WAIT = 5
_SLEEP = re.compile(r"\bsleep((?:[ \t]+[0-9]+(?:\.[0-9]+)?)*)(?=[ \t]*(?:[;&|)'\"]|$))")
_WAITS = re.compile(r"\bsleep\b|\budevadm[ \t]+(?:settle|wait|monitor)\b")


def read_command(text: str, version: int | None) -> tuple[Simple, str]:
    """A command as udev runs it, and why that is not certain (empty where it is).

    Args:
        text: the value of RUN or PROGRAM.
        version: systemd's; None where it is not known.
    """
    open_ = [found for found in _FILLS.findall(text) if found not in _FILLED]
    filled = _FILLS.sub(lambda found: _FILLED.get(found[0], found[0]), text)
    words, why = _words(filled, version)
    if unknown := _UNFILLED.search(_FILLS.sub("", text)):
        why = why or f"what udev makes of {unknown[0]!r} is not known"
    if open_:
        why = why or f"what udev puts in place of {open_[0]} is not known"
    if words and not words[0].startswith("/"):
        words[0] = f"{UDEV_PROGRAMS}{words[0]}"
    return Simple(tuple(Word(word) for word in words)), why or _waits(filled)


def _words(text: str, version: int | None) -> tuple[list[str], str]:
    """The words: quotes are taken away wherever they stand; a backslash has no meaning."""
    words: list[str] = []
    held, quote, inside = "", "", False
    for character in text:
        if quote:
            quote, held = ("", held) if character == quote else (quote, held + character)
        elif character in "'\"":
            quote, inside = character, True
        elif character in " \t\n\r":
            words += [held] if inside else []
            held, inside = "", False
        else:
            held, inside = held + character, True
    words += [held] if inside else []
    if quote:
        return words, f"its {quote} is not closed"
    plain = _PLAIN.sub("", text.strip()) == ""
    if not plain and (version is None or version < _JOINS_QUOTES):
        which = "udev" if version is None else f"udev of systemd {version}"
        return words, f"how {which} splits it is not known"
    return words, ""


def _waits(text: str) -> str:
    """Why udev may end the program before it is done; empty where it surely does not."""
    seconds = 0.0
    for found in _SLEEP.finditer(text):
        seconds += sum(map(float, found[1].split()))
    rest = _SLEEP.sub(" ", text)
    if seconds > _LONGEST_WAIT or _WAITS.search(rest):
        return f"it may wait for more than {_LONGEST_WAIT} s, and udev ends what takes too long"
    return ""
