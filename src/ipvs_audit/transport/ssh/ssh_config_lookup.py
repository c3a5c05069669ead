"""The settings for one host, as ``ssh -G`` finds them in ssh_config.

The first value wins, IdentityFile and CertificateFile add up, and ``Match final`` reads it all a
second time, with HostName as the host. What only OpenSSH can answer (``Match exec``,
``localnetwork`` ...) never matches here: no command is run to find out how to connect. It is said
in :attr:`HostSettings.undecided` where it could have changed something.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipvs_audit.transport.ssh import local_user
from ipvs_audit.transport.ssh.expansion import expand
from ipvs_audit.transport.ssh.ssh_config import Block, Directive
from ipvs_audit.transport.ssh.ssh_keywords import IGNORED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ADDS_UP = frozenset({"identityfile", "certificatefile"})
#: The first of the two wins, and the other one does not count any more.
_RIVAL = {"proxycommand": "proxyjump", "proxyjump": "proxycommand"}


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What ssh_config says of one host.

    Attributes:
        words: keyword in lower case -> its words.
        undecided: criteria of ``Match`` that only OpenSSH can answer, e.g. ``exec``, each of a
            block whose other criteria hold and that would change how the host is reached.
    """

    words: Mapping[str, list[str]]
    undecided: tuple[str, ...]

    def first(self, keyword: str, default: str) -> str:
        """The first word of a keyword."""
        words = self.words.get(keyword)
        return words[0] if words else default

    def yes(self, keyword: str) -> bool:
        """Whether a keyword that is ``no`` by default is on."""
        return self.first(keyword, "no").lower() in {"yes", "true"}


def look_up(
    directives: tuple[Directive, ...],
    host: str,
    given: Iterable[tuple[str, tuple[str, ...]]] = (),
) -> HostSettings:
    """The settings for a host.

    Args:
        directives: of the files, in the order in which they count.
        host: as the user wrote it.
        given: settings from the command line, which come first: keyword in lower case and
            words.
    """
    search = _Search(host, host)
    for keyword, words in given:
        search.take(Directive(keyword, words))
    search.run(directives, final=False)
    if search.wants_final:
        search.host = search.named()
        search.run(directives, final=True)
    return HostSettings(search.found, tuple(search.undecided))


@dataclass
class _Search:
    """One lookup: what has been found so far, and which blocks were found to match."""

    original: str
    host: str
    found: dict[str, list[str]] = field(default_factory=dict)
    undecided: dict[str, None] = field(default_factory=dict)
    wants_final: bool = False
    final: bool = False
    #: Whether a block is in force; for one that nobody here can tell: the criteria.
    matched: dict[int, bool | tuple[str, ...]] = field(default_factory=dict)

    def run(self, directives: Iterable[Directive], *, final: bool) -> None:
        self.matched.clear()
        self.final = final
        for directive in directives:
            verdict = self._in_force(directive.block)
            if verdict is True:
                self.take(directive)
            elif verdict and self._would_count(directive):
                self.undecided.update(dict.fromkeys(verdict))

    def take(self, directive: Directive) -> None:
        key, words = directive.keyword, list(directive.words)
        if key in {"host", "match"}:
            return
        if key in _ADDS_UP:
            known = self.found.setdefault(key, [])
            known.extend(word for word in words if word not in known)
        elif key == "hostname" and self.final:
            return  # the host is decided by then, set or not (main in ssh.c)
        elif not self._has_rival(key):
            self.found.setdefault(key, words)

    def named(self) -> str:
        """The host's name as far as it is known: HostName, where it is set."""
        name = self.found.get("hostname", [self.host])[0]
        return expand(name, {"h": self.host}).lower()

    def _would_count(self, directive: Directive) -> bool:
        key = directive.keyword
        if key in {"host", "match"} or key in IGNORED:
            return False
        return key in _ADDS_UP or not (key in self.found or self._has_rival(key))

    def _has_rival(self, key: str) -> bool:
        rival = _RIVAL.get(key, "")
        # `ProxyJump none` leaves a later ProxyCommand, `ProxyCommand none` no later ProxyJump.
        is_none = rival == "proxyjump" and self.found.get(rival, [""])[0].lower() == "none"
        return rival in self.found and not is_none

    def _in_force(self, block: Block | None) -> bool | tuple[str, ...]:
        if block is None:
            return True
        if id(block) not in self.matched:
            outer = self._in_force(block.outer)
            own = self._meets_hosts(block) if block.hosts else self._meets_all(block)
            self.matched[id(block)] = _both(outer, own)
        return self.matched[id(block)]

    def _meets_hosts(self, block: Block) -> bool:
        return _matches(block.hosts, self.host)

    def _meets_all(self, block: Block) -> bool | tuple[str, ...]:
        met: bool | tuple[str, ...] = True
        for criterion, argument in block.criteria:
            met = _both(met, self._meets(criterion, argument))
        return met

    def _meets(self, criterion: str, argument: str) -> bool | tuple[str, ...]:
        negated, word = criterion.startswith("!"), criterion.removeprefix("!")
        if word == "all":
            met = True
        elif word in {"canonical", "final"}:
            self.wants_final |= word == "final"
            met = self.final
        elif word == "host":
            met = _matches(argument.lower().split(","), self.named())
        elif word == "originalhost":
            met = _matches(argument.lower().split(","), self.original.lower())
        elif word == "user":
            met = _matches(argument.split(","), self.found.get("user", [local_user.name()])[0])
        elif word == "localuser":
            met = _matches(argument.split(","), local_user.name())
        elif word == "tagged":
            met = _matches(argument.split(","), self.found.get("tag", [""])[0])
        else:
            return (f"Match {word}",)
        return met is not negated


def _both(
    one: bool | tuple[str, ...],
    other: bool | tuple[str, ...],
) -> bool | tuple[str, ...]:
    """Whether two things hold, either of which may be something that nobody can tell."""
    if one is False or other is False:
        return False
    return (() if one is True else one) + (() if other is True else other) or True


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile("".join(parts), re.DOTALL)


def _matches(patterns: Iterable[str], subject: str) -> bool:
    """OpenSSH's match_pattern_list: a negated pattern that matches forbids."""
    met = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if _pattern(pattern[1:]).fullmatch(subject):
                return False
        elif _pattern(pattern).fullmatch(subject):
            met = True
    return met
