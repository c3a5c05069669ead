"""A hook's command as a POSIX shell parses it; nothing is ever run.

modprobe gives an ``install`` line to ``/bin/sh -c``. Read here are words with their quoting,
``&&``, ``||``, ``;``, ``&``, pipes, redirections, assignments, groups and ``!``. What decides at
run time (substitutions, loops, conditions), and what shells read differently, raises
:class:`UnsupportedShellError`, which names it; what no shell accepts, :class:`InvalidShellError`.

>>> parse("modprobe -i ip_vs && sysctl -p >/dev/null").items[0].rest[0][0]
'&&'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvs_audit.persistence.shell.words import (
    REDIRECTIONS,
    InvalidShellError,
    Token,
    UnsupportedShellError,
    Word,
    operators_of,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPOUNDS = frozenset(
    ("if", "for", "while", "until", "case", "!", "function", "select", "time", "coproc", "[[")
)
#: Words that only a compound may hold, of which the first word is met before.
_WITHIN_COMPOUNDS = frozenset(("then", "else", "elif", "fi", "do", "done", "esac"))
#: What can follow neither an operator nor a redirection, in one line.
_ENDS = (None, ";", "&", "|", "&&", "||", ")")
_DESCRIPTOR = re.compile(r"[0-9]{1,9}|-")
_DEEPEST = 20
#: Commands in one line: each is followed for every outcome of those before it.
_MOST_COMMANDS = 100


@dataclass(frozen=True, slots=True)
class Simple:
    """A command with its words, and its redirections as (descriptor or "", operator, target).

    ``within`` counts the programs that start it, as in ``timeout 5 nice modprobe ip_vs``.
    """

    words: tuple[Word, ...]
    redirections: tuple[tuple[str, str, str], ...] = ()
    within: int = 0

    @property
    def text(self) -> str:
        """The command as a person reads it."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Group:
    """``{ ...; }`` or ``( ... )``, with its redirections."""

    body: Sequence
    subshell: bool
    redirections: tuple[tuple[str, str, str], ...] = ()


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


def parse(
    command: str, variables: Mapping[str, str] | None = None, shell: str = "dash"
) -> Sequence:
    """Parse a command.

    Args:
        command: as ``/bin/sh -c`` gets it.
        variables: those whose value is known; any other raises.
        shell: what reads it: ``dash``, ``bash``, ``busybox``; another is one that is not known.

    Raises:
        UnsupportedShellError: the command cannot be followed without running it.
    """
    parser = _Parser(tokens(command, variables or {}, operators_of(command, shell)))
    found = parser.sequence(depth=0)
    if parser.peek() is not None:
        raise InvalidShellError(f"it has a stray {parser.peek()!r}")
    return found


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, given: list[Token]) -> None:
        self._tokens = given
        self._at = 0
        self._commands = 0

    def peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _invalid(self, why: str) -> UnsupportedShellError:
        """The error of a word that is missing here; certain where no shell accepts what follows."""
        return InvalidShellError(why) if self.peek() in _ENDS else UnsupportedShellError(why)

    def _reserved(self) -> str:
        token = self.peek()
        return token.text if isinstance(token, Word) and token.bare else ""

    def sequence(self, depth: int) -> Sequence:
        if depth > _DEEPEST:
            raise UnsupportedShellError("it is nested too deeply")
        items: list[AndOr] = []
        while self._more():
            item = self._and_or(depth)
            if self.peek() == "&":
                self._next()
                item = AndOr(item.first, item.rest, background=True)
            elif self.peek() == ";":
                self._next()
            elif self.peek() not in (None, "\n", ")"):
                raise UnsupportedShellError(
                    f"it defines a function, or lacks a separator before {self._shown()}"
                )
            items.append(item)
        return Sequence(tuple(items))

    def _more(self) -> bool:
        """Whether a command follows, after any empty lines."""
        while self.peek() == "\n":
            self._next()
        return self.peek() not in (None, ")") and self._reserved() != "}"

    def _shown(self) -> str:
        token = self.peek()
        return repr(token.text if isinstance(token, Word) else token)

    def _and_or(self, depth: int) -> AndOr:
        first = self._pipeline(depth)
        rest: list[tuple[str, Pipeline]] = []
        while self.peek() in ("&&", "||"):
            rest.append((str(self._next()), self._pipeline(depth)))
        return AndOr(first, tuple(rest))

    def _pipeline(self, depth: int) -> Pipeline:
        negated = False
        if self._reserved() == "!":
            self._next()
            negated = True
            if self.peek() in _ENDS:
                raise UnsupportedShellError("it negates nothing, which shells read differently")
        commands = [self._command(depth)]
        while self.peek() == "|":
            self._next()
            if self.peek() == "&":
                raise UnsupportedShellError("it uses '|&', which shells read differently")
            commands.append(self._command(depth))
        return Pipeline(tuple(commands), negated)

    def _command(self, depth: int) -> Simple | Group:
        subshell = self.peek() == "("
        if subshell or self._reserved() == "{":
            self._next()
            body = self.sequence(depth + 1)
            closed = self.peek() == ")" if subshell else self._reserved() == "}"
            if not closed:
                raise InvalidShellError("a group is not closed")
            self._next()
            if not body.items:
                raise InvalidShellError("it has an empty group")
            after: list[tuple[str, str, str]] = []
            while (token := self.peek()) in REDIRECTIONS or str(token).startswith("fd "):
                after.append(self._redirection())
            return Group(body, subshell, tuple(after))
        self._refuse_compound()
        self._commands += 1
        if self._commands > _MOST_COMMANDS:
            raise UnsupportedShellError(f"it holds more than {_MOST_COMMANDS} commands")
        words: list[Word] = []
        redirections: list[tuple[str, str, str]] = []
        while (token := self.peek()) is not None:
            if isinstance(token, Word):
                words.append(token)
                self._next()
            elif token in REDIRECTIONS or token.startswith("fd "):
                redirections.append(self._redirection())
            else:
                break
        if not words and not redirections:
            raise self._invalid(f"a command is missing before {self.peek() or 'its end'!r}")
        return Simple(tuple(words), tuple(redirections))

    def _refuse_compound(self) -> None:
        word = self._reserved()
        if word in _COMPOUNDS:
            raise UnsupportedShellError(f"it uses {word!r}")
        if word in _WITHIN_COMPOUNDS:
            raise InvalidShellError(f"it has a stray {word!r}")

    def _redirection(self) -> tuple[str, str, str]:
        token = self._next()
        descriptor = ""
        if isinstance(token, str) and token.startswith("fd "):
            descriptor, token = token[3:], self._next()
        target = self.peek()
        if not isinstance(token, str) or not isinstance(target, Word):
            raise self._invalid("a redirection has no target")
        self._next()
        if token in (">&", "<&") and not _DESCRIPTOR.fullmatch(target.text):
            raise UnsupportedShellError(
                f"it uses {token!r} with a file, which shells read differently"
            )
        if target.pattern:
            raise UnsupportedShellError("it redirects to a pattern")
        return descriptor, token, target.text
