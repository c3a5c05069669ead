"""Reads what a printed probe answered, from a file that a person or another channel brought.

What stands around an answer, such as a login message, is passed over. An answer is whole, unchanged
and alone in its file, or it is an :class:`AnswerError`. That protects from accidents. Whoever may
change the file can make a true-looking answer: it is as trustworthy as the channel that brought it.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ipvs_audit.model import limits
from ipvs_audit.probe import framing
from ipvs_audit.probe.printed import unpack
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.message_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipvs_audit.snapshot import Section

_OF_ANY_NONCE = re.compile(
    rb"(?m)^[ \t]*([0-9a-f]{32})"
    rb" (?:part \d|error |sha256 |[a-z0-9.-]+ (?:-|\d+) \d+\.\d\d \d+ \d+$)"
)
_PART = re.compile(r"part(-end)? (\d{1,6}) of (\d{1,6})")
_AGAIN = "run the probe on that host again"


class AnswerError(Exception):
    """A file is not one whole, unchanged answer to the probe; says what it is and what to do."""


def read_answer(data: bytes, nonce: str) -> dict[str, Section]:
    """The sections of the only answer in a file.

    Args:
        data: the file: frames and their sha256, or parts of gzip and base64.
        nonce: of the probe that was printed.

    Raises:
        AnswerError: it is none, or was cut, mixed or changed; without the file's name.
    """
    mark = nonce.encode()
    if mark not in data:
        raise AnswerError(_foreign(data))
    lines = [line.strip().partition(b" ") for line in data.split(b"\n") if mark in line]
    about = [rest.decode("ascii", "replace") for first, _, rest in lines if first == mark]
    # The first line tells the form: what frames hold may look like anything.
    first_word = next((word for word in about if not word.startswith("stored ")), None)
    if first_word is None:
        raise AnswerError(f"{_AGAIN}, and save what the last command prints: this is another's")
    if not first_word.startswith(("part", "error ")):
        return _plain(data, mark)
    if said := next((word for word in about if word.startswith("error ")), None):
        raise AnswerError(f"{_AGAIN}: it said: {one_line(said.removeprefix('error '))}")
    return _packed(data, mark)


def _foreign(data: bytes) -> str:
    """Why there is nothing of this nonce."""
    if other := _OF_ANY_NONCE.search(data):
        return (
            "give --script the file that this host ran: its answer has the nonce"
            f" {other[1].decode()}, which another printed probe has"
        )
    try:
        framing.parse(data, "-" * 32)
    except TransportError as error:
        return f"{_AGAIN}: this is no answer: {error.message}"
    return _AGAIN


def _frames(data: bytes, mark: bytes) -> tuple[dict[str, Section], int, int]:
    try:
        sections, first, end = framing.parse_within(data, mark.decode())
        return framing.of_a_probe(sections), first, end
    except TransportError as error:
        changed = (
            "; its line ends are those of Windows: copy it as binary" if b"\r\n" in data else ""
        )
        raise AnswerError(
            f"{_AGAIN}: its answer was cut, mixed or changed: {error.message}{changed}"
        ) from None


def _plain(data: bytes, mark: bytes) -> dict[str, Section]:
    """Frames, followed by the digest of all of them."""
    sections, first, end = _frames(data, mark)
    rest = data[end:]
    told = re.match(re.escape(mark) + rb" sha256 ([0-9a-f]{64})?\s", rest)
    if told is None:
        raise AnswerError(f"{_AGAIN}: its answer was cut: the digest at its end is missing")
    if told[1] is None:
        raise AnswerError(
            "print the probe with --compressed, and run that: there is no sha256sum on the host,"
            " so that a changed answer could not be told"
        )
    if mark in rest[told.end() :]:
        raise AnswerError(_several())
    if hashlib.sha256(data[first:end]).hexdigest().encode() != told[1]:
        raise AnswerError(f"{_AGAIN}: its answer was changed: its digest is another")
    return sections


def _packed(data: bytes, mark: bytes) -> dict[str, Section]:
    """One or several parts, in any order, each between a line that opens and one that ends it."""
    parts = dict(_parts(data.split(b"\n"), mark))
    count = {total for _, total in parts}
    if len(count) != 1:
        raise AnswerError(_several())
    (total,) = count
    for number in range(1, total + 1):
        if (number, total) not in parts:
            raise AnswerError(
                f"{_AGAIN}, or add what is missing: part {number} of {total} is not in the file"
            )
    if len(parts) != total:
        raise AnswerError(f"{_AGAIN}: the numbers of the parts go beyond {total}")
    try:
        frames = unpack(
            b"".join(parts[number, total] for number in range(1, total + 1)), limits.SCRIPT_OUTPUT
        )
    except ValueError as wrong:
        raise AnswerError(f"{_AGAIN}: its answer was cut, mixed or changed: {wrong}") from None
    sections, _, end = _frames(frames, mark)
    if frames[end:].strip():
        raise AnswerError(f"{_AGAIN}: its answer goes on after its end")
    return sections


def _parts(lines: Iterable[bytes], mark: bytes) -> Iterable[tuple[tuple[int, int], bytes]]:
    """Number and count of each part, and its base64."""
    seen: dict[tuple[int, int], bytes] = {}
    open_part: tuple[int, int] | None = None
    text: list[bytes] = []
    for line in (line.strip() for line in lines):
        first, _, rest = line.partition(b" ")
        found = _PART.fullmatch(rest.decode("ascii", "replace")) if first == mark else None
        if found is None:
            text.append(line)
            continue
        part = int(found[2]), int(found[3])
        ends = found[1] is not None
        if ends != (open_part is not None) or (ends and part != open_part):
            raise AnswerError(
                f"{_AGAIN}: its answer was cut or mixed: part {part[0]} of {part[1]}"
                f" {'ends' if ends else 'begins'} within another, or without its other end"
            )
        if ends:
            if seen.setdefault(part, b"".join(text)) != b"".join(text):
                raise AnswerError(_several())
            yield part, b"".join(text)
        open_part, text = (None, []) if ends else (part, [])
    if open_part is not None:
        raise AnswerError(
            f"{_AGAIN}: its answer was cut within part {open_part[0]} of {open_part[1]}"
        )


def _several() -> str:
    return "give each host a file of its own: this one holds several answers, or parts of several"
