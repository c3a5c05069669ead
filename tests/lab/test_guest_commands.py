"""How the lab runs commands in its guests, with a stand-in for ssh and for the emulator."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.guest import Guest, started

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_a_slow_guest_has_not_read_in_two_seconds_is_still_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nsleep 2.5\nwc -c\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ours = os.getpid()
    guest = Guest("slow", "6.1", 22, tmp_path, tmp_path / "key", ours, started(ours))
    assert guest.ssh("wc -c", stdin=bytes(1_000_000)).stdout.split() == ["1000000"]
