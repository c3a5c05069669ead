"""Settings and files that could lead OpenSSH's client astray under this suite, but not ``ssh``."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.latency.echo_ssh import COMMAND
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import open_connection
from ipvs_audit.transport.openssh import arguments, workspace
from ipvs_audit.transport.openssh.connection import OpensshConnection

if TYPE_CHECKING:
    from openssh import Server

    from ipvs_audit.model.target import Target
    from ipvs_audit.transport.settings import Settings


def said(target: Target, settings: Settings, script: bytes = b"id -un") -> str:
    connection = open_connection(target, replace(settings, transport="openssh"))
    try:
        return connection.run_script(script, timeout=30, max_output=1000).stdout.decode().strip()
    finally:
        connection.close()


def with_config(server: Server, path: Path, text: str) -> Settings:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return replace(server.settings, ssh_config=path)


def test_ssh_config_that_its_group_may_write_to_counts_as_for_ssh(
    sshd: Server, tmp_path: Path
) -> None:
    settings = with_config(sshd, tmp_path / "config", f"IdentityFile {sshd.user_key}\n")
    (tmp_path / "config").chmod(0o664)
    assert said(replace(sshd.target(), key_file=None), settings)


def test_ssh_config_whose_path_the_client_would_not_find_is_refused(
    sshd: Server, tmp_path: Path
) -> None:
    settings = with_config(sshd, tmp_path / "100%" / "config", "User nobody-at-all\n")
    with pytest.raises(TransportError, match="without %") as caught:
        said(sshd.target(), settings)
    assert caught.value.kind == "configuration"


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("Include ssh_config.d/*.conf", True),
        ("  include=x", True),
        ('Include /etc/ssh/a "x y"', True),
        ("Include /etc/ssh/ssh_config.d/*.conf", False),
        ("# Include x", False),
        ("IncludeNothing x", False),
    ],
)
def test_relative_include_of_the_system_file_is_refused(
    sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, refused: bool
) -> None:
    system = tmp_path / "ssh_config"
    system.write_text(f"Host other\n  Port 1\n{line}\n")
    monkeypatch.setattr(arguments, "SYSTEM_FILE", system)
    monkeypatch.setattr(arguments, "USER_FILE", tmp_path / "none")
    settings = replace(sshd.settings, ssh_config=None)
    if not refused:
        assert f'Include "{system}"' in arguments._config_file(settings, None)
        return
    with pytest.raises(TransportError, match="an absolute path, or use --transport paramiko"):
        arguments._config_file(settings, None)


def test_log_verbose_does_not_hide_what_is_read(sshd: Server, tmp_path: Path) -> None:
    settings = with_config(sshd, tmp_path / "config", "LogVerbose *:*\nLogLevel QUIET\n")
    assert said(sshd.target(), settings, b"echo on") == "on"


def test_proxy_that_talks_a_lot_does_not_stop_a_pipe(sshd: Server, tmp_path: Path) -> None:
    talks = tmp_path / "talks"
    talks.write_text(
        f"#!/bin/sh\nhead -c 1000000 /dev/zero >&2\n"
        f"exec {sys.executable} {Path(__file__).with_name('relay.py')} x 127.0.0.1 {sshd.port}\n"
    )
    talks.chmod(0o755)
    after = tmp_path / "after"
    after.write_text(
        f"#!/bin/sh\n(while [ ! -e {tmp_path}/go ]; do sleep 0.1; done\n"
        f"head -c 1000000 /dev/zero >&2; : >{tmp_path}/told) &\nexec {talks}\n"
    )
    after.chmod(0o755)
    target = sshd.target(ssh_args=f'-o "ProxyCommand={after}"')
    connection = open_connection(target, replace(sshd.settings, transport="openssh"))
    assert isinstance(connection, OpensshConnection)
    pipe = connection.open_pipe(COMMAND, timeout=20)
    try:
        (tmp_path / "go").touch()
        end, came = time.perf_counter() + 20, b""
        while not (tmp_path / "told").exists() and time.perf_counter() < end:
            pipe.arrived(time.perf_counter() + 0.1)
        assert (tmp_path / "told").exists()
        pipe.send(b"x" * 16)
        while not came and time.perf_counter() < end:
            came = b"".join(data for _, data in pipe.arrived(time.perf_counter() + 0.1))
        assert came
    finally:
        pipe.close()
        connection.close()


def test_folder_lies_where_programs_may_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statvfs(path: str) -> SimpleNamespace:
        return SimpleNamespace(f_flag=0 if path == str(tmp_path)[:40] else os.ST_NOEXEC)

    monkeypatch.setattr(workspace.os, "statvfs", statvfs)
    monkeypatch.setattr(workspace.os, "access", lambda *_: True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path)[:40])
    assert workspace._place() == str(tmp_path)[:40]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert workspace._place() == workspace.tempfile.gettempdir()
