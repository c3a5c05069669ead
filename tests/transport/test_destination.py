"""What ssh takes as a destination, and who it takes us for."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from ipvs_audit.model.target import Target
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.openssh.arguments import command_line
from ipvs_audit.transport.openssh.workspace import workspace
from ipvs_audit.transport.settings import Settings
from ipvs_audit.transport.ssh import local_user
from ipvs_audit.transport.ssh.route import find_route

NO_FILE = Settings(ssh_config=Path("/dev/null"))
ME = pwd.getpwuid(os.getuid())


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    local_user.name.cache_clear()
    local_user.home.cache_clear()


@pytest.mark.parametrize(
    ("address", "target", "reached"),
    [
        ("bob@10.0.0.5", Target("web1"), "bob@10.0.0.5:22"),
        ("bob@10.0.0.5", Target("web1", user="eve"), "eve@10.0.0.5:22"),
        ("a@corp@10.0.0.5", Target("web1"), "a@corp@10.0.0.5:22"),
        ("ssh://bob@10.0.0.5:2222", Target("web1"), "bob@10.0.0.5:2222"),
        ("SSH://bob@[fd00::5]:2222/", Target("web1"), "bob@[fd00::5]:2222"),
        ("ssh://bob@10.0.0.5:2222", Target("web1", port=2200, user="eve"), "eve@10.0.0.5:2200"),
        ("FD00:0:0::5", Target("web1", user="bob"), "bob@[fd00::5]:22"),
        ("127.1", Target("web1", user="bob"), "bob@127.0.0.1:22"),
    ],
)
def test_a_destination_is_taken_apart_as_ssh_does(
    address: str, target: Target, reached: str
) -> None:
    (hop,) = find_route(Target(target.name, address=address, port=target.port, user=target.user),
                        NO_FILE)  # fmt: skip
    assert hop.where == reached


def test_ansible_ssh_args_come_before_port_and_user_and_the_common_ones_after() -> None:
    """The order of ``_build_command`` in Ansible's connection plugin for ssh; the first wins."""
    target = Target(
        "198.51.100.7", port=22, user="bob",
        first_ssh_args="-p 2222 -o User=eve", ssh_args="-p 2223 -l mallory",
    )  # fmt: skip
    (hop,) = find_route(target, NO_FILE)
    assert hop.where == "eve@198.51.100.7:2222"
    if shutil.which("ssh"):
        line = command_line(target, NO_FILE, workspace(), log="/none", control="/none")
        told = subprocess.run(
            [line[0], "-G", *line[1:]], capture_output=True, text=True, check=True,
            stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip
        assert "user eve\n" in told
        assert "port 2222\n" in told


@pytest.mark.parametrize(
    "address",
    ["ssh://", "ssh://a/b", "ssh://u@h:port", "ssh://$(id)@h", "ssh://u%40x@h", "@h", "u@",
     "ssh://h:22/etc", "x$(id)@h"],
)  # fmt: skip
def test_neither_client_takes_what_is_no_destination(address: str) -> None:
    target = Target("web1", address=address)
    with pytest.raises(TransportError):
        find_route(target, NO_FILE)
    if shutil.which("ssh"):
        with pytest.raises(TransportError):
            command_line(target, NO_FILE, workspace(), log="/none", control="/none")


def test_the_files_and_the_user_are_those_of_the_password_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As ssh has it; ``sudo -E`` and ``su`` leave another's HOME and LOGNAME."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("HostName 203.0.113.9\nPort 1\n")
    (tmp_path / ".ssh" / "id_rsa").touch()
    for name, value in (("HOME", str(tmp_path)), ("LOGNAME", "eve"), ("USER", "eve")):
        monkeypatch.setenv(name, value)
    (hop,) = find_route(Target("198.51.100.7"), Settings())
    assert hop.user == ME.pw_name
    assert hop.host == "198.51.100.7"
    assert hop.known_hosts[0] == Path(ME.pw_dir) / ".ssh" / "known_hosts"
    assert tmp_path / ".ssh" / "id_rsa" not in hop.key_files


def test_a_key_of_the_inventory_is_found_where_ansible_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ansible replaces the ~ itself, by HOME, before it hands the key to ssh."""
    monkeypatch.setenv("HOME", str(tmp_path))
    target = Target("198.51.100.7", key_file="~/key")
    (hop,) = find_route(target, NO_FILE)
    assert hop.key_files == (tmp_path / "key",)
    if shutil.which("ssh"):
        line = command_line(target, NO_FILE, workspace(), log="/none", control="/none")
        assert line[line.index("-i") + 1] == str(tmp_path / "key")


def test_a_user_without_an_entry_is_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nobody(_uid: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "eve")
    try:
        assert (local_user.name(), local_user.home()) == ("eve", tmp_path)
    finally:
        local_user.name.cache_clear()
        local_user.home.cache_clear()


@pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
def test_ssh_takes_us_for_the_same_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "eve")
    monkeypatch.setenv("USER", "eve")
    told = subprocess.run(
        ["ssh", "-G", "-F", "none", "web1"],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip
    assert f"user {local_user.name()}\n" in told
