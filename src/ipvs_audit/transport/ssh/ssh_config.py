"""The files of ssh_config(5), read into directives in the order in which they count."""

from __future__ import annotations

import glob
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.model.computed_once import computed_once
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.ssh import ssh_config_text
from ipvs_audit.transport.ssh.expansion import expand_variables
from ipvs_audit.transport.ssh.local_user import expand_home

if TYPE_CHECKING:
    from collections.abc import Iterable

USER_FILE = Path("~/.ssh/config")
SYSTEM_FILE = Path("/etc/ssh/ssh_config")
_WITHOUT_ARGUMENT = frozenset({"all", "canonical", "final"})


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """The line ``Host`` or ``Match`` above a directive; every outer one must match, too.

    Attributes:
        hosts: the patterns of ``Host``; empty for ``Match``.
        criteria: of ``Match``: name in lower case, with its ``!``, and argument.
        outer: the block that an Include stands in.
    """

    hosts: tuple[str, ...] = ()
    criteria: tuple[tuple[str, str], ...] = ()
    outer: Block | None = None


@dataclass(frozen=True, slots=True)
class Directive:
    """A keyword in lower case with its words.

    ``host`` and ``match`` are there as well, as the first of their own block.
    """

    keyword: str
    words: tuple[str, ...]
    block: Block | None = None


def read(paths: Iterable[Path]) -> tuple[Directive, ...]:
    """Read configuration files, those that are missing left out. The result is cached.

    Raises:
        TransportError: a file is there but cannot be read, has a line that is no setting, or is
            included or the user's own, and others may write to it.
    """
    config: list[Directive] = []
    for path in paths:
        path = expand_home(path)  # noqa: PLW2901
        try:
            mark = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
        except OSError as error:
            raise TransportError("configuration", f"{path}: {error.strerror}") from None
        config.extend(_read_cached(path, mark))
    return tuple(config)


@computed_once(32)
def _read_cached(path: Path, _mark: int) -> tuple[Directive, ...]:
    return tuple(_read_file(path, None, 0))


def _read_file(path: Path, block: Block | None, depth: int) -> list[Directive]:
    outer = block
    directives: list[Directive] = []
    for number, line in enumerate(_text(path, included=depth > 0).split("\n"), 1):
        try:
            setting = ssh_config_text.split_line(line)
            if setting is None:
                continue
            keyword, words = setting
            if keyword in {"host", "match"}:
                block = _block(keyword, words, outer)
        except ValueError as error:
            raise TransportError("configuration", f"{path}:{number}: {error}") from None
        if keyword != "include":
            directives.append(Directive(keyword, words, block))
        elif depth >= limits.SSH_CONFIG_INCLUDES:
            raise TransportError("configuration", f"{path}:{number}: too many nested Includes")
        else:
            for name in words:
                for included in _included(name, path):
                    directives.extend(_read_file(included, block, depth + 1))
    return directives


def _text(path: Path, *, included: bool) -> str:
    """What is in a file; bytes that are no UTF-8 stay as they are, as in names of files."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            if included or path == expand_home(USER_FILE):
                _refuse_others_file(path, os.fstat(file.fileno()))
            return file.read()
    except OSError as error:
        raise TransportError("configuration", f"{path}: {error.strerror}") from None


def _refuse_others_file(path: Path, found: os.stat_result) -> None:
    """A ProxyCommand in it would run as us (readconf.c, SSHCONF_CHECKPERM)."""
    theirs = found.st_uid not in {0, os.getuid()}
    if theirs or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise TransportError(
            "configuration",
            f"{path}: chown it to yourself and chmod go-w: another user may write to it, so ssh"
            " refuses it, too",
        )


def _block(keyword: str, words: tuple[str, ...], outer: Block | None) -> Block:
    if keyword == "match":
        return Block(criteria=_criteria(words), outer=outer)
    if "" in words:
        raise ValueError("Host has an empty pattern")
    return Block(hosts=words, outer=outer)


def _criteria(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of ``host``, ``!user`` and the like with their arguments: ``host web1``, ``host=web1``.

    Raises:
        ValueError: an argument is missing.
    """
    rest, criteria = list(words), []
    while rest:
        word, equals, argument = rest.pop(0).partition("=")
        word = word.lower()
        if word.lstrip("!") not in _WITHOUT_ARGUMENT:
            if not equals and rest and rest[0].startswith("="):
                argument, equals = rest.pop(0)[1:], "="
            if not argument and rest:
                argument = rest.pop(0)
            if not argument:
                raise ValueError("a criterion of Match has no argument")
        criteria.append((word, argument))
    return tuple(criteria)


def _included(name: str, path: Path) -> list[Path]:
    """The files that an Include names; relative ones stand beside the configuration."""
    pattern = expand_home(expand_variables(str(path), "Include", name))
    if not pattern.is_absolute():
        base = path.parent if SYSTEM_FILE.parent in path.parents else expand_home(USER_FILE).parent
        pattern = base / pattern
    return [Path(found) for found in sorted(glob.glob(str(pattern)))]  # noqa: PTH207
