"""``host`` in a check: an ordinary testinfra host on the connection that is already open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import testinfra
from openssh import ME, Person, Server, Start

from ipvs_audit.model.target import Become, Target
from ipvs_audit.transport import Connection, TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.settings import Settings
from ipvs_audit.transport.testinfra_host import host_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from testinfra.host import Host


@pytest.fixture(params=["paramiko", "openssh"])
def connection(sshd: Server, request: pytest.FixtureRequest) -> Any:
    connection = open_connection(sshd.target(), replace(sshd.settings, transport=request.param))
    yield connection
    connection.close()


@pytest.fixture
def host(sshd: Server, connection: Connection) -> Any:
    return host_for(sshd.target(), connection)


def test_host_is_an_ordinary_testinfra_host(host: Host) -> None:
    assert isinstance(host, testinfra.host.Host)
    assert host.backend.get_connection_type() == "ipvs-audit"
    assert host.file("/etc/passwd").exists
    assert host.file("/etc/passwd").user == "root"
    assert not host.file("/no/such/file").exists
    assert host.sysctl("kernel.ostype") == "Linux"
    assert host.user().name == ME
    assert host.find_command("sh").endswith("/sh")


def test_status_and_streams_are_those_of_the_command(host: Host) -> None:
    result = host.run("echo out; echo err >&2; exit 3")
    assert (result.rc, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert host.run("echo %s", "a 'quoted' $word").stdout == "a 'quoted' $word\n"


def test_output_that_is_not_ascii_or_not_utf8_does_not_raise(host: Host) -> None:
    assert host.run("printf 'größer'").stdout == "größer"
    result = host.run(r"printf 'caf\351'")
    assert result.stdout == "caf\\xe9"
    assert result.stdout_bytes == b"caf\xe9"


def test_everything_goes_over_the_one_connection(sshd: Server, host: Host) -> None:
    logins = (sshd.folder / "log").read_text().count("Accepted publickey")
    assert host.file("/etc/hosts").exists
    assert host.run("printf 'größer'").stdout
    assert host.run("true").rc == 0
    assert (sshd.folder / "log").read_text().count("Accepted publickey") == logins


def test_command_that_hangs_is_ended(sshd: Server, connection: Connection) -> None:
    host = host_for(sshd.target(), connection, timeout=1)
    with pytest.raises(TransportError) as caught:
        host.run("sleep 60")
    assert caught.value.kind == "timeout"
    assert host.run("echo next").stdout == "next\n"


def test_become_holds_for_every_command(
    start: Start, person: Person, sudoers: Callable[[str], None]
) -> None:
    sudoers("{name} ALL=(ALL) ALL")
    with start() as server:
        target = server.target(user=person.name, become=Become(password=person.password))
        connection = open_connection(target, server.settings)
        host = host_for(target, connection)
        assert host.check_output("id -un") == "root"
        assert host.file("/etc/shadow").contains(person.name)
        with host.sudo(person.name):
            assert host.check_output("id -un") == person.name
        connection.close()


def test_local_target_has_a_host_too() -> None:
    target = Target("here", connection="local")
    host = host_for(target, open_connection(target, Settings()))
    assert host.check_output("echo %s", "größer") == "größer"
    assert host.file("/etc/passwd").exists
