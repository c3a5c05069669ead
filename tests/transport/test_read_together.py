"""What many hosts need of this machine is read once, also where all of them begin together."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import paramiko
import pytest
from together import THREADS, Together, fresh_copy

from ipvs_audit.transport.openssh import arguments
from ipvs_audit.transport.ssh import keys, known_hosts, ssh_config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def threads() -> Together:
    return Together()


def test_ssh_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: Together) -> None:
    file = tmp_path / "config"
    file.write_text("Host web*\n  Port 2222\n")
    monkeypatch.setattr(ssh_config, "_read_file", threads.counted(ssh_config._read_file))
    read = threads.ask(lambda: ssh_config.read((file,)))
    assert [each[-1].words for each in read] == [("2222",)] * THREADS
    assert threads.calls == 1


def test_known_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: Together) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("web1 ssh-ed25519 YWJj\n")
    monkeypatch.setattr(known_hosts, "_parse", threads.counted(known_hosts._parse))
    known = threads.ask(lambda: known_hosts.look_up("web1", [file]))
    assert [each.keys for each in known] == [(known_hosts.Key("ssh-ed25519", b"abc"),)] * THREADS
    assert threads.calls == len(file.read_text().split("\n"))


def test_a_private_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: Together) -> None:
    file = tmp_path / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(file))
    monkeypatch.setattr(paramiko.PKey, "from_path", threads.counted(paramiko.PKey.from_path))
    assert len(set(threads.ask(lambda: keys.load_key(file)))) == 1
    assert threads.calls == 1


def test_the_version_of_openssh(monkeypatch: pytest.MonkeyPatch, threads: Together) -> None:
    fresh = fresh_copy(arguments)
    told = subprocess.CompletedProcess([], 0, b"", b"OpenSSH_9.2p1, OpenSSL 3.0.15")
    monkeypatch.setattr(fresh, "program", lambda: "ssh")
    monkeypatch.setattr(subprocess, "run", threads.counted(lambda *_, **__: told))
    assert threads.ask(fresh.version) == [(9, 2)] * THREADS
    assert threads.calls == 1
