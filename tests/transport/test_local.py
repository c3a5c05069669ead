"""Scripts on this machine and through testinfra's other backends."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from ipvs_audit.model.target import Become, Target
from ipvs_audit.transport import Connection, Output, TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def here() -> Any:
    connection = open_connection(Target("here", connection="local"), Settings())
    yield connection
    connection.close()


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A program on PATH that writes down its arguments and runs the last one."""

    def make(name: str, body: Any = 'for last; do :; done\nexec sh -c "$last"') -> Any:
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/argv\n{body}\n')
        path.chmod(0o755)
        return tmp_path / "argv"

    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return make


def run(
    connection: Connection,
    script: bytes = b"echo hello",
    timeout: float = 10.0,
    max_output: int = 1 << 20,
) -> Output:
    return connection.run_script(script, timeout=timeout, max_output=max_output)


def failure(connection: Connection, script: bytes = b"echo hello", **limits: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        run(connection, script, **limits)
    return caught.value


def alive(words: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if words in line:
                found.append(int(entry.name))
    return found


def ends(words: str) -> bool:
    for _ in range(40):
        if not alive(words):
            return True
        time.sleep(0.05)
    return False


def test_local_script_brings_streams_and_status(here: Connection) -> None:
    output = run(here, b"echo out; echo err >&2; cat; exit 5")
    assert (output.status, output.stdout, output.stderr) == (5, b"out\n", b"err\n")
    assert here.via == "local"
    assert here.fingerprint == ""


def test_local_script_may_be_long_and_binary(here: Connection) -> None:
    script = b"x=0\n" + b"x=$((x+1)) # padding padding padding padding\n" * 20000
    assert run(here, script + b"echo $x; printf '\\377\\000'").stdout == b"20000\n\xff\0"


def test_local_floods_are_ended(here: Connection) -> None:
    assert failure(here, b"yes").kind == "too-much-output"
    output = run(here, b"head -c 10485760 /dev/zero >&2; echo done")
    assert output.stdout == b"done\n"
    assert len(output.stderr) == 65536


def test_local_hang_ends_at_its_deadline_with_all_it_started(here: Connection) -> None:
    begun = time.monotonic()
    words = f"sleep 1100.{os.getpid()}"
    error = failure(here, f"{words} & {words}".encode(), timeout=0.5)
    assert error.kind == "timeout"
    assert time.monotonic() - begun < 3
    assert ends(words)


def test_local_background_process_does_not_keep_the_script_open(here: Connection) -> None:
    begun = time.monotonic()
    words = f"sleep 1200.{os.getpid()}"
    assert run(here, f"{words} & echo done".encode()).stdout == b"done\n"
    assert time.monotonic() - begun < 5
    assert ends(words)


def test_local_close_ends_a_running_script(here: Connection) -> None:
    timer = threading.Timer(0.3, here.close)
    timer.start()
    begun = time.monotonic()
    output = run(here, b"sleep 1300")
    timer.join()
    assert output.status is not None
    assert output.status < 0
    assert time.monotonic() - begun < 3


def test_local_sudo_gets_its_password_and_the_script_does_not(stub: Callable[..., Path]) -> None:
    stub(
        "sudo",
        "prompt=$3\nshift 6\nprintf %s \"$prompt\" | sed 's/%%/%/g' >&2\n"
        'IFS= read -r given\n[ "$given" = distinctive ] || exit 1\nexec "$@"',
    )
    become = Become(password=SecretStr("distinctive"))
    connection = open_connection(Target("here", connection="local", become=become), Settings())
    assert run(connection, b"cat; echo hello").stdout == b"hello\n"


def test_no_descriptor_is_left(here: Connection) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run(here)
    failure(here, b"sleep 9", timeout=0.2)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_docker_runs_the_script_in_the_container(stub: Callable[..., Path]) -> None:
    argv = stub("docker")
    connection = open_connection(
        Target("web", connection="docker", address="nginx", user="app"), Settings()
    )
    output = run(connection, b'echo "it\'s $((1+1))"; echo err >&2; exit 3')
    assert (output.status, output.stdout, output.stderr) == (3, b"it's 2\n", b"err\n")
    assert argv.read_text().splitlines()[:5] == ["exec", "-u", "app", "nginx", "/bin/sh"]
    assert connection.via == "docker app@nginx"


def test_options_of_the_program_stand_before_its_subcommand(stub: Callable[..., Path]) -> None:
    argv = stub("kubectl")
    options = ("--namespace=kube-system", "--container=a $(b) 100%s")
    target = Target("pod", connection="kubectl", address="proxy-0", program_args=options)
    connection = open_connection(target, Settings())
    assert run(connection).stdout == b"hello\n"
    assert argv.read_text().splitlines()[:6] == [*options, "exec", "proxy-0", "--", "/bin/sh"]


def test_a_password_in_a_daemons_address_is_not_shown(stub: Callable[..., Path]) -> None:
    stub("docker")
    options = ("-H", "tcp://me:hunter2@daemon:2376")
    target = Target("web", connection="docker", address="nginx", program_args=options)
    assert open_connection(target, Settings()).via == "docker -H tcp://***@daemon:2376 nginx"


@pytest.mark.parametrize("address", ["192.0.2.1", "web1.example.com", "2001:db8::1"])
def test_this_machine_is_not_audited_in_place_of_another(address: str) -> None:
    with pytest.raises(TransportError, match="this machine would be audited in place of") as no:
        open_connection(Target("web1", connection="local", address=address), Settings())
    assert no.value.kind == "configuration"


@pytest.mark.parametrize("address", ["", "here", "localhost", "127.0.0.1", socket.gethostname()])
def test_this_machine_has_names_and_addresses_of_its_own(address: str) -> None:
    connection = open_connection(Target("here", connection="local", address=address), Settings())
    assert run(connection).stdout == b"hello\n"


NODE = Target("pod", connection="kubectl", node=True)


def test_the_node_of_a_pod_is_entered_and_gets_the_script(
    stub: Callable[..., Path],
) -> None:
    """The pod is a mount namespace below that of a process 1, which stands for the node's."""
    if os.getuid():
        pytest.skip("needs root: namespaces")
    inside = "unshare -fpm --mount-proc sh -c 'unshare -m sh -c \"$1\"; exit $?' -"
    argv = stub("kubectl", f'for last; do :; done; exec {inside} "$last"')
    script = b"readlink /proc/self/ns/mnt /proc/1/ns/mnt"
    connection = open_connection(NODE, Settings())
    own, node = run(connection, script).stdout.split()
    assert own == node
    assert "nsenter -t 1 -m -u -i -n -p -- timeout" in argv.read_text()
    assert connection.via == "kubectl pod, its node"
    pod = open_connection(Target("pod", connection="kubectl"), Settings())
    own, node = run(pod, script).stdout.split()
    assert own != node


def test_a_pod_that_does_not_share_the_nodes_processes_is_not_taken_for_the_node(
    stub: Callable[..., Path],
) -> None:
    if os.getuid():
        pytest.skip("needs root: a pid namespace")
    stub("kubectl", 'for last; do :; done; exec unshare -pfm --mount-proc sh -c "$last"')
    error = failure(open_connection(NODE, Settings()))
    assert error.kind == "configuration"
    assert "kubectl pod, its node: set hostPID: true in its pod" in error.message


@pytest.mark.parametrize(
    "said",
    ["nsenter: can't open '/proc/1/ns/mnt': Permission denied", "sh: nsenter: not found"],
)
def test_a_pod_that_may_not_enter_its_node_is_explained(
    said: str, stub: Callable[..., Path]
) -> None:
    stub("kubectl", f'echo "{said}" >&2; exit 1')
    error = failure(open_connection(NODE, Settings()))
    assert error.kind == "configuration"
    assert "run a privileged container that has nsenter" in error.message
    assert said in error.message


def test_a_pod_that_is_gone_is_not_told_to_be_privileged(stub: Callable[..., Path]) -> None:
    stub("kubectl", "echo 'Error from server (NotFound): pods pod not found' >&2; exit 1")
    assert "privileged" not in failure(open_connection(NODE, Settings())).message


@pytest.mark.parametrize("name", ["ssh", "local", "chroot"])
def test_a_node_is_asked_for_only_where_a_container_is(name: str) -> None:
    with pytest.raises(TransportError, match="remove ipvs_audit_node") as caught:
        open_connection(Target("web", connection=name, node=True), Settings())
    assert caught.value.kind == "configuration"


def test_container_that_does_not_exist_is_explained(stub: Callable[..., Path]) -> None:
    stub("docker", "echo 'Error response from daemon: No such container: nginx' >&2; exit 1")
    connection = open_connection(Target("nginx", connection="docker"), Settings())
    error = failure(connection)
    assert error.kind == "protocol"
    assert "No such container" in error.message


def test_container_that_hangs_or_floods_is_ended(stub: Callable[..., Path]) -> None:
    stub("docker", "exec sleep 1400")
    connection = open_connection(Target("nginx", connection="docker"), Settings())
    begun = time.monotonic()
    assert failure(connection, timeout=0.5).kind == "timeout"
    assert time.monotonic() - begun < 3
    stub("docker")
    assert failure(connection, b"yes").kind == "too-much-output"


def test_become_in_a_container_is_sudo_without_a_prompt(stub: Callable[..., Path]) -> None:
    argv = stub("docker")
    connection = open_connection(
        Target("nginx", connection="docker", become=Become(user="app")), Settings()
    )
    with contextlib.suppress(TransportError):  # there may be no sudo, or no such user, here
        run(connection, timeout=5)
    assert "sudo -n -u app --" in argv.read_text()


def test_become_password_over_another_connection_is_refused() -> None:
    become = Become(password=SecretStr("distinctive"))
    with pytest.raises(TransportError) as caught:
        open_connection(Target("nginx", connection="docker", become=become), Settings())
    assert caught.value.kind == "configuration"
    assert "distinctive" not in caught.value.message


@pytest.mark.parametrize("name", ["telepathy", "ansible", "winrm", "safe-ssh"])
def test_connection_that_cannot_be_had_is_refused(name: str) -> None:
    with pytest.raises(TransportError) as caught:
        open_connection(Target("web", connection=name), Settings())
    assert caught.value.kind == "configuration"
    assert name in caught.value.message.lower()
    if name == "telepathy":
        assert "docker, kubectl" in caught.value.message
