"""The conversation that starts a script, without any host."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ipvs_audit.model.target import Become
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.script_protocol import ScriptProtocol, TimeoutStyleError
from ipvs_audit.transport.start_failure import explain

PASSWORD = Become(password=SecretStr("distinctive"))


def protocol(**changes: Any) -> ScriptProtocol:
    given = {"where": "web1", "seconds": 5, "max_output": 1000} | changes
    return ScriptProtocol(given.pop("script", b"echo hello"), **given)


def mark(talk: Any) -> bytes:
    first, second = re.search(r"printf %s%s (\S+) (\S+?);", talk.command).groups()
    return (first + second).encode()


def prompt(talk: Any) -> bytes:
    return re.search(r"-p (\S+)", talk.command)[1].replace("%%", "%").encode()


def test_script_goes_out_at_once_without_a_password() -> None:
    talk = protocol()
    assert talk.take_input().startswith(b"echo hello\n#")
    assert talk.input_over
    assert talk.take_input() == b""


def test_script_waits_for_the_start_mark_where_there_is_a_password() -> None:
    talk = protocol(become=PASSWORD)
    assert talk.take_input() == b""
    talk.feed_stderr(b"lecture\n" + prompt(talk))
    assert talk.take_input() == b"distinctive\n"
    assert not talk.input_over
    talk.feed_stdout(mark(talk))
    assert talk.take_input().startswith(b"echo hello")
    assert talk.input_over


def test_second_prompt_is_a_rejection_and_gets_no_answer() -> None:
    talk = protocol(become=PASSWORD)
    talk.feed_stderr(prompt(talk))
    talk.take_input()
    with pytest.raises(TransportError) as caught:
        talk.feed_stderr(b"Sorry, try again.\n" + prompt(talk))
    assert caught.value.kind == "become"
    assert talk.take_input() == b""


def test_command_repeated_in_a_message_is_taken_for_neither_prompt_nor_mark() -> None:
    talk = protocol(become=PASSWORD)
    talk.feed_stderr(b"+ " + talk.command.encode())
    talk.feed_stdout(talk.command.encode())
    assert talk.take_input() == b""
    assert not talk.started


def test_prompt_printed_by_the_script_is_not_answered() -> None:
    talk = protocol(become=PASSWORD)
    talk.feed_stdout(mark(talk))
    talk.take_input()
    talk.feed_stderr(prompt(talk))
    assert talk.take_input() == b""


def test_password_is_in_neither_command_nor_representation() -> None:
    talk = protocol(become=PASSWORD)
    assert "distinctive" not in talk.command + repr(talk) + repr(PASSWORD)


@given(cuts=st.lists(st.integers(0, 300), max_size=8), noise=st.binary(max_size=100))
@settings(deadline=None)
def test_marks_are_found_however_the_bytes_arrive(cuts: list[int], noise: bytes) -> None:
    talk = protocol()
    stream = noise + mark(talk) + b"evidence\x00\xff"
    begin = 0
    for cut in [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]:
        talk.feed_stdout(stream[begin:cut])
        talk.feed_stderr(stream[begin:cut])
        begin = cut
    output = talk.output(0)
    assert output.stdout == output.stderr == b"evidence\x00\xff"


def test_output_beyond_the_cap_is_an_error() -> None:
    talk = protocol(max_output=10)
    talk.feed_stdout(mark(talk) + b"x" * 10)
    with pytest.raises(TransportError) as caught:
        talk.feed_stdout(b"x")
    assert caught.value.kind == "too-much-output"


def test_endless_noise_before_the_start_is_bounded() -> None:
    talk = protocol(max_output=1 << 20)
    fed = 0
    with pytest.raises(TransportError) as caught:  # noqa: PT012
        for _ in range(100):
            talk.feed_stderr(b"n" * 65536)
            talk.feed_stdout(b"n" * 65536)
            fed += 65536
            assert len(talk._stdout) < 200_000
            assert len(talk._stderr) <= 65536
    assert caught.value.kind == "too-much-output"
    assert fed in range((1 << 20) - 65536, (1 << 20) + 1)


def test_script_that_was_cut_on_its_way_is_not_run() -> None:
    talk = protocol(script=b"echo first\necho second")
    whole = talk.take_input()
    for length in (0, 5, len(whole) - 1):
        ran = subprocess.run(
            ["sh", "-c", talk.command.removeprefix("exec ")], input=whole[:length],
            capture_output=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 97
        assert b"first" not in ran.stdout.replace(mark(talk), b"")


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "busybox sh", "csh", "fish"])
def test_every_login_shell_reads_the_command(shell: str) -> None:
    argv = shell.split()
    if not shutil.which(argv[0]):
        pytest.skip(f"{shell} is not installed")
    talk = protocol(script=b'echo "it\'s $((1+1))"', timeout_style="kill")
    ran = subprocess.run(
        [*argv, "-c", talk.command], input=talk.take_input(), capture_output=True, check=False
    )
    talk.feed_stdout(ran.stdout)
    assert talk.output(ran.returncode).stdout == b"it's 2\n"


@pytest.mark.parametrize(
    "said",
    [b"bash: line 1: exec: timeout: not found", b"timeout: unrecognized option: k\nUsage: timeout",
     b"sudo: timeout: command not found", b"env: 'timeout': No such file or directory"],
)  # fmt: skip
def test_missing_or_other_timeout_asks_for_the_next_leash(said: bytes) -> None:
    talk = protocol(timeout_style="kill")
    talk.feed_stderr(said)
    with pytest.raises(TimeoutStyleError):
        talk.output(127)


def test_leash_is_never_retried_once_the_script_has_started() -> None:
    talk = protocol(timeout_style="kill")
    talk.feed_stdout(mark(talk))
    talk.feed_stderr(mark(talk) + b"sh: timeout: not found")
    assert talk.output(127).status == 127


@given(said=st.binary(max_size=400), status=st.none() | st.integers(0, 255))
def test_any_refusal_is_explained_in_one_printable_line(said: bytes, status: int | None) -> None:
    error = explain(where="web1", status=status, stdout=b"", stderr=said, become=Become())
    assert error.message.isprintable()
    assert len(error.message) < 500
