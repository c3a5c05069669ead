"""The words of a hook's command as a POSIX shell splits it: quotes, operators, known variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPERATORS = ("&&", "||", ";;", ">>", ">&", "<&", "<<", ">|", "&", "|", ";", "(", ")", "<", ">")
#: Redirections of both outputs, which dash reads as ``&`` and a redirection.
_BOTH = ("&>>", "&>")
_SHELLS_WITH_BOTH = ("bash", "busybox")
REDIRECTIONS = frozenset((">", ">>", "<", ">&", "<&", ">|", *_BOTH))
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


class UnsupportedShellError(ValueError):
    """The command decides something at run time, or is no valid shell; the text says what."""


class InvalidShellError(UnsupportedShellError):
    """Neither dash nor bash accepts the line: nothing of it runs, and it fails."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word after quoting.

    Attributes:
        text: without its quotes.
        pattern: an unquoted ``*``, ``?`` or ``[`` is in it.
        bare: nothing in it is quoted or stands for a variable.
        assigns: it assigns a variable where it stands before a command's name.
    """

    text: str
    pattern: bool = False
    bare: bool = True
    assigns: bool = False


Token = Word | str


def operators_of(command: str, shell: str) -> tuple[str, ...]:
    """The operators that a shell knows.

    Raises:
        UnsupportedShellError: that decides how the command is read, and the shell is not known.
    """
    if shell != "dash" and "((" in command:
        raise UnsupportedShellError("it uses '((', which shells read differently")
    if shell in _SHELLS_WITH_BOTH:
        return (*_BOTH, *_OPERATORS)
    if shell != "dash" and "&>" in command:
        raise UnsupportedShellError("it uses '&>', which shells read differently")
    return _OPERATORS


def tokens(command: str, variables: Mapping[str, str], operators: tuple[str, ...]) -> list[Token]:
    """The words, operators (as text) and descriptors before a redirection (``fd 2``), in order.

    Raises:
        UnsupportedShellError: a word cannot be known without running the command.
    """
    found: list[Token] = []
    at = 0
    while at < len(command):
        character = command[at]
        if character in " \t":
            at += 1
        elif character == "\n":
            found.append(character)
            at += 1
        elif character == "#":
            at = command.find("\n", at) if "\n" in command[at:] else len(command)
        elif operator := next((op for op in operators if command.startswith(op, at)), ""):
            if operator in ("<<", ";;"):
                raise UnsupportedShellError(f"it uses {operator!r}")
            found.append(operator)
            at += len(operator)
        else:
            word, end = _word(command, at, variables)
            follows = command[end : end + 1]
            if command[at:end].isdecimal() and follows and follows in "<>":
                if end - at > 1:
                    raise UnsupportedShellError(
                        f"it redirects descriptor {word.text}, which shells read differently"
                    )
                found.append(f"fd {word.text}")
            else:
                found.append(word)
            at = end
    return found


def _word(command: str, at: int, variables: Mapping[str, str]) -> tuple[Word, int]:
    """One word from a place on, and where it ends."""
    text: list[str] = []
    pattern, bare, expands = False, True, False
    start, assigns = at, _ASSIGNMENT.match(command, at) is not None
    while at < len(command) and command[at] not in " \t\n;&|()<>":
        character = command[at]
        if character == "'":
            end = command.find("'", at + 1)
            if end < 0:
                raise InvalidShellError("a single quote is not closed")
            text.append(command[at + 1 : end])
            at, bare = end + 1, False
        elif character == '"':
            inner, at = _double_quoted(command, at + 1, variables)
            text.append(inner)
            bare = False
        elif character == "\\":
            if command[at + 1 : at + 2] in ("", "\n"):
                raise UnsupportedShellError("it has a backslash at the end of a line")
            text.append(command[at + 1 : at + 2])
            at, bare = at + 2, False
        elif character in "$`":
            value, at = _expanded(command, at, variables)
            text.append(value)
            bare = False
        else:
            pattern = pattern or character in "*?["
            expands = expands or character in "{}" or (character == "~" and at == start)
            text.append(character)
            at += 1
    raw = command[start:at]
    if expands and raw not in ("{", "}", "{}"):
        raise UnsupportedShellError(f"it uses {raw!r}, which shells expand differently")
    return Word("".join(text), pattern, bare, assigns), min(at, len(command))


def _double_quoted(command: str, at: int, variables: Mapping[str, str]) -> tuple[str, int]:
    text: list[str] = []
    while at < len(command):
        character = command[at]
        if character == '"':
            return "".join(text), at + 1
        if character == "\\" and command[at + 1 : at + 2] in ('"', "\\", "$", "`"):
            text.append(command[at + 1])
            at += 2
        elif command.startswith("\\\n", at):
            raise UnsupportedShellError("it has a backslash at the end of a line")
        elif character in "$`":
            value, at = _expanded(command, at, variables)
            text.append(value)
        else:
            text.append(character)
            at += 1
    raise InvalidShellError("a double quote is not closed")


def _expanded(command: str, at: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """The value of a ``$name``, and where its name ends."""
    if command[at] == "`" or command.startswith("$(", at):
        raise UnsupportedShellError("it substitutes a command's output")
    at += 1
    braced = command[at : at + 1] == "{"
    end = at = at + braced
    while end < len(command) and command[end] in _NAME:
        end += 1
    name = command[at:end]
    if braced:
        if command[end : end + 1] != "}":
            raise UnsupportedShellError("it uses a parameter expansion")
        end += 1
    if not name:
        if command[at : at + 1] in (" ", "\t", ""):
            return "$", at
        raise UnsupportedShellError(f"it uses the variable ${command[at]}")
    if name not in variables:
        raise UnsupportedShellError(f"it uses the variable ${name}")
    return variables[name], end
