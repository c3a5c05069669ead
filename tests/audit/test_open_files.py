"""The limit on open files: raised where it may be, respected aloud where not."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from ipvs_audit.audit.open_files import A_HOST, A_WAITING_HOST, OWN, within


def limited(
    soft: int, hard: int, forks: int, kept: int = 0, *, under_way: int | None = None
) -> tuple[int, int, str, int]:
    """What a process with these limits makes of it, and its soft limit then."""
    code = (
        "import json, resource\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from ipvs_audit.audit.open_files import raise_open_file_limit\n"
        f"room = raise_open_file_limit({forks}, {under_way or forks}, {kept})\n"
        "print(json.dumps([*room, resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    room, most, told, now = json.loads(done.stdout)
    return room, most, told, now


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096, reason="the hard limit here is too low"
)
def test_soft_limit_is_raised_as_far_as_is_needed() -> None:
    assert limited(256, 4096, 200) == (200, 200, "", OWN + 200 * A_HOST)
    assert limited(1024, 4096, 64) == (64, 64, "", 1024)
    assert limited(1024, 4096, 64, kept=1000)[2:] == ("", OWN + 64 * A_HOST + 2000)
    needed = OWN + 64 * A_HOST + 448 * A_WAITING_HOST
    assert limited(1024, 4096, 64, under_way=512) == (64, 512, "", needed)


def test_hard_limit_is_respected_and_said() -> None:
    room, _, told, now = limited(128, 256, 200)
    assert (room, now) == ((256 - OWN) // A_HOST, 256)
    assert told.startswith("48 hosts at a time, not the 200 of --forks: this process may open 256")
    assert "ulimit -n" in told


def test_hosts_that_wait_make_room_before_those_that_connect() -> None:
    room, most, told, now = limited(128, 1024, 64, under_way=512)
    assert (room, most, now) == (64, 64 + (1024 - OWN - 64 * A_HOST) // A_WAITING_HOST, 1024)
    assert told.startswith("416 hosts at a time, not 512: this process may open 1,024 files")


def test_there_is_always_room_for_one() -> None:
    assert within(64, 512, 10_000, limit=64) == (1, 1)
