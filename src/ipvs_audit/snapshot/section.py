"""What the probe looked at, raw, and how its lines are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from ipvs_audit.snapshot.errors import GarbledEvidenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Section:
    r"""One thing that the probe looked at.

    Attributes:
        name: e.g. ``netns``.
        command: what ran, as a person would type it.
        output: what it printed; bytes that are not UTF-8 stand as ``\xNN``.
        status: exit status; None where the shell itself read a file.
        at: seconds of the host's uptime when it was taken.
    """

    name: str
    command: str
    output: str
    status: int | None
    at: float

    def garbled(self, reason: str) -> GarbledEvidenceError:
        """The error that says that this section cannot be read."""
        return GarbledEvidenceError(self.name, reason)

    def garbled_line(self, line: str) -> GarbledEvidenceError:
        """The same, of a line that is none of those that the section may hold."""
        return self.garbled(f"line {line[:60]!r} is not of its form")

    def lines(self) -> Iterator[str]:
        """Its lines, without empty ones. Only a newline ends a line."""
        return (line for line in self.output.split("\n") if line)

    def whole_lines(self) -> tuple[str, ...]:
        """Its lines, without the last, which says that nothing is missing.

        Raises:
            GarbledEvidenceError: the last line is not ``end``.
        """
        lines = tuple(self.lines())
        if not lines or lines[-1] != "end":
            raise self.garbled("it is not whole: its last line is missing")
        return lines[:-1]

    def fields(self) -> dict[str, tuple[str, ...]]:
        """Lines ``key=value``, as key -> values in order; a line without ``=`` is a key alone."""
        found: dict[str, list[str]] = {}
        for line in self.lines():
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
        return {key: tuple(values) for key, values in found.items()}


@dataclass(frozen=True, slots=True)
class Facts:
    """Lines ``key=value``, each key at most once, of which each is read when it is asked for.

    A line of no known form spoils only what it may have said: keys that are there stay good, and
    those that are missing are garbled, not missing.
    """

    section: Section
    values: Mapping[str, str]
    twice: frozenset[str]
    odd: str | None

    def get(self, key: str) -> str | None:
        """The value of a key; None where the section does not say.

        Raises:
            GarbledEvidenceError: the key is a duplicate; or not, beside a line of no known form.
        """
        if key in self.twice:
            raise self.section.garbled(f"{key} is a duplicate")
        if key not in self.values and self.odd is not None:
            raise self.section.garbled_line(self.odd)
        return self.values.get(key)

    def number(self, key: str) -> int:
        """The value as a whole number.

        Raises:
            GarbledEvidenceError: it is none, or as :meth:`get` does.
        """
        return number(self.section, key, self.get(key) or "")


def read_facts(section: Section, keys: frozenset[str]) -> Facts:
    """The facts of a section, whose keys are these."""
    values: dict[str, str] = {}
    twice, odd = set(), None
    for line in section.lines():
        key, equals, value = line.partition("=")
        if not equals or key not in keys:
            odd = line
        elif key in values:
            twice.add(key)
        else:
            values[key] = value
    return Facts(section, values, frozenset(twice), odd)


def read_once(
    parse: Callable[Concatenate[Section, P], T],
) -> Callable[Concatenate[Section, P], T]:
    """Let hosts whose section says the same, word for word, share what is read of it.

    Args:
        parse: a pure function of the section's output and of hashable arguments. What it gives is
            not to be changed, and says nothing of when the section was taken.
    """

    @lru_cache(maxsize=256)
    def read(name: str, output: str, *more: Any, **named: Any) -> T:  # noqa: ANN401  # any
        return parse(Section(name, "", output, None, 0.0), *more, **named)

    @wraps(parse)
    def once(section: Section, /, *more: P.args, **named: P.kwargs) -> T:
        arguments = cast("dict[str, Any]", named)
        return read(section.name, section.output, *more, **arguments)

    return once


_ESCAPE = re.compile(r"\\\\|\\n")


def unescaped_path(text: str) -> str:
    r"""A path as it is: the probe writes newlines and backslashes as ``\n`` and ``\\``."""
    return _ESCAPE.sub(lambda found: "\n" if found[0] == "\\n" else "\\", text)


_NUMBER = re.compile(r"[0-9]{1,20}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def number(section: Section, what: str, text: str) -> int:
    """A whole number that is not negative.

    Raises:
        GarbledEvidenceError: the text is anything else.
    """
    if not _NUMBER.fullmatch(text):
        raise section.garbled(f"{what} is {text[:40]!r}, not a number")
    return int(text)


def decimal(section: Section, what: str, text: str) -> float:
    """A decimal number that is not negative.

    Raises:
        GarbledEvidenceError: the text is anything else.
    """
    if not _DECIMAL.fullmatch(text):
        raise section.garbled(f"{what} is {text[:40]!r}, not a number")
    return float(text)
