"""ssh_config(5), as far as an audit needs it.

The rules are OpenSSH's: the first value wins, IdentityFile adds up, Include works inside blocks,
``Match`` knows all, host, originalhost, user, localuser, canonical and final. What cannot be
answered here (``Match exec``, ``localnetwork``, ``tagged`` ...) never matches: no command is run
to find out how to connect. Host names are not canonicalised.
"""

from __future__ import annotations

import functools
import getpass
import glob
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

USER_FILE = Path("~/.ssh/config")
SYSTEM_FILE = Path("/etc/ssh/ssh_config")
_LINE = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$", re.DOTALL)
#: Keywords whose value is the rest of the line, quotes and all.
_VERBATIM = frozenset({"proxycommand", "remotecommand", "localcommand", "knownhostscommand"})
_ADDS_UP = frozenset({"identityfile", "certificatefile"})
#: The first of the two wins, and the other one does not count any more.
_RIVAL = {"proxycommand": "proxyjump", "proxyjump": "proxycommand"}
_WITHOUT_ARGUMENT = frozenset({"all", "canonical", "final"})


@dataclass(frozen=True, eq=False, slots=True)
class _Block:
    """The line ``Host`` or ``Match`` above a directive; every outer one must match, too."""

    criteria: tuple[tuple[str, str], ...]
    outer: _Block | None = None


@dataclass(frozen=True, slots=True)
class _Directive:
    keyword: str
    words: tuple[str, ...]
    block: _Block | None


@dataclass(frozen=True, slots=True)
class SshConfig:
    """Directives in the order in which they count."""

    directives: tuple[_Directive, ...] = ()

    def lookup(self, host: str, given: Iterable[tuple[str, str]] = ()) -> dict[str, list[str]]:
        """The settings for a host, keyword in lower case -> words.

        Args:
            host: as the user wrote it.
            given: settings from the command line, which come first.
        """
        return self._search(host, given).found

    def undecided(self, host: str, given: Iterable[tuple[str, str]] = ()) -> frozenset[str]:
        """Criteria of ``Match`` that only OpenSSH can answer for this host, such as ``exec``."""
        return frozenset(self._search(host, given).undecided)

    def _search(self, host: str, given: Iterable[tuple[str, str]]) -> _Search:
        config = SshConfig(
            (
                *(_given(key.lower(), value) for key, value in given),
                *self.directives,
            )
        )
        search = _Search(host)
        search.run(config.directives, final=False)
        if any(_asks_final(each.block) for each in self.directives):
            search.run(config.directives, final=True)
        return search


@dataclass
class _Search:
    """One lookup: what has been found so far, and which blocks were found to match."""

    host: str
    found: dict[str, list[str]] = field(default_factory=dict)
    matched: dict[int, bool] = field(default_factory=dict)
    undecided: set[str] = field(default_factory=set)

    def run(self, directives: Iterable[_Directive], *, final: bool) -> None:
        self.matched.clear()
        for directive in directives:
            if self._in_force(directive.block, final=final):
                self._take(directive)

    def _take(self, directive: _Directive) -> None:
        key, words = directive.keyword, list(directive.words)
        if key in _ADDS_UP:
            known = self.found.setdefault(key, [])
            known.extend(word for word in words if word not in known)
        elif _RIVAL.get(key) not in self.found:
            self.found.setdefault(key, words)

    def _in_force(self, block: _Block | None, *, final: bool) -> bool:
        if block is None:
            return True
        if id(block) not in self.matched:
            self.matched[id(block)] = self._in_force(block.outer, final=final) and all(
                self._meets(word, argument, final=final) for word, argument in block.criteria
            )
        return self.matched[id(block)]

    def _meets(self, criterion: str, argument: str, *, final: bool) -> bool:
        negated, word = criterion.startswith("!"), criterion.lstrip("!")
        if word == "hosts":
            return _matches(argument.split(" "), self.host)
        local = _local_user()
        name = self.found.get("hostname", [self.host])[0].replace("%h", self.host)
        subject = {
            "host": name,
            "originalhost": self.host,
            "user": self.found.get("user", [local])[0],
            "localuser": local,
        }.get(word)
        if subject is not None:
            met = _matches(argument.split(","), subject)
        elif word in {"canonical", "final"}:
            met = final
        elif word == "all":
            met = True
        else:
            self.undecided.add(word)
            return False
        return met is not negated


