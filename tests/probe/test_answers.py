"""Answers to a printed probe that were cut, mixed or changed on their way."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import subprocess
import time

import pytest

from ipvs_audit.probe.answers import AnswerError, read_answer
from ipvs_audit.probe.printed import Printed

PRINTED = Printed("0123456789abcdef" * 2, "2026-11-26T20:00:00.000Z")
NONCE = PRINTED.nonce


def ask(command: str | bytes) -> bytes:
    return subprocess.run(
        ["sh"],
        input=command if isinstance(command, bytes) else command.encode(),
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout


@pytest.fixture(scope="module")
def plain() -> bytes:
    return ask(PRINTED.script())


@pytest.fixture(scope="module")
def packed() -> bytes:
    return ask(PRINTED.commands()[0])


def frames(*, end: bool = True, twice: bool = False) -> bytes:
    """The smallest answer, without a digest; twice its only section, if asked."""
    one = f"{NONCE} cmdline - 12.50 4 5\nreadquiet\n"
    body = one * (2 if twice else 1)
    return (body + (f"{NONCE} end {2 if twice else 1}\n" if end else "")).encode()


def digest(text: bytes) -> bytes:
    return f"{NONCE} sha256 {hashlib.sha256(text).hexdigest()}\n".encode()


def parts(text: bytes, count: int = 1) -> list[bytes]:
    """An answer packed, in parts."""
    data = base64.b64encode(gzip.compress(text))
    size = -(-len(data) // count)
    return [
        f"{NONCE} part {n} of {count}\n".encode()
        + data[(n - 1) * size : n * size]
        + f"\n{NONCE} part-end {n} of {count}\n".encode()
        for n in range(1, count + 1)
    ]


def why(data: bytes) -> str:
    with pytest.raises(AnswerError) as caught:
        read_answer(data, NONCE)
    return str(caught.value)


def test_what_stands_around_an_answer_is_passed_over(plain: bytes, packed: bytes) -> None:
    for answer in (plain, packed):
        found = read_answer(b"Welcome to web1!\n" + answer + b"\nlogout\n", NONCE)
        assert found["host"].output == read_answer(answer, NONCE)["host"].output


def test_a_packed_answer_may_be_indented_and_have_the_line_ends_of_windows(packed: bytes) -> None:
    indented = b"web1:\r\n" + b"".join(b"    " + line + b"\r\n" for line in packed.splitlines())
    assert read_answer(indented, NONCE).keys() == read_answer(packed, NONCE).keys()


def test_an_answer_that_was_cut_anywhere_is_an_error(plain: bytes, packed: bytes) -> None:
    for answer in (plain, packed):
        for at in range(0, len(answer) - 1, max(1, len(answer) // 150)):
            assert why(answer[:at])
    assert "the digest at its end is missing" in why(plain[: plain.rindex(NONCE.encode())])
    assert "cut within part 1 of 1" in why(packed[: packed.rindex(NONCE.encode())])


def test_a_value_that_was_changed_by_hand_is_an_error(plain: bytes) -> None:
    changed = re.sub(rb"\nclock=(.)", b"\nclock=9", plain, count=1)
    assert changed != plain
    assert len(changed) == len(plain)
    assert "changed: its digest is another" in why(changed)


def test_a_packed_answer_of_which_one_letter_was_changed_is_an_error(packed: bytes) -> None:
    at = len(packed) // 2
    other = b"A" if packed[at : at + 1] != b"A" else b"B"
    assert "was cut, mixed or changed" in why(packed[:at] + other + packed[at + 1 :])


def test_line_ends_of_windows_are_named(plain: bytes) -> None:
    assert "line ends are those of Windows" in why(plain.replace(b"\n", b"\r\n"))


def test_two_answers_in_one_file_are_an_error(plain: bytes, packed: bytes) -> None:
    later = packed.replace(packed.splitlines()[1], b"H4sI" + b"A" * 73, 1)
    for data in (plain + plain, plain + packed, packed + later, b"".join(parts(b"", 2)) + packed):
        assert "give each host a file of its own" in why(data)


def test_lines_of_two_answers_among_each_other_are_an_error(packed: bytes) -> None:
    lines = packed.splitlines(keepends=True)
    assert "begins within another" in why(b"".join(line + line for line in lines))


def test_an_answer_to_another_printed_probe_names_its_nonce(plain: bytes, packed: bytes) -> None:
    for answer in (plain, packed):
        with pytest.raises(AnswerError, match=f"--script.*has the nonce {NONCE}"):
            read_answer(answer, "f" * 32)


def test_what_is_no_answer_is_shown() -> None:
    assert "output: sh: permission denied" in why(b"sh: permission denied\n")
    assert "run the probe on that host again" in why(b"")


def test_a_host_without_sha256sum_is_told_what_to_print() -> None:
    text = frames() + f"{NONCE} sha256 \n".encode()
    assert why(text).startswith("print the probe with --compressed")


def test_frames_are_as_strict_in_an_answer_as_over_ssh() -> None:
    assert read_answer(frames() + digest(frames()), NONCE)["cmdline"].output == "quiet"
    assert read_answer(b"".join(reversed(parts(frames(), 2))), NONCE)["cmdline"].output == "quiet"
    assert "duplicate section" in why(frames(twice=True) + digest(frames(twice=True)))
    assert "without an end mark" in why(parts(frames(end=False))[0])
    assert "goes on after its end" in why(parts(frames() + b"more")[0])


def test_content_that_poses_as_a_packed_answer_is_only_content() -> None:
    posing = parts(frames())[0].decode()
    text = f"{NONCE} cmdline - 1.00 4 {len(posing)}\nread{posing}\n{NONCE} end 1\n".encode()
    assert read_answer(text + digest(text), NONCE)["cmdline"].output == posing


def test_an_answer_that_unpacks_to_more_than_a_host_may_send_is_an_error() -> None:
    assert "unpacks to more than 8,388,608 bytes" in why(parts(bytes(8 * 1024 * 1024 + 1))[0])


def test_the_output_of_the_wrong_command_is_told() -> None:
    assert "save what the last command prints" in why(f"{NONCE} stored 1 of 3\n".encode())


def test_a_file_of_empty_lines_is_looked_through_once() -> None:
    """Each line but the last was begun at again for every one before it: minutes of CPU."""
    begun = time.process_time()
    with pytest.raises(AnswerError, match="this is no answer"):
        read_answer(b"\n" * 4_000_000, "0" * 32)
    assert time.process_time() - begun < 20
