"""known_hosts files: who is known by which key (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import fcntl
import functools
import hashlib
import hmac
import os
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipvs_audit.model.computed_once import computed_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_HASH_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Key:
    """A public host key.

    >>> Key("ssh-ed25519", b"abc").fingerprint
    'SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0'
    """

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest())
        return "SHA256:" + digest.decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class _Entry:
    key: Key
    marker: str
    patterns: tuple[str, ...]


@dataclass(slots=True)
class _File:
    """One file, with an index for the entries that name a host plainly."""

    plain: dict[str, list[_Entry]] = field(default_factory=dict)
    patterned: list[_Entry] = field(default_factory=list)
    hashed: list[tuple[bytes, bytes, _Entry]] = field(default_factory=list)
    #: Types of its keys.
    types: frozenset[str] = frozenset()

    def entries(self, name: str) -> Iterable[_Entry]:
        yield from self.plain.get(name, ())
        for entry in self.patterned:
            if names_match(entry.patterns, name):
                yield entry
        encoded = name.encode()
        for salt, digest, entry in self.hashed:
            if hmac.digest(salt, encoded, "sha1") == digest:
                yield entry


@dataclass(frozen=True, slots=True)
class Known:
    """What some files say of one host.

    Attributes:
        keys: the keys that it may show.
        revoked: the keys that it must never show.
        authorities: the keys that may certify those that it shows.
        without_port: the keys are those of the host's port 22, which is another server, perhaps.
    """

    keys: tuple[Key, ...] = ()
    revoked: tuple[Key, ...] = ()
    authorities: tuple[Key, ...] = ()
    without_port: bool = False


def look_up(name: str, files: Iterable[Path]) -> Known:
    """What the files say of a name: ``web1``, or ``[web1]:2222`` for another port than 22.

    Files that are missing or unreadable say nothing.
    """
    keys: list[Key] = []
    revoked: list[Key] = []
    authorities: list[Key] = []
    for file in _files(files):
        for entry in file.entries(name.lower()):
            if entry.marker == "@revoked":
                revoked.append(entry.key)
            elif entry.marker == "@cert-authority":
                authorities.append(entry.key)
            elif entry.key not in keys:
                keys.append(entry.key)
    return Known(tuple(keys), tuple(revoked), tuple(authorities))


def key_types(files: Iterable[Path]) -> frozenset[str]:
    """The types of all keys in the files."""
    return frozenset(kind for file in _files(files) for kind in file.types)


def _files(paths: Iterable[Path]) -> Iterator[_File]:
    for path in paths:
        try:
            file = _reader(path).file()
        except OSError:
            continue
        yield file


def add(path: Path, name: str, key: Key, *, hashed: bool) -> Known:
    """Append a host's first key, under a lock that other runs and threads respect.

    Nothing is added where the file knows the host by some key already, or the key as revoked.

    Returns:
        What the file says of the host now.

    Raises:
        OSError: the file cannot be written; it is then as it was.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path) as file:
        before = look_up(name, [path])
        if before.keys or before.authorities or key in before.revoked:
            return before
        shown = _hash(name) if hashed else name
        line = f"{shown} {key.type} {base64.b64encode(key.blob).decode()}\n".encode()
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = 0
        try:
            written = os.write(file, line)
        finally:
            if written != len(line):
                os.ftruncate(file, size)
        if written != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return look_up(name, [path])


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, open for appending; the one that has the name, also where ssh-keygen replaced it.

    Raises:
        OSError: it cannot be opened.
    """
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                yield file
                return
        finally:
            os.close(file)


def _hash(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.lower().encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


class _Reader:
    """One path: its file is read again where it has changed, and only what was added is parsed.

    Of 10,000 hosts that are new, each adds a line, and the next one looks for its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._mark: tuple[int, int] | None = None
        self._content = b""
        self._file = _File()

    def file(self) -> _File:
        """What is in it now.

        Raises:
            OSError: it is missing or unreadable.
        """
        with self._lock:
            found = self._path.stat()
            mark = (found.st_mtime_ns, found.st_size)
            if mark != self._mark:
                content = self._path.read_bytes()
                if not (self._content.endswith(b"\n") and content.startswith(self._content)):
                    self._file, self._content = _File(), b""
                _index(self._file, content[len(self._content) :])
                self._content, self._mark = content, mark
            return self._file


@computed_once(16)
def _reader(path: Path) -> _Reader:
    return _Reader(path)


def _index(file: _File, content: bytes) -> None:
    """Add lines to a file, in which other threads may be looking a host up."""
    for line in content.decode("utf-8", "replace").split("\n"):
        entry = _parse(line)
        if entry is None:
            continue
        file.types |= {entry.key.type}
        for pattern in entry.patterns:
            if pattern.startswith("|1|"):
                _index_hashed(file, pattern, entry)
        if any(c in pattern for pattern in entry.patterns for c in "*?!"):
            file.patterned.append(entry)
        else:
            for pattern in entry.patterns:
                file.plain.setdefault(pattern.lower(), []).append(entry)


def _parse(line: str) -> _Entry | None:
    words = line.split()
    if not words or words[0].startswith("#"):
        return None
    marker = words.pop(0) if words[0].startswith("@") else ""
    if len(words) < 3:  # noqa: PLR2004
        return None
    try:
        blob = base64.b64decode(words[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return _Entry(Key(words[1], blob), marker, tuple(words[0].split(",")))


def _index_hashed(file: _File, pattern: str, entry: _Entry) -> None:
    fields = pattern.split("|")
    if len(fields) != _HASH_FIELDS:
        return
    try:
        salt, digest = base64.b64decode(fields[2]), base64.b64decode(fields[3])
    except (binascii.Error, ValueError):
        return
    file.hashed.append((salt, digest, entry))


def names_match(patterns: tuple[str, ...], name: str) -> bool:
    """Whether patterns with ``*`` and ``?`` match a name in lower case; one with ``!`` forbids."""
    met = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if _regex(pattern.removeprefix("!").lower()).fullmatch(name):
            if negated:
                return False
            met = True
    return met


@functools.cache
def _regex(pattern: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile("".join(parts))
