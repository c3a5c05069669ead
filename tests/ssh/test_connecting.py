"""Getting in: keys, passwords, jump hosts, proxy commands, and servers that do not let us."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openssh import (
    ME,
    QUICK,
    Person,
    Server,
    Start,
    fingerprint,
    free_port,
    keygen,
    public,
    running,
    wait_until,
)  # fmt: skip
from pydantic import SecretStr

from ipvs_audit.model.target import Become
from ipvs_audit.transport import Limits, Output, TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.ssh import paramiko_transport

if TYPE_CHECKING:
    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings


def run(
    target: Target, settings: Settings, script: bytes = b"echo hello", timeout: float = 10.0
) -> Output:
    connection = open_connection(target, settings)
    try:
        return connection.run_script(script, timeout=timeout, max_output=1 << 20)
    finally:
        connection.close()


def refusal(target: Target, settings: Settings) -> TransportError:
    with pytest.raises(TransportError) as caught:
        open_connection(target, settings).close()
    return caught.value


def test_key_login_runs_a_script_and_tells_whom_it_verified(sshd: Server) -> None:
    connection = open_connection(sshd.target(), sshd.settings)
    output = connection.run_script(b"echo hello; exit 3", timeout=10, max_output=1000)
    connection.close()
    assert (output.stdout, output.status) == (b"hello\n", 3)
    assert connection.fingerprint == fingerprint(sshd.host_keys["ed25519"])
    assert connection.via == f"ssh {ME}@127.0.0.1:{sshd.port}"
    assert connection.direct


def test_nagle_is_off(sshd: Server) -> None:
    connection = open_connection(sshd.target(), sshd.settings)
    sock = connection._link.transport.sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    connection.close()


def test_socket_is_not_closed_under_a_thread_that_reads_it(
    sshd: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = paramiko_transport._ReadAhead.recv

    def late(self: Any, most: int) -> bytes:
        data = read(self, most)
        if not data:
            time.sleep(0.3)  # a thread that the machine lets wait
        return data

    monkeypatch.setattr(paramiko_transport._ReadAhead, "recv", late)
    connection = open_connection(sshd.target(), sshd.settings)
    line, under_it = connection._link.transport, []
    close = line.packetizer.close

    def closing() -> None:
        under_it.append(line.is_alive() and threading.current_thread() is not line)
        close()

    monkeypatch.setattr(line.packetizer, "close", closing)
    connection.close()
    assert under_it
    assert not any(under_it)
    assert not line.is_alive()


def test_cheap_key_exchange_is_chosen(sshd: Server) -> None:
    run(sshd.target(), sshd.settings)
    log = (sshd.folder / "log").read_text()
    assert "Accepted publickey" in log
    connection = open_connection(sshd.target(), sshd.settings)
    assert connection._link.transport.local_cipher == "aes128-gcm@openssh.com"
    connection.close()


@pytest.mark.parametrize(
    "kex", ["ecdh-sha2-nistp256", "diffie-hellman-group14-sha256", "diffie-hellman-group18-sha512"]
)
def test_other_key_exchanges_are_fallen_back_to(start: Start, kex: str) -> None:
    with start(f"KexAlgorithms {kex}") as server:
        assert run(server.target(), server.settings).stdout == b"hello\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "Ciphers chacha20-poly1305@openssh.com",
            (
                "use --transport openssh: no cipher in common: the server offers "
                "chacha20-poly1305@openssh.com"
            ),
        ),
        (
            "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            (
                "use --transport openssh: no key exchange in common: the server offers "
                "sntrup761x25519-sha512@openssh.com"
            ),
        ),
        (
            "Ciphers aes128-cbc,3des-cbc",
            (
                "allow aes128-gcm@openssh.com in the server's sshd_config: no cipher in common: "
                "the server offers aes128-cbc, 3des-cbc, which OpenSSH's client does not use by "
                "itself either"
            ),
        ),
    ],
)
def test_server_without_a_common_algorithm_tells_what_it_offers_and_what_would_do(
    start: Start, line: str, message: str
) -> None:
    with start(line) as server:
        error = refusal(server.target(), replace(server.settings, transport="paramiko"))
    assert (error.kind, error.retry) == ("protocol", "never")
    assert error.message == f"{ME}@127.0.0.1:{server.port}: {message}"


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_user_keys_of_every_type_log_in(start: Start, tmp_path: Path, kind: str) -> None:
    key = keygen(tmp_path / "key", kind)
    with start() as server:
        (server.folder / "authorized_keys").write_text(public(key))
        assert run(server.target(key_file=str(key)), server.settings).stdout == b"hello\n"


def test_jump_host_is_verified_and_crossed(sshd: Server, start: Start) -> None:
    with start() as behind:
        settings = sshd.with_known(sshd.known() + behind.known())
        target = behind.target(ssh_args=f"-o 'ProxyCommand none' -J {ME}@127.0.0.1:{sshd.port}")
        target = replace(target, ssh_args=f"-J {ME}@127.0.0.1:{sshd.port}")
        settings = with_identity(settings, behind, sshd.user_key)
        connection = open_connection(target, settings)
        assert f"via {ME}@127.0.0.1:{sshd.port}" in connection.via
        assert not connection.direct
        output = connection.run_script(b"echo $SSH_CONNECTION", timeout=10, max_output=1000)
        assert output.stdout.split()[-1] == str(behind.port).encode()
        connection.close()


def with_identity(settings: Settings, server: Server, key: Path) -> Settings:
    """ssh_config in which every host, jump hosts too, is entered with this key."""
    config = server.folder / f"config-{time.monotonic_ns()}"
    config.write_text(f"Host *\n  IdentityFile {key}\n  IdentityAgent none\n")
    return replace(settings, ssh_config=config)


def test_two_jumps_are_crossed_in_order(sshd: Server, start: Start) -> None:
    with start() as behind:
        known = sshd.with_known(sshd.known() + behind.known())
        settings = with_identity(known, behind, sshd.user_key)
        jump = f"{ME}@127.0.0.1:{sshd.port}"
        target = behind.target(ssh_args=f"-J {jump},ssh://{jump}")
        assert run(target, settings).stdout == b"hello\n"


def test_unknown_jump_host_is_refused(sshd: Server, start: Start) -> None:
    with start() as behind:
        settings = with_identity(sshd.with_known(behind.known()), behind, sshd.user_key)
        error = refusal(behind.target(ssh_args=f"-J {ME}@127.0.0.1:{sshd.port}"), settings)
        assert error.kind == "host-key"
        assert f"127.0.0.1:{sshd.port}" in error.message


def test_password_of_the_target_never_goes_to_the_jump_host(start: Start, person: Person) -> None:
    with start("PasswordAuthentication yes", "PubkeyAuthentication no") as bastion:
        target = bastion.target(
            user=person.name,
            password=person.password,
            key_file=None,
            ssh_args=f"-J {person.name}@127.0.0.1:{bastion.port}",
        )
        settings = replace(bastion.settings, ssh_config=Path("/dev/null"))
        target = replace(target, address="localhost", port=bastion.port)
        error = refusal(target, settings)
        assert error.kind == "authentication"
        log = (bastion.folder / "log").read_text()
        assert "password" not in log.lower().replace("passwordauthentication", "")


def test_jump_host_that_cannot_reach_the_target_is_named(sshd: Server) -> None:
    settings = with_identity(sshd.settings, sshd, sshd.user_key)
    target = sshd.target(port=free_port(), ssh_args=f"-J {ME}@127.0.0.1:{sshd.port}")
    error = refusal(target, settings)
    assert error.kind == "unreachable"
    assert "jump host" in error.message


def test_proxy_command_carries_the_connection_and_is_reaped(sshd: Server, tmp_path: Path) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import socket,sys,threading,os\n"
        "s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
        "def up():\n"
        "  while d:=os.read(0,65536): s.sendall(d)\n"
        "  s.shutdown(1)\n"
        "threading.Thread(target=up,daemon=True).start()\n"
        "while d:=s.recv(65536): os.write(1,d)\n"
    )
    command = f"{shutil.which('python3')} {relay} %h %p"
    target = sshd.target(ssh_args=f"-o 'ProxyCommand={command}'")
    connection = open_connection(target, sshd.settings)
    assert not connection.direct
    output = connection.run_script(b"echo hello", timeout=10, max_output=1000)
    connection.close()
    assert output.stdout == b"hello\n"
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(relay) not in listed.stdout


def test_proxy_command_that_fails_tells_its_own_words_and_is_not_tried_again(
    sshd: Server,
) -> None:
    flood = "head -c 300000 /dev/zero | tr '\\0' x >&2"  # more than a pipe holds
    command = f"echo no route to '\"%h\"' hunter2 >&2; {flood}; exit 7"
    target = sshd.target(
        ssh_args="-o ProxyCommand=" + shlex.quote(f"sh -c {shlex.quote(command)}"),
        password=SecretStr("hunter2"),
    )
    error = refusal(target, sshd.settings)
    assert (error.kind, error.retry) == ("unreachable", "never")
    assert "the ProxyCommand ended before the server answered (exit status 7)" in error.message
    assert 'no route to "127.0.0.1" ***' in error.message


def test_proxy_command_that_a_busy_bastion_turned_away_is_tried_again(sshd: Server) -> None:
    words = "kex_exchange_identification: Connection closed by remote host"
    target = sshd.target(ssh_args=f"-o 'ProxyCommand=echo {words} >&2'")
    error = refusal(target, sshd.settings)
    assert (error.kind, error.retry) == ("unreachable", "backoff")
    assert words in error.message


def test_what_a_proxy_command_left_behind_is_ended(sshd: Server) -> None:
    command = 'sh -c "sleep 987653 </dev/null >/dev/null 2>&1 & exit 3"'
    refusal(sshd.target(ssh_args=f"-o 'ProxyCommand={command}'"), sshd.settings)
    assert wait_until(lambda: not running("sleep 987653 "))


def test_proxy_command_that_is_mute_ends_within_the_connect_timeout(sshd: Server) -> None:
    target = sshd.target(ssh_args="-o 'ProxyCommand=sleep 987654'")
    settings = replace(sshd.settings, limits=Limits(connect=1, deadline=5))
    begun = time.monotonic()
    assert refusal(target, settings).kind == "unreachable"
    assert time.monotonic() - begun < 10
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert "sleep 987654" not in listed.stdout


def test_ssh_config_names_address_user_port_and_key(sshd: Server, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host audited\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {ME}\n"
        f"  IdentityFile {sshd.user_key}\n  IdentitiesOnly yes\n  GSSAPIAuthentication yes\n"
    )
    target = sshd.target(address="audited", port=None, user=None, key_file=None)
    assert run(target, replace(sshd.settings, ssh_config=config)).stdout == b"hello\n"


def test_host_key_alias_is_what_known_hosts_is_searched_for(sshd: Server) -> None:
    settings = sshd.with_known(f"cluster-a {public(sshd.host_keys['ed25519'])}\n")
    assert refusal(sshd.target(), settings).kind == "host-key"
    target = sshd.target(ssh_args="-o HostKeyAlias=cluster-a")
    assert run(target, settings).stdout == b"hello\n"


def test_wrong_user_is_an_authentication_error(sshd: Server) -> None:
    error = refusal(sshd.target(user="nobody-of-that-name"), sshd.settings)
    assert error.kind == "authentication"
    assert error.retry == "never"
    assert "login as nobody-of-that-name failed: the server rejected key " in error.message


def test_wrong_key_is_an_authentication_error(sshd: Server, tmp_path: Path) -> None:
    key = keygen(tmp_path / "other")
    error = refusal(sshd.target(key_file=str(key)), sshd.settings)
    assert error.kind == "authentication"
    assert str(key) in error.message


def test_missing_key_file_is_named(sshd: Server, tmp_path: Path) -> None:
    error = refusal(sshd.target(key_file=str(tmp_path / "absent")), sshd.settings)
    assert error.kind == "authentication"
    assert "failed: no usable key" in error.message
    assert "absent: No such file" in error.message


def test_encrypted_key_file_says_how_to_use_it(sshd: Server, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", "ed25519", "-N", "passphrase")
    error = refusal(sshd.target(key_file=str(key)), sshd.settings)
    assert error.kind == "authentication"
    assert "encrypted; load it into ssh-agent (ssh-add)" in error.message


def test_agent_holds_the_key(sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket_path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket_path)], stdout=subprocess.DEVNULL)
    try:
        while not socket_path.exists():
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket_path))
        subprocess.run(["ssh-add", "-q", str(sshd.user_key)], check=True)
        assert run(sshd.target(key_file=None), sshd.settings).stdout == b"hello\n"
        error = refusal(sshd.target(key_file=None, ssh_args="-o IdentitiesOnly=yes"), sshd.settings)
        assert error.kind == "authentication"
        by_public_half = sshd.target(
            key_file=f"{sshd.user_key}.pub", ssh_args="-o IdentitiesOnly=yes"
        )
        assert run(by_public_half, sshd.settings).stdout == b"hello\n"
    finally:
        agent.terminate()
        agent.wait()


def test_many_agent_keys_end_in_too_many_failures(
    sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket_path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket_path)], stdout=subprocess.DEVNULL)
    try:
        while not socket_path.exists():
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket_path))
        for number in range(8):
            subprocess.run(["ssh-add", "-q", keygen(tmp_path / f"k{number}")], check=True)
        error = refusal(sshd.target(key_file=None), sshd.settings)
        assert error.kind == "authentication"
        assert "IdentitiesOnly" in error.message
    finally:
        agent.terminate()
        agent.wait()


def test_password_login(start: Start, person: Person) -> None:
    with start("PasswordAuthentication yes") as server:
        target = server.target(user=person.name, password=person.password, key_file=None)
        assert run(target, server.settings, b"id -un").stdout.decode().strip() == person.name
        wrong = replace(target, password=SecretStr("wrong-and-distinctive"))
        error = refusal(wrong, server.settings)
        assert error.kind == "authentication"
        assert "wrong-and-distinctive" not in error.message


def test_password_login_through_keyboard_interactive(start: Start, person: Person) -> None:
    if not Path("/etc/pam.d/sshd").exists():
        pytest.skip("no PAM service for sshd")
    with start("UsePAM yes", "KbdInteractiveAuthentication yes") as server:
        target = server.target(user=person.name, password=person.password, key_file=None)
        assert run(target, server.settings, b"id -un").stdout.decode().strip() == person.name


def test_refused_port_is_unreachable(sshd: Server) -> None:
    error = refusal(sshd.target(port=free_port()), sshd.settings)
    assert error.kind == "unreachable"
    assert "refused" in error.message


def test_name_that_does_not_resolve_is_unreachable(sshd: Server) -> None:
    error = refusal(sshd.target(address="no-such-host.invalid"), sshd.settings)
    assert error.kind == "unreachable"
    assert "does not resolve" in error.message


def test_mute_port_ends_within_the_connect_timeout(sshd: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = replace(sshd.settings, limits=replace(QUICK, connect=1))
        begun = time.monotonic()
        error = refusal(sshd.target(port=mute.getsockname()[1]), settings)
        assert time.monotonic() - begun < 10
    assert error.kind == "unreachable"
    assert "sent no SSH banner" in error.message


def test_port_that_speaks_another_protocol_is_named(sshd: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            client, _ = web.accept()
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 200)
            time.sleep(1)
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        error = refusal(sshd.target(port=web.getsockname()[1]), sshd.settings)
        thread.join()
    assert error.kind == "protocol"
    assert "no SSH server" in error.message


def test_server_that_stops_after_its_banner_ends_within_the_connect_timeout(sshd: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as half:
        clients = []

        def answer() -> None:
            client, _ = half.accept()
            clients.append(client)
            client.sendall(b"SSH-2.0-half\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        settings = replace(sshd.settings, limits=replace(QUICK, connect=1))
        begun = time.monotonic()
        error = refusal(sshd.target(port=half.getsockname()[1]), settings)
        assert time.monotonic() - begun < 10
        thread.join()
        clients[0].close()
    assert error.kind == "unreachable"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [("-W x:1", "-W"), ("-o NoSuchThing=1", "NoSuchThing"), ("bastion", "bastion"), ("-o", "-o")],
)
def test_unknown_ssh_arguments_are_named(sshd: Server, arguments: str, named: str) -> None:
    error = refusal(sshd.target(ssh_args=arguments), sshd.settings)
    assert error.kind == "configuration"
    assert named in error.message


def test_other_become_methods_are_refused_before_connecting(sshd: Server) -> None:
    error = refusal(sshd.target(become=Become(method="su")), sshd.settings)
    assert error.kind == "configuration"


def test_connection_can_be_closed_twice_and_leaves_nothing(sshd: Server) -> None:
    before = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        connection = open_connection(sshd.target(), sshd.settings)
        connection.close()
        connection.close()
    refusal(sshd.target(port=free_port()), sshd.settings)
    refusal(sshd.target(user="nobody-of-that-name"), sshd.settings)
    refusal(sshd.target(), sshd.with_known(""))
    assert (threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))) == before
