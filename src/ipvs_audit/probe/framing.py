r"""Takes the probe's output apart into sections.

A frame is a header line ``NONCE name status uptime command-length output-length``, then the
command and the output, of exactly those lengths in bytes, then a newline. The last line is
``NONCE end number-of-frames``. Lengths make content inert: it may hold NULs, lack a newline, or
pose as a frame. What comes before the first frame (a login message) and after the last is passed
over.

>>> nonce = "0" * 32
>>> frame = f"{nonce} cmdline - 12.50 17 5\ncat /proc/cmdlinequiet\n{nonce} end 1\n"
>>> parse(b"Welcome!\n" + frame.encode(), nonce)["cmdline"].output
'quiet'
"""

from __future__ import annotations

import re
import sys

from ipvs_audit.model.limits import SECTION_OUTPUT
from ipvs_audit.snapshot import estimator_runs, round_trips
from ipvs_audit.snapshot.section import Section
from ipvs_audit.transport import TransportError

_HINT = 160
#: Latency is measured later, by itself: a probe cannot bring a trace of its own.
_LATER = (
    round_trips.SECTION,
    round_trips.BEFORE,
    estimator_runs.SECTION,
    estimator_runs.BEFORE,
)
#: What follows the nonce. It is looked for apart, so that no pattern is compiled for each host.
_HEADER = re.compile(rb" ([a-z0-9.-]{1,40}) (-|\d{1,3}) (\d{1,12}\.\d\d) (\d{1,9}) (\d{1,9})\n")
_END = re.compile(rb" end (\d{1,6})\n")


def parse(stdout: bytes, nonce: str, *, stderr: bytes = b"") -> dict[str, Section]:
    r"""The sections by name, as text: bytes that are not UTF-8 stand as ``\xNN``.

    Args:
        stdout: what the script printed.
        nonce: the one that it was rendered with.
        stderr: only to say what came instead, when no frame did.

    Raises:
        TransportError: ``protocol``, for anything but whole frames and a true count at the end, and
            for a section that is larger than the probe makes them.
    """
    return parse_within(stdout, nonce, stderr=stderr)[0]


def parse_within(
    stdout: bytes, nonce: str, *, stderr: bytes = b""
) -> tuple[dict[str, Section], int, int]:
    """As :func:`parse`, and where in the output the frames begin and end, end mark included."""
    mark = nonce.encode()
    at = stdout.find(mark)
    while at >= 0 and _after(mark, _HEADER, stdout, at) is None:
        at = stdout.find(mark, at + 1)
    if at < 0:
        raise _unlike(stdout, stderr)
    first = at
    sections: dict[str, Section] = {}
    while (found := _after(mark, _HEADER, stdout, at)) is not None:
        name, status, uptime = (part.decode("ascii") for part in found.groups()[:3])
        middle = found.end() + int(found[4])
        stop = middle + int(found[5])
        if max(int(found[4]), int(found[5])) > SECTION_OUTPUT:
            raise TransportError(
                "protocol",
                f"section {name!r} holds more than {SECTION_OUTPUT:,} bytes, which the probe never"
                " sends: check what the host runs in its place",
            )
        if stdout[stop : stop + 1] != b"\n":
            raise _broken(f"section {name!r} has another length than its header says")
        if name in sections:
            raise _broken(f"duplicate section {name!r}")
        sections[name] = Section(
            # Hosts of one image say much alike, and it is held to the end of a run.
            name=sys.intern(name),
            command=sys.intern(_text(stdout[found.end() : middle])),
            output=sys.intern(_text(stdout[middle:stop])),
            status=None if status == "-" else int(status),
            at=float(uptime),
        )
        at = stop + 1
    last = _after(mark, _END, stdout, at)
    if last is None:
        raise _broken(f"it ends after {len(sections)} sections without an end mark")
    if int(last[1]) != len(sections):
        raise _broken(f"{len(sections)} of {int(last[1])} sections arrived")
    return sections, first, last.end()


def of_a_probe(sections: dict[str, Section]) -> dict[str, Section]:
    """Of what a host answered to a probe, all but what it cannot know."""
    return {name: section for name, section in sections.items() if name not in _LATER}


def _after(
    mark: bytes, pattern: re.Pattern[bytes], stdout: bytes, at: int
) -> re.Match[bytes] | None:
    """The match right behind the mark, where the mark stands at this place."""
    return pattern.match(stdout, at + len(mark)) if stdout.startswith(mark, at) else None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _broken(what: str) -> TransportError:
    return TransportError("protocol", f"the probe's output is incomplete: {what}")


def _unlike(stdout: bytes, stderr: bytes) -> TransportError:
    """No frame at all: say what came instead, in one harmless line."""
    came = _hint(stderr) or _hint(stdout)
    instead = f"; output: {came}" if came else "; no output"
    return TransportError(
        "protocol",
        f"the host's shell did not run the probe{instead}",
    )


def _hint(raw: bytes) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in _text(raw[-4096:]))
    words = " ".join(shown.split())
    return words if len(words) <= _HINT else "..." + words[-_HINT:]
