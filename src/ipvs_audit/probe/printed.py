r"""The probe for hosts that this machine does not reach: printed, run by others, and known again.

It is printed as a script, or as command lines that hold it as gzip and base64. Each names the same
nonce, so that an answer belongs to what was printed, and cannot be older than that.

>>> printed = Printed("0" * 32, "2026-11-26T20:00:00.000Z")
>>> read_printed(printed.script()) == printed
True
>>> len(printed.commands()), len(printed.commands(20_000))
(1, 2)
"""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from dataclasses import dataclass

from ipvs_audit.model import limits
from ipvs_audit.model.clock import utc_timestamp
from ipvs_audit.probe import script

_WORDS = re.compile(
    rb"ipvs-audit-probe ([0-9a-f]{32}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\d{1,3}) ([01])\b"
)
_PAYLOAD = re.compile(rb"printf %s ([A-Za-z0-9+/=]+)")

#: Both the script and its answer are read as bytes: whatever the locale, a length counts bytes.
_HEAD = """\
#!/bin/sh
# {words}
# The probe of ipvs-audit. It only reads. Save what it prints, as it is, and bring it back to
# `ipvs-audit import --script THIS_FILE ANSWER`.
LC_ALL=C PATH=$PATH:/usr/bin:/bin
export LC_ALL PATH
"""
#: In place of the script's last line: the digest shows a change that leaves all lengths alone.
_TAIL = """\
answer=$(main </dev/null)
printf '%s\\n' "$answer"
sum=$(printf '%s\\n' "$answer" | sha256sum)
printf '%s sha256 %s\\n' "$nonce" "${sum%% *}"
"""

# What follows are pieces of one line within single quotes, for any shell that can run `sh -c`.
# Upper case, since the probe's own variables are lower case.
_BEGIN = ": {words};N={nonce};umask 077;D=${{XDG_RUNTIME_DIR:-/run}}/ipvs-audit-$N;"
_FRESH = 'rm -rf "$D";mkdir "$D"&&'
_STORE = (
    'printf %s {payload} >"$D/{number}"&&echo "$N stored {number} of {count}"||'
    'echo "$N error command {number} of {count} could not be stored in $D"'
)
_UNPACK = (
    "S=$({{ {stored}printf %s {payload};}}|base64 -d|gzip -dc)||{{ "
    'echo "$N error the commands did not arrive whole and in order, or base64 or gzip is missing";'
    'rm -rf "$D";exit 1;}};{clean}'
)
_ANSWER = 'echo "$N part 1 of 1";(eval "$S")|gzip -9|base64;echo "$N part-end 1 of 1"'
_STORE_ANSWER = '(eval "$S")|gzip -9|base64 >"$D/answer";'
#: Prints the next part of a stored answer, by lines; after the last part the answer is deleted.
_NEXT = (
    '[ -f "$D/answer" ]||{{ echo "$N error no answer is stored: all was printed?";exit 1;}};'
    'L={lines};K=1;[ ! -f "$D/next" ]||read -r K <"$D/next";'
    'C=0;while read -r X;do C=$((C+1));done <"$D/answer";T=$(((C+L-1)/L));'
    'echo "$N part $K of $T";I=0;while read -r X;do I=$((I+1));'
    '[ $I -le $(((K-1)*L)) ]||[ $I -gt $((K*L)) ]||echo "$X";done <"$D/answer";'
    'echo "$N part-end $K of $T";'
    'if [ $K -lt $T ];then echo $((K+1)) >"$D/next";else rm -rf "$D";fi'
)
#: Bytes of a line of base64, and of the two lines around a part.
_LINE = 77
_AROUND_PART = 120
#: Bytes of a command besides its piece of the script, at most.
_AROUND_PIECE = 1200


