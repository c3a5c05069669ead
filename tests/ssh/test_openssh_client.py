"""The OpenSSH client as a transport: the same rules as paramiko's, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from misbehaving import misbehaving
from openssh import (
    ME,
    Person,
    Server,
    Start,
    descendants,
    fingerprint,
    free_port,
    keygen,
    public,
    running,
    wait_until,
)
from pydantic import SecretStr

from ipvs_audit.audit.collecting import _turned_to_openssh
from ipvs_audit.audit.host_facts import facts_of
from ipvs_audit.latency.echo import EchoError, Schedule, measure
from ipvs_audit.latency.method import icmp_echo, ssh_echo
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Snapshot
from ipvs_audit.transport import Limits, Output, TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.openssh import arguments
from ipvs_audit.transport.openssh.connection import OpensshConnection
from ipvs_audit.transport.openssh.workspace import workspace
from ipvs_audit.transport.testinfra_host import host_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings


def connect(target: Target, settings: Settings) -> OpensshConnection:
    connection = open_connection(target, replace(settings, transport="openssh"))
    assert isinstance(connection, OpensshConnection)
    return connection


def run(target: Target, settings: Settings, script: bytes = b"echo hello", **more: Any) -> Output:
    connection = connect(target, settings)
    try:
        return connection.run_script(script, **{"timeout": 30.0, "max_output": 1 << 20} | more)
    finally:
        connection.close()


def refusal(target: Target, settings: Settings) -> TransportError:
    with pytest.raises(TransportError) as caught:
        connect(target, settings).close()
    return caught.value


@pytest.fixture(scope="module")
def open_one(sshd: Server) -> Iterator[OpensshConnection]:
    """A connection that the tests of scripts share."""
    connection = connect(sshd.target(), sshd.settings)
    yield connection
    connection.close()


def test_whom_it_reached_and_verified_is_told(sshd: Server, open_one: OpensshConnection) -> None:
    assert open_one.fingerprint == fingerprint(sshd.host_keys["ed25519"])
    assert open_one.via == f"ssh {ME}@127.0.0.1:{sshd.port} by OpenSSH"
    assert open_one.direct


def test_streams_and_exit_status_come_back_apart(open_one: OpensshConnection) -> None:
    output = open_one.run_script(b"echo out; echo err >&2; exit 3", timeout=30, max_output=1000)
    assert output == Output(3, b"out\n", b"err\n")


def test_one_connection_serves_many_scripts(open_one: OpensshConnection) -> None:
    asked = b"echo ${SSH_CONNECTION% *}"
    ports = {open_one.run_script(asked, timeout=30, max_output=1000).stdout for _ in range(3)}
    assert len(ports) == 1


def test_long_script_and_long_output_arrive_whole(open_one: OpensshConnection) -> None:
    script = b"#" * 200_000 + b"\nhead -c 3000000 /dev/zero"
    output = open_one.run_script(script, timeout=60, max_output=4_000_000)
    assert output.stdout == bytes(3_000_000)


def test_errors_beyond_the_cap_are_drained(open_one: OpensshConnection) -> None:
    script = b"head -c 3000000 /dev/zero >&2; echo done"
    output = open_one.run_script(script, timeout=60, max_output=1000)
    assert output.stdout == b"done\n"
    assert len(output.stderr) == 64 * 1024


def test_endless_output_is_cut_and_the_connection_stays(open_one: OpensshConnection) -> None:
    with pytest.raises(TransportError) as caught:
        open_one.run_script(b"while :; do echo y; done", timeout=30, max_output=10_000)
    assert caught.value.kind == "too-much-output"
    assert open_one.run_script(b"echo on", timeout=30, max_output=1000).stdout == b"on\n"


def test_script_that_hangs_is_over_at_its_deadline(open_one: OpensshConnection) -> None:
    with pytest.raises(TransportError) as caught:
        open_one.run_script(b"sleep 60", timeout=3, max_output=1000)
    assert caught.value.kind == "timeout"


def test_process_in_the_background_is_not_waited_for(open_one: OpensshConnection) -> None:
    output = open_one.run_script(b"sleep 30 & echo on", timeout=25, max_output=1000)
    assert output == Output(0, b"on\n", b"")


def test_script_that_kills_its_own_shell_tells_no_status(open_one: OpensshConnection) -> None:
    output = open_one.run_script(b"echo on; kill -9 $PPID $$", timeout=30, max_output=1000)
    assert output.stdout == b"on\n"
    assert output.status != 0


def test_host_of_testinfra_works_over_it(sshd: Server, open_one: OpensshConnection) -> None:
    host = host_for(sshd.target(), open_one)
    assert host.file("/etc/passwd").exists
    assert host.run("exit 7").rc == 7


def test_round_trips_are_measured_over_it(sshd: Server, open_one: OpensshConnection) -> None:
    echo, command = ssh_echo(sshd.target(), sshd.settings, open_one, lambda _: None)
    trace = measure(echo, Schedule(interval=0.02, duration=0.4, limit=20))
    echo.close()
    assert command.endswith("by OpenSSH cat")
    assert trace.ended == ""
    assert trace.rtt
    assert None not in trace.rtt


def test_latency_by_echo_requests_is_refused_with_the_way_out(sshd: Server) -> None:
    settings = replace(sshd.settings, transport="openssh")
    assert icmp_echo(sshd.target(), settings, "auto") is None
    with pytest.raises(EchoError, match="--latency-via ssh"):
        icmp_echo(sshd.target(), settings, "icmp")


# Host keys.


@pytest.mark.parametrize(
    "loose", ["StrictHostKeyChecking=no", "NoHostAuthenticationForLocalhost=yes"]
)
def test_host_key_checking_cannot_be_turned_off(sshd: Server, tmp_path: Path, loose: str) -> None:
    config = tmp_path / "config"
    config.write_text(f"{loose}\n")
    unknown = replace(sshd.with_known(""), ssh_config=config)
    error = refusal(sshd.target(ssh_args=f"-o {loose}"), unknown)
    assert error.kind == "host-key"
    assert fingerprint(sshd.host_keys["ed25519"]) in error.message
    assert "--host-key-policy accept-new" in error.message


def test_changed_and_revoked_keys_are_refused(sshd: Server, tmp_path: Path) -> None:
    other = public(keygen(tmp_path / "other"))
    accepting = sshd.with_known(f"{sshd.name} {other}\n", host_key_policy="accept-new")
    error = refusal(sshd.target(), accepting)
    assert error.kind == "host-key"
    assert "HOST KEY CHANGED" in error.message
    key = public(sshd.host_keys["ed25519"])
    revoked = sshd.with_known(f"{sshd.name} {key}\n@revoked * {key}\n")
    only = "-o HostKeyAlgorithms=ssh-ed25519"
    error = refusal(sshd.target(ssh_args=only), revoked)
    assert error.kind == "host-key"
    assert "revoked" in error.message


def test_accept_new_saves_the_key_that_strict_then_knows(sshd: Server) -> None:
    settings = sshd.with_known("", host_key_policy="accept-new")
    run(sshd.target(), settings)
    assert sshd.name in settings.known_hosts[0].read_text()
    assert run(sshd.target(), replace(settings, host_key_policy="strict")).status == 0


def test_accept_new_accepts_nobody_where_keys_are_not_saved(sshd: Server, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("UserKnownHostsFile /dev/null\n")
    named = sshd.with_known("", host_key_policy="accept-new", ssh_config=config)
    for files in ((), (Path(os.devnull),)):
        error = refusal(sshd.target(), replace(named, known_hosts=files))
        assert error.kind == "host-key"
        assert "--known-hosts FILE" in error.message
    nowhere = replace(named, known_hosts=(tmp_path / "none" / "known",))
    (tmp_path / "none").write_text("")  # no folder, so nobody can write there
    error = refusal(sshd.target(), nowhere)
    assert error.kind == "host-key"
    assert "could not be saved" in error.message


def test_known_hosts_files_of_the_run_count_alone(sshd: Server, tmp_path: Path) -> None:
    config = tmp_path / "config"
    known = sshd.settings.known_hosts[0]
    config.write_text(
        f"UserKnownHostsFile {known}\nGlobalKnownHostsFile {known}\n"
        f"KnownHostsCommand /bin/cat {known}\n"
    )
    settings = replace(sshd.with_known(""), ssh_config=config)
    assert refusal(sshd.target(), settings).kind == "host-key"
    assert run(sshd.target(), replace(settings, known_hosts=())).status == 0


def test_jump_host_is_verified_as_strictly(sshd: Server, start: Start, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"StrictHostKeyChecking no\nIdentityFile {sshd.user_key}\n")
    with start() as behind:
        target = behind.target(ssh_args=f"-J {ME}@127.0.0.1:{sshd.port}")
        both = replace(behind.with_known(sshd.known() + behind.known()), ssh_config=config)
        connection = connect(target, both)
        connection.close()
        assert not connection.direct
        assert connection.fingerprint == fingerprint(behind.host_keys["ed25519"])
        error = refusal(target, replace(behind.with_known(behind.known()), ssh_config=config))
        assert error.kind == "host-key"
        assert "on the way to it" in error.message


# Logins.


def test_forwarding_and_commands_of_ssh_config_are_off(sshd: Server, tmp_path: Path) -> None:
    config, mark = tmp_path / "config", tmp_path / "ran"
    config.write_text(
        f"ForwardAgent yes\nForwardX11 yes\nPermitLocalCommand yes\nLocalCommand touch {mark}\n"
        f"RemoteCommand touch {mark}\nRequestTTY force\nLocalForward 1 127.0.0.1:1\n"
        f"ControlMaster auto\nControlPath {tmp_path}/cm\nControlPersist 60\nSessionType none\n"
    )
    settings = replace(sshd.settings, ssh_config=config)
    output = run(
        sshd.target(ssh_args="-A -X -f -o ForwardAgent=yes"),
        settings,
        b'echo "$SSH_AUTH_SOCK:$DISPLAY:$SSH_TTY"',
    )
    assert output.stdout == b"::\n"
    assert not mark.exists()
    assert not (tmp_path / "cm").exists()


def test_login_that_is_refused_says_so(sshd: Server, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other")
    error = refusal(sshd.target(key_file=str(other)), sshd.settings)
    assert error.kind == "authentication"
    assert "Permission denied (publickey)" in error.message


def passwords(start: Start, *more: str) -> Any:
    return start("PasswordAuthentication yes", "UsePAM no", *more)


def test_password_reaches_the_host_and_no_argument_or_environment(
    start: Start, person: Person
) -> None:
    with passwords(start) as server:
        target = server.target(user=person.name, key_file=None, password=person.password)
        connection = connect(target, server.settings)
        secret = person.password.get_secret_value().encode()
        try:
            ours = descendants(os.getpid()) - descendants(server.pid)
            assert ours
            for pid in ours:
                for file in ("cmdline", "environ"):
                    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended
                        assert secret not in Path(f"/proc/{pid}/{file}").read_bytes()
            output = connection.run_script(b"id -un", timeout=30, max_output=1000)
            assert output.stdout.decode().strip() == person.name
        finally:
            connection.close()


def test_wrong_password_is_tried_once_and_never_quoted(start: Start, person: Person) -> None:
    with passwords(start) as server:
        wrong = SecretStr("distinctive-wrong-word")
        target = server.target(user=person.name, key_file=None, password=wrong)
        error = refusal(target, server.settings)
        assert error.kind == "authentication"
        assert "distinctive" not in error.message
        log = (server.folder / "log").read_text()
        assert log.count("Failed password") == 1


def test_jump_host_is_not_given_the_hosts_password(start: Start, person: Person) -> None:
    with passwords(start) as jump, start() as behind:
        settings = behind.with_known(jump.known() + behind.known())
        known = settings.known_hosts[0]
        command = (
            f"ssh -F none -o UserKnownHostsFile={known} -o PubkeyAuthentication=no"
            f" -p {jump.port} -W %h:%p {person.name}@127.0.0.1"
        )
        target = behind.target(
            password=person.password, ssh_args=f'-o "ProxyCommand={command}"', key_file=None
        )
        error = refusal(target, settings)
        log = (jump.folder / "log").read_text()
        assert "Accepted" not in log
        assert person.password.get_secret_value() not in error.message


# Why it did not work.


def test_causes_are_told_apart(sshd: Server, start: Start) -> None:
    free = free_port()
    error = refusal(sshd.target(port=free), sshd.settings)
    assert (error.kind, error.retry) == ("unreachable", "once")
    assert "Connection refused" in error.message
    error = refusal(sshd.target(address="no-such-host.invalid"), sshd.settings)
    assert error.kind == "unreachable"
    assert "does not resolve" in error.message
    error = refusal(sshd.target(ssh_args="-o Nonsense=1"), sshd.settings)
    assert error.kind == "configuration"
    assert "nonsense" in error.message.lower()
    failing = "-o 'ProxyCommand sh -c \"echo no way >&2\"'"
    error = refusal(sshd.target(ssh_args=failing), sshd.settings)
    assert error.kind == "unreachable"
    assert "no way" in error.message
    error = refusal(sshd.target(ssh_args="-Z"), sshd.settings)
    assert error.kind == "configuration"
    with start("Ciphers aes128-ctr") as server:
        error = refusal(server.target(ssh_args="-c aes256-ctr"), server.settings)
    assert error.kind == "protocol"
    assert "Their offer: aes128-ctr" in error.message


@pytest.mark.parametrize(
    ("way", "kind", "words"),
    [
        ("mute", "unreachable", "sent no SSH banner"),
        ("garbage", "protocol", "no SSH server"),
        ("rubbish", "protocol", "ssh failed"),
        ("halfway", "unreachable", "closed the connection during key exchange"),
    ],
)
def test_servers_that_are_none_are_told_apart(
    sshd: Server, way: str, kind: str, words: str
) -> None:
    quick = replace(sshd.settings, limits=Limits(connect=3, deadline=20))
    with misbehaving() as ports:
        error = refusal(sshd.target(port=ports[way]), quick)
    assert words in error.message
    assert error.kind == kind


def test_missing_client_is_told_with_the_way_out(
    sshd: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments.program.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        error = refusal(sshd.target(), sshd.settings)
    finally:
        arguments.program.cache_clear()
    assert error.kind == "configuration"
    assert "--transport paramiko" in error.message


# Nothing is left behind.


def leftovers() -> list[str]:
    return [path.name for path in workspace().folder.iterdir() if path.suffix]


def test_close_ends_the_client_and_all_that_it_started(sshd: Server) -> None:
    mark = f"ipvs-audit-proxy-{os.getpid()}"
    helper = Path(__file__).with_name("relay.py")
    command = f"{sys.executable} {helper} {mark} 127.0.0.1 {sshd.port}"
    connection = connect(sshd.target(ssh_args=f'-o "ProxyCommand={command}"'), sshd.settings)
    assert not connection.direct
    assert running(mark)
    connection.close()
    connection.close()
    assert wait_until(lambda: not running(mark))
    assert not running(connection._client.control)
    assert not Path(connection._client.control).exists()
    with pytest.raises(TransportError):
        connection.run_script(b"echo on", timeout=5, max_output=1000)


def test_close_from_another_thread_ends_a_script(sshd: Server) -> None:
    connection = connect(sshd.target(), sshd.settings)
    caught: list[TransportError] = []

    def hang() -> None:
        try:
            connection.run_script(b"echo begun; sleep 60", timeout=60, max_output=1000)
        except TransportError as error:
            caught.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    assert wait_until(lambda: running("ipvs-audit- start-"), 20)
    connection.close()
    thread.join(20)
    assert not thread.is_alive()
    assert [error.kind for error in caught] == ["protocol"]
    assert not Path(connection._client.control).exists()


def test_client_that_is_killed_ends_the_script(sshd: Server) -> None:
    connection = connect(sshd.target(), sshd.settings)
    client = connection._client._process.pid
    timer = threading.Timer(1, os.kill, (client, signal.SIGKILL))
    timer.start()
    with pytest.raises(TransportError) as caught:
        connection.run_script(b"sleep 60", timeout=60, max_output=1000)
    connection.close()
    assert caught.value.kind == "protocol"
    assert "closed the connection" in caught.value.message


def test_refused_connection_leaves_no_files(sshd: Server) -> None:
    before = leftovers()
    refusal(sshd.target(), sshd.with_known(""))
    assert leftovers() == before


HOLD = """
import sys, time
sys.path[:0] = [{tests!r}]
from pathlib import Path
from ipvs_audit.model.target import Target
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.openssh.workspace import workspace
from ipvs_audit.transport.settings import Settings
target = Target("web1", address="127.0.0.1", port={port}, user={me!r}, key_file={key!r})
known, config = Path({known!r}), Path("/dev/null")
settings = Settings(known_hosts=(known,), ssh_config=config, transport="openssh")
connection = open_connection(target, settings)
print(workspace().folder, connection._client._process.pid, flush=True)
time.sleep(600)
"""


def test_process_that_is_killed_leaves_no_client_and_no_folder(sshd: Server) -> None:
    script = HOLD.format(
        tests=str(Path(__file__).parent),
        port=sshd.port,
        me=ME,
        key=str(sshd.user_key),
        known=str(sshd.settings.known_hosts[0]),
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder, client = process.stdout.readline().split()
    assert Path(f"/proc/{client}").exists()
    process.kill()
    process.wait(20)
    process.stdout.close()
    assert wait_until(lambda: not Path(folder).exists(), 20)
    assert wait_until(lambda: not _alive(int(client)), 20)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Which transport.


def test_auto_turns_to_openssh_where_paramiko_has_no_algorithm(start: Start) -> None:
    with start("Ciphers chacha20-poly1305@openssh.com") as server:
        connection = open_connection(server.target(), server.settings)
        connection.close()
        assert connection.via.endswith(" by OpenSSH")
        assert connection.openssh_for == ("Ciphers",)
        with pytest.raises(TransportError, match="no cipher in common"):
            open_connection(server.target(), replace(server.settings, transport="paramiko"))


def test_auto_turns_to_openssh_where_ssh_config_needs_it_and_the_run_says_so_once(
    sshd: Server, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("Match originalhost 127.0.0.1 exec true\n  IdentityAgent none\n")
    settings = replace(sshd.settings, ssh_config=config)
    targets = [sshd.target("web1"), sshd.target("web2")]
    found = list(collect(targets, settings=settings, open_connection=open_connection))
    assert [type(each) for each in found] == [Snapshot, Snapshot]
    assert {each.collection.openssh_for for each in found if isinstance(each, Snapshot)} == {
        ("Match exec",)
    }
    assert facts_of(found[0])["reached"].endswith(" by OpenSSH: Match exec")
    told = _turned_to_openssh(found)
    assert "was used for 2 hosts" in told
    assert "Match exec (web" in told
    assert _turned_to_openssh([]) == ""


@pytest.mark.parametrize(
    ("host", "option", "by_openssh"),
    [
        ({}, "auto", False),
        ({"connection": "ssh"}, "auto", True),
        ({"connection": "paramiko"}, "openssh", True),
        ({"connection": "ssh"}, "paramiko", False),
        ({"transport": "openssh"}, "paramiko", True),
        ({"transport": "auto", "connection": "ssh"}, "openssh", False),
    ],
)
def test_the_host_says_it_first_then_the_run_then_ansible(
    sshd: Server, host: dict[str, str], option: Any, by_openssh: bool
) -> None:
    connection = open_connection(sshd.target(**host), replace(sshd.settings, transport=option))
    connection.close()
    assert isinstance(connection, OpensshConnection) is by_openssh
    assert connection.openssh_for == ()
