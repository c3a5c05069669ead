"""How udev reads one line of a rules file: parts of the form ``KEY{attribute} OPERATOR "value"``.

From systemd 243 a line with any part that does not parse is thrown away whole. Before, what stood
in front of such a part could still count, which is not followed here. Source: udev(7); systemd's
src/udev/udev-rules.c of 219 (el7), 239 (el8), 247, 252 and 257.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The first systemd whose udev discards the whole line.
_WHOLE_LINES = 243
#: The first that drops comments between the lines of a continued one.
JOINS_SINCE = 243
#: The newest that was looked at: later ones may know more keys.
_NEWEST = 257
_ESCAPED_VALUES = 247  # e"..."
_ANY_CASE_VALUES = 253  # i"...": from some version after 252

_BLANK = " \t\n\r"
_OPERATORS = ("==", "!=", "+=", "-=", ":=", "=")
MATCHING = ("==", "!=")

#: Keys that only match, and take no attribute.
_MATCH_KEYS = frozenset(
    [
        "ACTION",
        "DEVPATH",
        "KERNEL",
        "SUBSYSTEM",
        "DRIVER",
        "TAGS",
        "RESULT",
        "KERNELS",
        "SUBSYSTEMS",
        "DRIVERS",
    ]
)
_JUMP_KEYS = frozenset(("GOTO", "LABEL"))
#: Keys that only assign.
_ASSIGN_KEYS = frozenset(("OPTIONS", "OWNER", "GROUP", "MODE", "SECLABEL", "RUN"))
_WITH_ATTRIBUTE = frozenset(("ATTR", "ATTRS", "ENV", "SYSCTL", "CONST", "SECLABEL", "IMPORT"))
_MAYBE_ATTRIBUTE = frozenset(("TEST", "RUN"))
_KNOWN = (
    _MATCH_KEYS
    | _JUMP_KEYS
    | _ASSIGN_KEYS
    | _WITH_ATTRIBUTE
    | _MAYBE_ATTRIBUTE
    | {"SYMLINK", "NAME", "TAG", "PROGRAM"}
)
#: Keys that not every version knows.
_SINCE = {"SYSCTL": 240, "CONST": 244}
_SOMETIMES = frozenset(("WAIT_FOR", "WAIT_FOR_SYSFS"))
_RUN_TYPES = (None, "program", "builtin")
_IMPORT_TYPES = ("program", "builtin", "file", "db", "cmdline", "parent")
_FIXED_PROPERTIES = frozenset(
    [
        "ACTION",
        "DEVLINKS",
        "DEVNAME",
        "DEVPATH",
        "DEVTYPE",
        "DRIVER",
        "IFINDEX",
        "MAJOR",
        "MINOR",
        "SEQNUM",
        "SUBSYSTEM",
        "TAGS",
    ]
)
_CUT = "[cut]"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a line; ``attribute`` is None where no braces follow the key."""

    key: str
    attribute: str | None
    operator: str
    value: str

    @property
    def matching(self) -> bool:
        """Whether it compares, and does not assign."""
        return self.operator in MATCHING

    @property
    def named(self) -> str:
        """Key and attribute, e.g. ``ENV{ID_BUS}``."""
        return self.key if self.attribute is None else f"{self.key}{{{self.attribute}}}"


@dataclass(frozen=True, slots=True)
class UdevLine:
    """A line as udev reads it.

    Attributes:
        parts: in order, up to the first that does not parse.
        discarded: why udev throws the line away; empty where it does not.
        doubt: why what udev makes of the line is not known; empty where it is.
    """

    parts: tuple[Part, ...] = ()
    discarded: str = ""
    doubt: str = ""


class _InvalidLineError(Exception):
    """A part does not parse; says why."""


class _UnknownError(Exception):
    """What udev makes of a part is not known; says why."""


def read_udev_line(text: str, version: int | None) -> UdevLine:
    """Read a line.

    Args:
        text: the line, continued lines joined.
        version: systemd's; None where it is not known.
    """
    parts: list[Part] = []
    discarded = doubt = ""
    if text.endswith(_CUT):
        return UdevLine(doubt="the probe cut it")
    try:
        at = _skip(text, 0, f"{_BLANK},")
        while at < len(text):
            part, at = _part(text, at, version)
            parts.append(part)
            _check(part, version)
            at = _skip(text, at, f"{_BLANK},")
    except _InvalidLineError as error:
        discarded = str(error)
    except _UnknownError as error:
        doubt = str(error)
    if discarded and (version is None or version < _WHOLE_LINES):
        which = "udev" if version is None else f"udev of systemd {version}"
        doubt, discarded = f"{which} may use a part of the line: {discarded}", ""
    return UdevLine(tuple(parts), discarded, doubt)


def _skip(text: str, at: int, characters: str) -> int:
    while at < len(text) and text[at] in characters:
        at += 1
    return at


