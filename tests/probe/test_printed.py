"""The printed probe: as a script and as command lines, run here in every shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from probe_runs import SHELLS

from ipvs_audit.probe import framing
from ipvs_audit.probe.answers import AnswerError, read_answer
from ipvs_audit.probe.printed import Printed, PrintedError, read_printed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: What Alibaba Cloud Assistant takes, once it has made base64 of a command: 18 KB.
CLOUD_ASSISTANT = 18 * 1024 * 3 // 4


@pytest.fixture
def printed() -> Printed:
    return Printed.now(span=5, every_namespace=False)


def run(
    shell: Sequence[str], line: str, folder: Path, path: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command line as a channel does; what is stored is stored in the folder."""
    return subprocess.run(
        [shutil.which(shell[0]) or shell[0], *shell[1:], "-c", line],
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | {"XDG_RUNTIME_DIR": str(folder)} | ({"PATH": path} if path else {}),
    )


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
def test_the_script_answers_in_every_shell_what_an_audit_gets(
    shell: Sequence[str], printed: Printed, tmp_path: Path
) -> None:
    file = tmp_path / "probe.sh"
    file.write_bytes(printed.script())
    ran = subprocess.run([*shell, file], capture_output=True, check=True, timeout=60)
    reached = subprocess.run(
        [*shell, "-s"], input=printed.probe(), capture_output=True, check=True, timeout=60
    )
    assert ran.stderr == b""
    assert (
        read_answer(ran.stdout, printed.nonce).keys()
        == framing.parse(reached.stdout, printed.nonce).keys()
    )


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
def test_commands_of_a_limited_length_give_one_answer_and_leave_nothing(
    shell: Sequence[str], printed: Printed, tmp_path: Path
) -> None:
    commands = printed.commands(CLOUD_ASSISTANT)
    assert len(commands) == 3
    assert max(map(len, commands)) <= CLOUD_ASSISTANT
    ran = [run(shell, line, tmp_path) for line in commands]
    assert b"".join(one.stderr for one in ran) == b""
    assert b"stored 1 of 3" in ran[0].stdout
    assert "netns" in read_answer(ran[-1].stdout, printed.nonce)
    assert not list(tmp_path.iterdir())


def test_one_command_of_any_length_stores_nothing_on_the_host(
    printed: Printed, tmp_path: Path
) -> None:
    (command,) = printed.commands()
    tmp_path.chmod(0o500)
    ran = run(["setpriv", "--reuid=65534", "--clear-groups", "sh"], command, tmp_path)
    assert "netns" in read_answer(ran.stdout, printed.nonce)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
def test_an_answer_comes_in_parts_that_a_channel_lets_through(
    shell: Sequence[str], printed: Printed, tmp_path: Path
) -> None:
    *commands, following = printed.commands(20_000, 1000)
    outputs = [run(shell, line, tmp_path).stdout for line in commands]
    assert (tmp_path / f"ipvs-audit-{printed.nonce}").stat().st_mode & 0o777 == 0o700
    while list(tmp_path.iterdir()):
        outputs.append(run(shell, following, tmp_path).stdout)
    assert len(outputs) > 3
    assert max(map(len, outputs)) <= 1000
    assert "netns" in read_answer(b"".join(reversed(outputs)), printed.nonce)
    with pytest.raises(AnswerError, match="part 2 of"):
        read_answer(b"".join([*outputs[:2], *outputs[3:]]), printed.nonce)
    assert b"error no answer is stored" in run(shell, following, tmp_path).stdout


def test_a_command_that_was_left_out_runs_nothing_and_is_said(
    printed: Printed, tmp_path: Path
) -> None:
    commands = printed.commands(CLOUD_ASSISTANT)
    run(["sh"], commands[0], tmp_path)
    ran = run(["sh"], commands[2], tmp_path)
    assert b"part 1 of 1" not in ran.stdout
    with pytest.raises(AnswerError, match="did not arrive whole and in order"):
        read_answer(ran.stdout, printed.nonce)
    assert not list(tmp_path.iterdir())


def test_a_host_without_gzip_says_so(printed: Printed, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "base64", "rm", "mkdir"):
        (programs / name).symlink_to(shutil.which(name) or name)
    ran = run(["sh"], printed.commands()[0], tmp_path, path=str(programs))
    with pytest.raises(AnswerError, match="gzip is missing"):
        read_answer(ran.stdout, printed.nonce)


@pytest.mark.parametrize("limits", [(None, None), (18_000, None), (18_000, 2000)])
def test_what_was_printed_is_known_again_with_its_options(
    limits: tuple[int | None, int | None],
) -> None:
    printed = Printed.now(span=7, every_namespace=True)
    assert read_printed("\n".join(printed.commands(*limits)).encode()) == printed
    assert read_printed(printed.script()) == printed


def test_a_probe_that_was_changed_is_refused(printed: Printed) -> None:
    script = printed.script()
    for text in (
        script.replace(b"sample 0", b"sample 1", 1),
        script.replace(b" 5 0\n", b" 6 0\n", 1),
        script[:-1],
        "\n".join(printed.commands(18_000)[1:]).encode(),
    ):
        assert text != script
        with pytest.raises(PrintedError, match="not the probe as this version prints it"):
            read_printed(text)
    with pytest.raises(PrintedError, match="does not hold a probe"):
        read_printed(b"#!/bin/sh\n")


@pytest.mark.parametrize("limits", [(1000, None), (None, 100)])
def test_limits_that_hold_nothing_are_refused(
    limits: tuple[int | None, int | None], printed: Printed
) -> None:
    with pytest.raises(PrintedError, match="bytes or more"):
        printed.commands(*limits)
