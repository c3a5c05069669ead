"""A sysctl key: how loaders spell it, which globs name it, and what the kernel stores.

>>> key = parse_key("net.ipv4.vs.run_estimation")
>>> key.path, key.stores("0x0"), key.stores('"0"')
('net/ipv4/vs/run_estimation', 0, None)
>>> glob_matches("net/ipv4/*/run_estimation", key.path)
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

#: What isspace(3) accepts in the C locale; str.isspace accepts far more.
SPACES = " \t\n\v\f\r"
GLOB_CHARACTERS = "*?["

_INT_MAX = 2**31 - 1
_LONGEST_NUMBER = 20  # proc_get_long refuses what fills its buffer of 22 bytes
_NUMBER = re.compile(r"(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)(?=[ \t\n]|$)")
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}

Value = int | str


@dataclass(frozen=True, slots=True)
class Key:
    """A sysctl key.

    Attributes:
        path: below ``/proc/sys``, e.g. ``net/ipv4/vs/run_estimation``.
        integer: whether the kernel keeps one int there; other keys are compared as text.
    """

    path: str
    integer: bool

    @property
    def dotted(self) -> str:
        """The key as people write it: ``net.ipv4.vs.run_estimation``."""
        return swap_separators(self.path)

    @property
    def needle(self) -> str:
        """A piece of text that every spelling without a glob contains."""
        return self.path.rpartition("/")[2].rpartition(".")[2]

    def stores(self, text: str) -> Value | None:
        """What the kernel holds after this text was written; None where it refuses the write."""
        return parse_int(text) if self.integer else text


RUN_ESTIMATION = Key("net/ipv4/vs/run_estimation", integer=True)


def parse_key(text: str) -> Key:
    """The key that a person means, dotted or slashed, with or without ``/proc/sys/``."""
    path = text.strip().removeprefix("/proc/sys/").lstrip("/")
    first = re.search(r"[./]", path)
    if first and first[0] == ".":
        path = swap_separators(path)
    return Key(path, integer=path == RUN_ESTIMATION.path)


def swap_separators(text: str) -> str:
    """Dots to slashes and slashes to dots.

    >>> swap_separators("net.ipv4.conf.eth0/100.tag")
    'net/ipv4/conf/eth0.100/tag'
    """
    return text.translate(_SWAP)


_SWAP = str.maketrans("./", "/.")


def loader_path(spelled: str) -> str:
    """The path below ``/proc/sys`` that a key's spelling means to procps and systemd alike.

    The first separator decides: a dot swaps all dots and slashes, a slash leaves them. So
    ``net/ipv4/vs.run_estimation`` is a file of that odd name, which does not exist.
    (procps ``slashdot``, systemd ``sysctl_normalize``)
    """
    dot, slash = spelled.find("."), spelled.find("/")
    if dot >= 0 and (slash < 0 or dot < slash):
        return swap_separators(spelled)
    return spelled


def simplified(path: str) -> str:
    """The path without doubled or outer slashes and ``.`` parts; ``..`` stays.

    >>> simplified("/net/./ipv4//vs/run_estimation")
    'net/ipv4/vs/run_estimation'
    """
    if "//" not in path and "/." not in path and path[:1] not in ("/", ".") and path[-1:] != "/":
        return path
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def resolved(path: str) -> str:
    """The file below ``/proc/sys`` that a path names, as open(2) finds it; empty for none.

    A path that ends in a slash names no file, and one that climbs out names no key.
    """
    if path.endswith(("/", "/.")):
        return ""
    parts: list[str] = []
    for part in simplified(path).split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def parse_int(text: str) -> int | None:
    """What ``proc_dointvec`` stores for a text; None where it answers EINVAL.

    Octal and hex as in C, leading white space, anything after the first word. No ``+``, no
    quotes, no more than 20 characters, nothing beyond an int. (Linux kernel/sysctl.c)

    >>> [parse_int(text) for text in ("00", "0 # off", "0#off", "08", "-1", "4294967296")]
    [0, 0, None, None, -1, None]
    """
    found = _NUMBER.match(text.lstrip(SPACES))
    if found is None or len(found[0]) > _LONGEST_NUMBER:
        return None
    sign, digits = found.groups()
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    number = int(digits, base)
    if number > _INT_MAX + bool(sign):
        return None
    return -number if sign else number


def is_glob(path: str) -> bool:
    """Whether the loaders treat a path as a pattern."""
    return any(character in path for character in GLOB_CHARACTERS)


def glob_matches(pattern: str, path: str) -> bool:
    """Whether glob(3) of a pattern finds a path: wildcards stay within one component."""
    wanted, parts = simplified(pattern).split("/"), path.split("/")
    return len(wanted) == len(parts) and all(map(name_matches, wanted, parts))


def name_matches(pattern: str, name: str) -> bool:
    """Whether fnmatch(3) without flags matches: wildcards cross slashes too.

    Takes time in proportion to the two lengths multiplied, whatever the pattern.
    """
    tokens = _tokens(pattern)
    at = token = 0
    star, resume = -1, 0
    while at < len(name):
        if token < len(tokens) and tokens[token] is None:
            star, resume = token, at
            token += 1
        elif token < len(tokens) and tokens[token].fullmatch(name[at]):  # type: ignore[union-attr]
            at += 1
            token += 1
        elif star >= 0:
            resume += 1
            at, token = resume, star + 1
        else:
            return False
    return all(rest is None for rest in tokens[token:])


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """A pattern as one expression for each character that it takes; None for a star."""
    tokens: list[re.Pattern[str] | None] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            tokens.append(None)
            continue
        expression = re.escape(character)
        if character == "?":
            expression = r"[\s\S]"
        elif character == "\\" and at < len(pattern):
            expression = re.escape(pattern[at])
            at += 1
        elif character == "[" and (end := _bracket_end(pattern, at)) > 0:
            expression = _bracket(pattern[at:end])
            at = end + 1
        tokens.append(re.compile(expression))
    return tuple(tokens)


def _bracket_end(pattern: str, start: int) -> int:
    """Where the bracket that opened before ``start`` closes; -1 where it does not."""
    at = start
    if pattern[at : at + 1] in ("!", "^"):
        at += 1
    if pattern[at : at + 1] == "]":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        if pattern.startswith("[:", at) and (close := pattern.find(":]", at + 2)) > 0:
            at = close + 1
        at += 1
    return at if at < len(pattern) else -1


def _bracket(inner: str) -> str:
    """A glob's bracket as a regular expression's, ranges and classes included."""
    negated = inner[:1] in ("!", "^")
    body = inner[1:] if negated else inner
    classes: list[str] = []

    def take(found: re.Match[str]) -> str:
        classes.append(_CLASSES.get(found[1], ""))
        return ""

    body = re.sub(r"\[:(\w+):\]", take, body)
    ranges = re.findall(r"(?s)(.)-(.)|(.)", body)
    for low, high, single in ranges:
        if single:
            classes.append(re.escape(single))
        elif low <= high:
            classes.append(f"{re.escape(low)}-{re.escape(high)}")
    listed = "".join(classes)
    if not listed:
        return r"[^/]" if negated else r"(?!)"
    return f"[{'^' if negated else ''}{listed}]"


def is_below(path: str, prefix: str) -> bool:
    """Whether a path is a prefix or below it, by whole components.

    >>> is_below("net/ipv4/vs/run_estimation", "net/ipv4/v")
    False
    """
    wanted, parts = simplified(prefix).split("/"), path.split("/")
    return len(wanted) <= len(parts) and all(
        want == part for want, part in zip(wanted, parts, strict=False)
    )