def _asks_final(block: _Block | None) -> bool:
    return block is not None and any(word.lstrip("!") == "final" for word, _ in block.criteria)


@functools.cache
def _local_user() -> str:
    return getpass.getuser()


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile("".join(parts), re.DOTALL)


def _matches(patterns: list[str], subject: str) -> bool:
    """OpenSSH's match_pattern_list: a negated pattern that matches forbids."""
    met = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if _pattern(pattern[1:]).fullmatch(subject):
                return False
        elif _pattern(pattern).fullmatch(subject):
            met = True
    return met


def _words(keyword: str, value: str) -> tuple[str, ...]:
    if keyword in _VERBATIM:
        return (value,)
    try:
        return tuple(shlex.split(value, comments=True))
    except ValueError:
        return tuple(value.split())


@functools.lru_cache(maxsize=1024)
def _given(keyword: str, value: str) -> _Directive:
    """A setting from outside the files; most hosts have the same ones."""
    return _Directive(keyword, _words(keyword, value), None)


def read(paths: Iterable[Path]) -> SshConfig:
    """Read configuration files, those that are missing left out. The result is cached.

    Raises:
        TransportError: a file is there but cannot be read, or has a line that is no setting.
    """
    config: list[_Directive] = []
    for path in paths:
        path = path.expanduser()  # noqa: PLW2901
        try:
            mark = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
        config.extend(_read_cached(path, mark))
    return SshConfig(tuple(config))


@functools.lru_cache(maxsize=32)
def _read_cached(path: Path, _mark: int) -> tuple[_Directive, ...]:
    return tuple(_read_file(path, None, 0))


def _read_file(path: Path, block: _Block | None, depth: int) -> list[_Directive]:
    outer = block
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TransportError("configuration", f"{path}: {error.strerror}") from None
    directives: list[_Directive] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        matched = _LINE.match(line)
        if not matched or not matched[2]:
            raise TransportError(
                "configuration", f"{path}:{number}: not an ssh_config setting: {line}"
            )
        keyword = matched[1].lower()
        words = _words(keyword, matched[2])
        if keyword == "host":
            block = _Block((("hosts", " ".join(words)),), outer)
        elif keyword == "match":
            block = _Block(_criteria(words, path, number), outer)
        elif keyword == "include" and depth < limits.SSH_CONFIG_INCLUDES:
            for name in words:
                for included in _included(name, path):
                    directives.extend(_read_file(included, block, depth + 1))
        else:
            directives.append(_Directive(keyword, words, block))
    return directives


def _criteria(words: tuple[str, ...], path: Path, number: int) -> tuple[tuple[str, str], ...]:
    rest, criteria = list(words), []
    while rest:
        word, equals, argument = rest.pop(0).partition("=")
        word = word.lower()
        if word.lstrip("!") not in _WITHOUT_ARGUMENT and not equals:
            if not rest:
                raise TransportError(
                    "configuration", f"{path}:{number}: Match {word} needs an argument"
                )
            argument = rest.pop(0)
        criteria.append((word, argument))
    return tuple(criteria)


def _included(name: str, path: Path) -> list[Path]:
    """The files that an Include names; relative ones stand beside the configuration."""
    pattern = Path(name).expanduser()
    if not pattern.is_absolute():
        base = path.parent if SYSTEM_FILE.parent in path.parents else USER_FILE.expanduser().parent
        pattern = base / pattern
    return [Path(found) for found in sorted(glob.glob(str(pattern)))]  # noqa: PTH207


def expand(text: str, tokens: Mapping[str, str], *, home: bool = False) -> str:
    """Replace ``%h`` and its like; with ``home``, a leading ``~/`` as well.

    >>> expand("%r@%h:%p %%", {"h": "web1", "p": "22", "r": "root"})
    'root@web1:22 %'
    """
    tokens = {"%": "%", **tokens}
    text = re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)
    return str(Path(text).expanduser()) if home and text.startswith("~") else text
