"""What scripts bring back, and how those that misbehave are ended."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from openssh import Person, Server, Start, running, wait_until

from ipvs_audit.transport import Connection, Output, TransportError
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def connection(sshd: Server) -> Any:
    connection = open_connection(sshd.target(), sshd.settings)
    yield connection
    connection.close()


def run(
    connection: Connection, script: bytes, timeout: float = 10.0, max_output: int = 1 << 20
) -> Output:
    return connection.run_script(script, timeout=timeout, max_output=max_output)


def failure(
    connection: Connection, script: bytes, timeout: float = 10.0, max_output: int = 1 << 20
) -> TransportError:
    with pytest.raises(TransportError) as caught:
        run(connection, script, timeout, max_output)
    return caught.value


def test_streams_and_status_are_kept_apart(connection: Connection) -> None:
    output = run(connection, b"echo out; echo err >&2; exit 7")
    assert (output.status, output.stdout, output.stderr) == (7, b"out\n", b"err\n")


def test_scripts_follow_each_other_on_one_connection(connection: Connection) -> None:
    assert [run(connection, b"echo %d" % n).stdout for n in range(3)] == [b"0\n", b"1\n", b"2\n"]


def test_commands_in_the_script_cannot_eat_it(connection: Connection) -> None:
    assert run(connection, b"cat; echo still here").stdout == b"still here\n"


def test_every_byte_comes_through(connection: Connection) -> None:
    script = b"""i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %o $i)"; i=$((i+1)); done"""
    assert run(connection, script).stdout == bytes(range(256))


def test_script_that_is_not_ascii_comes_through(connection: Connection) -> None:
    assert (
        run(connection, "printf '%s' 'größer → 100 %'".encode()).stdout.decode() == "größer → 100 %"
    )


def test_long_script_comes_through(connection: Connection) -> None:
    script = b"x=0\n" + b"x=$((x+1)) # padding padding padding padding padding\n" * 20000
    assert run(connection, script + b"echo $x").stdout == b"20000\n"


def test_no_terminal_is_given(connection: Connection) -> None:
    assert run(connection, b"test -t 0 || test -t 1 || echo none").stdout == b"none\n"


def test_ten_mebibytes_of_stderr_are_drained_and_cut(connection: Connection) -> None:
    output = run(connection, b"head -c 10485760 /dev/zero >&2; echo done")
    assert output.stdout == b"done\n"
    assert len(output.stderr) == 64 * 1024


def test_output_up_to_the_cap_is_whole(connection: Connection) -> None:
    output = run(connection, b"head -c 3000000 /dev/zero", max_output=3_000_000)
    assert output.stdout == bytes(3_000_000)


def test_endless_output_is_cut_off_and_its_process_ended(connection: Connection) -> None:
    begun = time.monotonic()
    error = failure(connection, b"yes ipvs-audit-flood-%d" % os.getpid())
    assert error.kind == "too-much-output"
    assert time.monotonic() - begun < 12
    assert wait_until(lambda: not running(f"yes ipvs-audit-flood-{os.getpid()}"))


def test_hanging_script_ends_at_its_deadline_and_leaves_no_process(connection: Connection) -> None:
    begun = time.monotonic()
    error = failure(connection, b"echo before; sleep 1000.%d" % os.getpid(), timeout=1)
    assert error.kind == "timeout"
    assert time.monotonic() - begun < 10
    assert wait_until(lambda: not running(f"sleep 1000.{os.getpid()}"))


def test_hanging_script_dies_by_itself_where_the_server_kills_nothing(start: Start) -> None:
    # A forced command is never sent signals: only the leash is left.
    with start('ForceCommand eval "$SSH_ORIGINAL_COMMAND"') as server:
        connection = open_connection(server.target(), server.settings)
        assert failure(connection, b"sleep 2000.%d" % os.getpid(), timeout=1).kind == "timeout"
        connection.close()
        assert wait_until(lambda: not running(f"sleep 2000.{os.getpid()}"), 8)


def test_background_process_does_not_keep_the_script_open(connection: Connection) -> None:
    begun = time.monotonic()
    output = run(connection, b"sleep 30.%d & echo done" % os.getpid(), timeout=20)
    assert output.stdout == b"done\n"
    assert output.status == 0
    assert time.monotonic() - begun < 12
    for pid in running(f"sleep 30.{os.getpid()}"):
        os.kill(pid, 9)