def _part(text: str, at: int, version: int | None) -> tuple[Part, int]:
    """The part that starts at a place, and where it ends."""
    start = at
    while at < len(text) and text[at] not in f"{_BLANK}={{":
        if text[at] in "+-!:" and text[at + 1 : at + 2] == "=":
            break
        at += 1
    key, attribute = text[start:at], None
    if text[at : at + 1] == "{":
        end = text.find("}", at)
        if end < 0:
            raise _InvalidLineError(f"the brace behind {key} is not closed")
        attribute, at = text[at + 1 : end], end + 1
    at = _skip(text, at, _BLANK)
    operator = next((each for each in _OPERATORS if text.startswith(each, at)), "")
    if not operator:
        hint = "; a comment must have a line of its own" if key.startswith("#") else ""
        raise _InvalidLineError(f"{text[start:].strip()!r} is no KEY, operator and value{hint}")
    at = _skip(text, at + len(operator), _BLANK)
    value, at = _value(text, at, f"{key}{operator}", version)
    return Part(key, attribute, operator, value), at


def _value(text: str, at: int, before: str, version: int | None) -> tuple[str, int]:
    """The value in double quotes that starts at a place, and where it ends."""
    start, at = at, _skip(text, at, "ei")
    escaped = bool(_checked_prefix(text[start:at], text[at : at + 1], before, version))
    found: list[str] = []
    at += 1
    while at < len(text):
        character = text[at]
        if character == '"':
            return "".join(found), at + 1
        if character == "\\" and (escaped or text[at + 1 : at + 2] == '"'):
            if version is not None and version < _WHOLE_LINES:
                raise _UnknownError(f"how udev of systemd {version} reads a \\ is not known")
            at += 1
            character = text[at : at + 1]
            if escaped and character not in ('"', "\\"):
                raise _UnknownError(f"what the escapes behind {before} give is not known")
        found.append(character)
        at += 1
    raise _InvalidLineError(f"the quotes behind {before} are not closed")


def _checked_prefix(prefix: str, quote: str, before: str, version: int | None) -> str:
    """What stands in front of a value's quotes: ``e`` lets backslashes escape."""
    if quote != '"' or len(set(prefix)) < len(prefix):
        raise _InvalidLineError(f"what follows {before} is not in double quotes")
    if "i" in prefix and version is not None and version < _ANY_CASE_VALUES:
        raise _InvalidLineError(f"what follows {before} is not in double quotes")
    if "i" in prefix or (prefix and (version is None or version < _ESCAPED_VALUES)):
        raise _UnknownError(f'whether this udev knows {before}{prefix}"..." is not known')
    return prefix


def _check(part: Part, version: int | None) -> None:
    """Whether a key takes this operator, attribute and value."""
    key = part.key
    if key in _SOMETIMES:
        raise _UnknownError(f"whether this udev knows {key} is not known")
    if key not in _KNOWN:
        if version is not None and version > _NEWEST:
            raise _UnknownError(f"whether this udev knows {key} is not known")
        raise _InvalidLineError(f"{key!r} is no key of udev's")
    if (since := _SINCE.get(key)) and (version is None or version < since):
        raise _UnknownError(f"whether this udev knows {key} is not known")
    if part.attribute is None:
        if key in _WITH_ATTRIBUTE:
            raise _InvalidLineError(f"{key} has no attribute in braces")
    elif key not in _WITH_ATTRIBUTE | _MAYBE_ATTRIBUTE:
        raise _InvalidLineError(f"{key} takes no attribute")
    elif not part.attribute and key != "TEST":
        raise _InvalidLineError(f"the attribute of {key} is empty")
    if not _takes(key, part.operator, version):
        raise _InvalidLineError(f"{part.named} does not take the operator {part.operator}")
    _check_value(part)


def _takes(key: str, operator: str, version: int | None) -> bool:
    if key in _JUMP_KEYS:
        return operator == "="
    if key in _MATCH_KEYS | {"ATTRS", "CONST", "TEST"}:
        return operator in MATCHING
    if operator == "-=":
        if key == "SYMLINK" and (version is None or version >= _ANY_CASE_VALUES):
            raise _UnknownError("whether this udev takes SYMLINK-= is not known")
        return key == "TAG"
    return key not in _ASSIGN_KEYS or operator not in MATCHING


def _check_value(part: Part) -> None:
    key, attribute, value = part.key, part.attribute, part.value
    assigns = not part.matching
    invalid = (
        (key == "RUN" and attribute not in _RUN_TYPES)
        or (key == "IMPORT" and attribute not in _IMPORT_TYPES)
        or (key == "ENV" and assigns and attribute in _FIXED_PROPERTIES)
        or (key == "NAME" and assigns and value in ("%k", ""))
    )
    if invalid:
        raise _InvalidLineError(f'{part.named}{part.operator}"{value}" is refused')
    unknown = (
        (key == "CONST" and attribute not in ("arch", "virt"))
        or (key in ("OWNER", "GROUP") and not value.isdecimal() and value != "root")
        or (key == "TEST" and attribute and not set(attribute) <= set("01234567"))
        or (attribute == "builtin" and not value.startswith(("kmod", "path_id", "hwdb")))
    )
    if unknown:
        raise _UnknownError(f'what udev makes of {part.named}{part.operator}"{value}" is not known')