class PrintedError(Exception):
    """Not what :class:`Printed` prints, or it cannot be printed so; says what to do."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A probe that was printed.

    Attributes:
        nonce: what its answers are known by.
        at: when it was printed, UTC, ISO 8601 with milliseconds and ``Z``.
        span: seconds between the first sample of the counters and the last.
        every_namespace: it samples namespaces without IPVS rules too.
    """

    nonce: str
    at: str
    span: int = limits.SHORTEST_SPAN
    every_namespace: bool = False

    @classmethod
    def now(cls, *, span: int, every_namespace: bool) -> Printed:
        """One with a nonce of its own."""
        return cls(script.new_nonce(), utc_timestamp(), span, every_namespace)

    def script(self) -> bytes:
        """The script, whose answer is frames as they are and their sha256."""
        body = self.probe()
        return _HEAD.format(words=self._words).encode() + script.without_run(body) + _TAIL.encode()

    def commands(
        self, command_bytes: int | None = None, answer_bytes: int | None = None
    ) -> list[str]:
        """Command lines to be run one after the other, as one user; the answer is gzip and base64.

        All but the last only store their piece, in a directory below /run of that user alone, which
        the last deletes.

        Args:
            command_bytes: the longest that a command may be; None gives one command.
            answer_bytes: the most that a command may print; None prints the whole answer. Else one
                command more is the last: it prints the next part, and is run until none is left.

        Raises:
            PrintedError: too few bytes.
        """
        payload = base64.b64encode(gzip.compress(self.probe(), 9, mtime=0)).decode()
        room = len(payload) if command_bytes is None else command_bytes - _AROUND_PIECE
        if room < _AROUND_PIECE:
            raise PrintedError(f"a command needs {2 * _AROUND_PIECE} bytes or more")
        pieces = [payload[at : at + room] for at in range(0, len(payload), room)]
        lines = None if answer_bytes is None else (answer_bytes - _AROUND_PART) // _LINE
        if lines is not None and lines < 1:
            raise PrintedError(f"an answer's part needs {_AROUND_PART + _LINE} bytes or more")
        begin = _BEGIN.format(words=self._words, nonce=self.nonce)
        stored = [
            (_FRESH if number == 1 else "")
            + _STORE.format(payload=piece, number=number, count=len(pieces))
            for number, piece in enumerate(pieces[:-1], 1)
        ]
        files = " ".join(f'"$D/{number}"' for number in range(1, len(pieces)))
        clean = 'rm -rf "$D";' if files else ""
        last = _UNPACK.format(
            stored=f"cat {files};" if files else "", payload=pieces[-1], clean=clean
        )
        if lines is None:
            return [_line(begin + each) for each in (*stored, last + _ANSWER)]
        following = _NEXT.format(lines=lines)
        last += 'mkdir "$D"&&' + _STORE_ANSWER + following
        return [_line(begin + each) for each in (*stored, last, following)]

    @property
    def _words(self) -> str:
        return f"ipvs-audit-probe {self.nonce} {self.at} {self.span} {int(self.every_namespace)}"

    def probe(self) -> bytes:
        """The probe itself, as it goes to a host that is reached."""
        return script.render(self.nonce, span=self.span, every_namespace=self.every_namespace)


def _line(text: str) -> str:
    return f"sh -c '{text}'"


def read_printed(text: bytes) -> Printed:
    """What was printed, from the script or from all the commands.

    Raises:
        PrintedError: it is not what this version prints; says what to do.
    """
    found = _WORDS.search(text)
    if found is None:
        raise PrintedError("it does not hold a probe: name the file with what `probe` printed")
    nonce, at, span, every = (word.decode("ascii") for word in found.groups())
    printed = Printed(nonce, at, int(span), every == "1")
    try:
        expected = printed.script()
    except ValueError as wrong:
        raise PrintedError(str(wrong)) from None
    plain = text.startswith(b"#!")
    if (text if plain else _unpacked(text)) != (expected if plain else printed.probe()):
        raise PrintedError(
            "it is not the probe as this version prints it: print it again, or import with the"
            " version that printed it"
        )
    return printed


def _unpacked(text: bytes) -> bytes:
    """The script that the commands hold; empty where it is damaged."""
    try:
        return unpack(b"".join(_PAYLOAD.findall(text)), len(text) * 10)
    except ValueError:
        return b""


def unpack(text: bytes, most: int) -> bytes:
    """What gzip and base64 packed.

    Args:
        text: base64, without blanks.
        most: bytes that it may unpack to.

    Raises:
        ValueError: it is not whole, was changed, or is more; says what.
    """
    packed = zlib.decompressobj(wbits=31)
    try:
        data = packed.decompress(base64.b64decode(text, validate=True), most + 1)
    except (ValueError, zlib.error) as wrong:
        raise ValueError(f"its gzip or base64 is damaged ({wrong})") from None
    if len(data) > most:
        raise ValueError(f"it unpacks to more than {most:,} bytes")
    if not packed.eof or packed.unused_data:
        raise ValueError("its gzip data " + ("has no end" if not packed.eof else "goes on"))
    return data
