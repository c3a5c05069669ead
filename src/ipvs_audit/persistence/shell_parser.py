"""A hook's command as a POSIX shell parses it; nothing is ever run.

modprobe gives an ``install`` line to ``/bin/sh -c``. Read here are words with their quoting,
``&&``, ``||``, ``;``, ``&``, pipes, redirections, groups and ``!``. What decides at run time
(substitutions, loops, conditions) raises :class:`BeyondReadingError`, which names it.

>>> parse("modprobe -i ip_vs && sysctl -p >/dev/null").items[0].rest[0][0]
'&&'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPOUNDS = frozenset(
    ("if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac")
)
_OPERATORS = ("&&", "||", ";;", ">>", ">&", "<&", "<<", ">|", "&", "|", ";", "(", ")", "<", ">")
_REDIRECTIONS = frozenset((">", ">>", "<", ">&", "<&", ">|"))
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_DEEPEST = 20


class UnsupportedShellError(ValueError):
    """The command decides something at run time, or is no valid shell; the text says what."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word after quoting; ``pattern`` where an unquoted ``*``, ``?`` or ``[`` is in it."""

    text: str
    pattern: bool = False
    bare: bool = True


@dataclass(frozen=True, slots=True)
class Simple:
    """A command with its words, and its redirections as (descriptor or "", operator, target)."""

    words: tuple[Word, ...]
    redirections: tuple[tuple[str, str, str], ...] = ()

    @property
    def text(self) -> str:
        """The command as a person reads it."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Group:
    """``{ ...; }`` or ``( ... )``."""

    body: Sequence
    subshell: bool


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``; ``negated`` for a leading ``!``."""

    commands: tuple[Simple | Group, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AndOr:
    """Pipelines joined by ``&&`` and ``||``; ``background`` where ``&`` ends it."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...] = ()
    background: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """What ``;`` and ``&`` separate."""

    items: tuple[AndOr, ...]


_Token = Word | str


def parse(command: str, variables: Mapping[str, str] | None = None) -> Sequence:
    """Parse a command.

    Args:
        command: as ``/bin/sh -c`` gets it.
        variables: those whose value is known; any other raises.

    Raises:
        BeyondReadingError: the command cannot be followed without running it.
    """
    parser = _Parser(_tokens(command, variables or {}))
    found = parser.sequence(depth=0)
    if parser.peek() is not None:
        raise UnsupportedShellError(f"it has a stray {parser.peek()!r}")
    return found


def _tokens(command: str, variables: Mapping[str, str]) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(command):
        character = command[at]
        if character in " \t":
            at += 1
        elif character == "\n":
            tokens.append(";")
            at += 1
        elif character == "#":
            at = command.find("\n", at) if "\n" in command[at:] else len(command)
        elif operator := next((op for op in _OPERATORS if command.startswith(op, at)), ""):
            if operator in ("<<", ";;"):
                raise UnsupportedShellError(f"it uses {operator!r}")
            tokens.append(operator)
            at += len(operator)
        else:
            word, end = _word(command, at, variables)
            follows = command[end : end + 1]
            if command[at:end].isdigit() and follows and follows in "<>":
                tokens.append(f"fd {word.text}")
            else:
                tokens.append(word)
            at = end
    return tokens


def _word(command: str, at: int, variables: Mapping[str, str]) -> tuple[Word, int]:
    """One word from a place on, and where it ends."""
    text: list[str] = []
    pattern, bare = False, True
    while at < len(command) and command[at] not in " \t\n;&|()<>":
        character = command[at]
        if character == "'":
            end = command.find("'", at + 1)
            if end < 0:
                raise UnsupportedShellError("a single quote is not closed")
            text.append(command[at + 1 : end])
            at, bare = end + 1, False
        elif character == '"':
            inner, at = _double_quoted(command, at + 1, variables)
            text.append(inner)
            bare = False
        elif character == "\\":
            text.append(command[at + 1 : at + 2])
            at, bare = at + 2, False
        elif character in "$`":
            value, at = _expanded(command, at, variables)
            text.append(value)
        else:
            pattern = pattern or character in "*?["
            text.append(character)
            at += 1
    return Word("".join(text), pattern, bare), min(at, len(command))


def _double_quoted(command: str, at: int, variables: Mapping[str, str]) -> tuple[str, int]:
    text: list[str] = []
    while at < len(command):
        character = command[at]
        if character == '"':
            return "".join(text), at + 1
        if character == "\\" and command[at + 1 : at + 2] in ('"', "\\", "$", "`"):
            text.append(command[at + 1])
            at += 2
        elif character in "$`":
            value, at = _expanded(command, at, variables)
            text.append(value)
        else:
            text.append(character)
            at += 1
    raise UnsupportedShellError("a double quote is not closed")


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


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _reserved(self) -> str:
        token = self.peek()
        return token.text if isinstance(token, Word) and token.bare else ""

    def sequence(self, depth: int) -> Sequence:
        if depth > _DEEPEST:
            raise UnsupportedShellError("it is nested too deeply")
        items: list[AndOr] = []
        while (here := self.peek()) is not None and here != ")" and self._reserved() != "}":
            if here == ";":
                self._next()
                continue
            item = self._and_or(depth)
            if self.peek() == "&":
                self._next()
                item = AndOr(item.first, item.rest, background=True)
            items.append(item)
        return Sequence(tuple(items))

    def _and_or(self, depth: int) -> AndOr:
        first = self._pipeline(depth)
        rest: list[tuple[str, Pipeline]] = []
        while self.peek() in ("&&", "||"):
            rest.append((str(self._next()), self._pipeline(depth)))
        return AndOr(first, tuple(rest))

    def _pipeline(self, depth: int) -> Pipeline:
        negated = False
        while self._reserved() == "!":
            self._next()
            negated = not negated
        commands = [self._command(depth)]
        while self.peek() == "|":
            self._next()
            commands.append(self._command(depth))
        return Pipeline(tuple(commands), negated)

    def _command(self, depth: int) -> Simple | Group:
        subshell = self.peek() == "("
        if subshell or self._reserved() == "{":
            self._next()
            body = self.sequence(depth + 1)
            closed = self.peek() == ")" if subshell else self._reserved() == "}"
            if not closed:
                raise UnsupportedShellError("a group is not closed")
            self._next()
            while (token := self.peek()) in _REDIRECTIONS or str(token).startswith("fd "):
                self._redirection()
            return Group(body, subshell)
        if (word := self._reserved()) in _COMPOUNDS:
            raise UnsupportedShellError(f"it uses {word!r}")
        words: list[Word] = []
        redirections: list[tuple[str, str, str]] = []
        while (token := self.peek()) is not None:
            if isinstance(token, Word):
                words.append(token)
                self._next()
            elif token in _REDIRECTIONS or token.startswith("fd "):
                redirections.append(self._redirection())
            else:
                break
        if not words and not redirections:
            raise UnsupportedShellError(f"a command is missing before {self.peek()!r}")
        return Simple(tuple(words), tuple(redirections))

    def _redirection(self) -> tuple[str, str, str]:
        token = self._next()
        descriptor = ""
        if isinstance(token, str) and token.startswith("fd "):
            descriptor, token = token[3:], self._next()
        target = self.peek()
        if not isinstance(token, str) or not isinstance(target, Word):
            raise UnsupportedShellError("a redirection has no target")
        self._next()
        return descriptor, token, target.text