def test_connection_closed_half_way_is_a_protocol_error(start: Start) -> None:
    # timeout's parent is the server's process of this session.
    kill = b"echo some; p=$(sed 's/.*) . //;s/ .*//' /proc/$PPID/stat); kill -9 $p; sleep 5"
    with start() as server:
        connection = open_connection(server.target(), server.settings)
        error = failure(connection, kill)
        connection.close()
    assert error.kind == "protocol"
    assert error.retry == "once"


def test_script_on_a_dead_connection_is_a_protocol_error(sshd: Server) -> None:
    connection = open_connection(sshd.target(), sshd.settings)
    connection.close()
    assert failure(connection, b"echo").kind == "protocol"


def test_close_from_another_thread_ends_a_running_script(sshd: Server) -> None:
    # The server ends the process at once for most users; for root its leash does, soon after.
    connection = open_connection(sshd.target(), sshd.settings)
    timer = threading.Timer(0.5, connection.close)
    timer.start()
    begun = time.monotonic()
    error = failure(connection, b"sleep 3000.%d" % os.getpid(), timeout=4)
    timer.join()
    assert error.kind == "protocol"
    assert time.monotonic() - begun < 10
    assert wait_until(lambda: not running(f"sleep 3000.{os.getpid()}"), 8)


def test_server_kills_what_hangs_at_once_for_ordinary_users(start: Start, person: Person) -> None:
    with start("PasswordAuthentication yes") as server:
        target = server.target(user=person.name, password=person.password, key_file=None)
        connection = open_connection(target, server.settings)
        timer = threading.Timer(0.5, connection.close)
        timer.start()
        failure(connection, b"sleep 5000.%d" % os.getpid(), timeout=30)
        timer.join()
        assert wait_until(lambda: not running(f"sleep 5000.{os.getpid()}"), 3)


NOISY = 'ForceCommand echo "*** welcome ***"; echo careful >&2; eval "$SSH_ORIGINAL_COMMAND"'


def test_login_noise_is_left_out(start: Start) -> None:
    with start(NOISY) as server:
        connection = open_connection(server.target(), server.settings)
        output = run(connection, b"echo evidence; echo trouble >&2")
        assert (output.stdout, output.stderr) == (b"evidence\n", b"trouble\n")
        connection.close()


def test_host_without_timeout_runs_the_script_without_a_leash(start: Start, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "cat", "env", "id", "sleep"):
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
    with start(path=f"{tmp_path}/bin") as server:
        connection = open_connection(server.target(), server.settings)
        assert run(connection, b"echo one; command -v timeout").stdout == b"one\n"
        assert run(connection, b"echo two; exit 4").status == 4
        connection.close()


OLD_BUSYBOX = """#!/bin/sh
[ "$1" = -t ] || { echo "timeout: can't execute '$1': No such file or directory" >&2; exit 127; }
shift; exec /usr/bin/timeout "$@"
"""
MIDDLE_BUSYBOX = """#!/bin/sh
case $1 in -k) echo "timeout: unrecognized option: k" >&2; echo "Usage: timeout" >&2; exit 1;; esac
exec /usr/bin/timeout "$@"
"""


@pytest.mark.parametrize("imitation", [OLD_BUSYBOX, MIDDLE_BUSYBOX])
def test_every_busybox_timeout_is_understood(start: Start, tmp_path: Path, imitation: str) -> None:
    (tmp_path / "timeout").write_text(imitation)
    (tmp_path / "timeout").chmod(0o755)
    with start(path=f"{tmp_path}:/usr/bin:/bin") as server:
        connection = open_connection(server.target(), server.settings)
        output = run(connection, b"echo one; exit 5")
        assert (output.stdout, output.status) == (b"one\n", 5)
        connection.close()


@pytest.mark.parametrize(
    ("forced", "words"),
    [
        ("echo This account is currently not available.; exit 1", "nologin"),
        ("echo 'rbash: exec: restricted' >&2; exit 126", "restricted"),
        ("exit 0", "forced command"),
    ],
)
def test_login_that_runs_nothing_is_explained(start: Start, forced: str, words: str) -> None:
    with start(f"ForceCommand {forced}") as server:
        connection = open_connection(server.target(), server.settings)
        error = failure(connection, b"echo evidence")
        connection.close()
    assert error.kind == "protocol"
    assert words in error.message


def test_escape_codes_of_the_host_do_not_reach_the_message(start: Start) -> None:
    with start(r"ForceCommand printf '\033[2J\033]0;title\007 evil'; exit 1") as server:
        connection = open_connection(server.target(), server.settings)
        error = failure(connection, b"echo evidence")
        connection.close()
    assert "evil" in error.message
    assert "\x1b" not in error.message
