"""A host that answers in bad faith: run by sshd as a forced command, with the way as its argument.

It lets the real probe run and changes what it says, or says something else altogether.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

FRAME = re.compile(rb"([0-9a-f]{32}) ([a-z0-9.-]+) (-|\d+) (\d+\.\d\d) (\d+) (\d+)\n")

#: What a host might put where a report shows it: HTML, XML, terminal codes, marks that turn the
#: direction of text, bytes that are no text, and a frame of its own.
PAYLOAD = (
    b"<script>alert(1)</script><img src=x onerror=alert(2)>]]>&bad;<!-- \x1b[2J\x1b]0;owned\x07"
    b"\xe2\x80\xae\xd8\xa7 \xff\xfe\xed\xa0\x80 \x00\x01 '\"; $(reboot) {{ 7*7 }}"
)


def frames(said: bytes) -> tuple[bytes, list[tuple[bytes, bytes, bytes, bytes, bytes]], bytes]:
    """What came before the frames, the frames, and their end."""
    first = FRAME.search(said)
    assert first is not None
    at, found = first.start(), []
    while (head := FRAME.match(said, at)) is not None:
        middle = head.end() + int(head[5])
        stop = middle + int(head[6])
        found.append((head[2], head[3], head[4], said[head.end() : middle], said[middle:stop]))
        at = stop + 1
    return said[: first.start()], found, said[at:]


def poisoned(said: bytes) -> bytes:
    """The same frames with the payload in every one of them, lengths right."""
    before, found, end = frames(said)
    nonce = end[:32]
    out = before
    for name, status, up, command, output in found:
        text = output
        if name == b"host":
            text = re.sub(rb"(os PRETTY_NAME=).*", lambda one: one[1] + PAYLOAD, output)
            text = re.sub(rb"(hostname=).*", lambda one: one[1] + PAYLOAD, text)
        elif name == b"sysctl":
            fake = nonce + b" end 3"
            text = b"file /etc/sysctl.d/" + PAYLOAD + b".conf\nline 1 " + PAYLOAD + b"\n" + output
            text = text.replace(b"end\n", b"unreadable /" + fake + b"\nend\n")
        lengths = f"{len(command)} {len(text)}".encode()
        out += b" ".join((nonce, name, status, up, lengths)) + b"\n" + command + text + b"\n"
    return out + end


def main(way: str) -> None:
    out = sys.stdout.buffer
    if way == "hang":
        subprocess.run(["sh", "-c", os.environ["SSH_ORIGINAL_COMMAND"]], check=False, stdout=2)
        time.sleep(600)
    if way == "close":
        return
    if way == "endless":
        while True:
            out.write(b"y\n" * 4096)
    command = os.environ["SSH_ORIGINAL_COMMAND"]
    said = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=False).stdout
    if way == "truncated":
        said = said[: said.index(b"boot-id=")]  # within a section
    elif way == "garbled":
        said = re.sub(rb"run_estimation|release=|uid=", b"\xff\xff", said)
    elif way == "lengths":
        said = re.sub(rb" (\d+) (\d+)\n", rb" \1 9\2\n", said)
    elif way == "binary":
        said = os.urandom(100_000) + said
    elif way == "poisoned":
        said = poisoned(said)
    out.write(said)
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
