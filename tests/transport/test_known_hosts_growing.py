"""A known_hosts file that changes while a run reads it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from ipvs_audit.transport.ssh import known_hosts
from ipvs_audit.transport.ssh.known_hosts import Key, add, look_up

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = Key("ssh-ed25519", b"old"), Key("ssh-ed25519", b"new")
WEB1, WEB2, CHANGED = "web1 ssh-ed25519 b2xk\n", "web2 ssh-rsa bmV3\n", "web1 ssh-ed25519 bmV3\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def test_a_line_is_parsed_once_however_many_hosts_are_added(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    really = known_hosts._parse

    def parse(line: str) -> Any:
        parsed.append(line)
        return really(line)

    monkeypatch.setattr(known_hosts, "_parse", parse)
    names = [f"web{number}" for number in range(100)]
    for name in names:
        assert not look_up(name, [file]).keys
        add(file, name, OLD, hashed=False)
    assert [look_up(name, [file]).keys for name in names] == [(OLD,)] * 100
    assert len([line for line in parsed if line]) == 100


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        pytest.param(WEB1, WEB1 + WEB2, (OLD,), id="a line is added"),
        pytest.param(WEB1.rstrip(), WEB1 + WEB2, (OLD,), id="the last line was not ended"),
        pytest.param("web1 ssh-ed25519 b2", WEB1, (OLD,), id="half a line was written"),
        pytest.param(WEB2 + WEB1, WEB2, (), id="the last line is taken away"),
        pytest.param(WEB1 + WEB2, WEB2, (), id="the first line is taken away"),
        pytest.param(WEB1 + WEB2, CHANGED + WEB2, (NEW,), id="a key is replaced"),
        pytest.param(WEB1, WEB1 + CHANGED, (OLD, NEW), id="a second key"),
        pytest.param(WEB1 + WEB2, "", (), id="it is emptied"),
    ],
)
def test_what_it_says_is_what_is_in_it_now(
    file: Path, before: str, after: str, keys: tuple[Key, ...]
) -> None:
    file.write_text(before)
    look_up("web1", [file])
    file.write_text(after)
    # Within one tick of the file system's clock two versions of one length look alike.
    _touch_later(file)
    assert look_up("web1", [file]).keys == keys


def test_what_is_revoked_later_is_revoked(file: Path) -> None:
    file.write_text(WEB1)
    assert not look_up("web1", [file]).revoked
    file.write_text(WEB1 + "@revoked * ssh-ed25519 b2xk\n")
    assert look_up("web1", [file]).revoked == (OLD,)


def _touch_later(file: Path) -> None:
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000_000))
