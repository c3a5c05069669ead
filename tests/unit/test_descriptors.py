"""The limit on open files: raised where it may be, respected aloud where not."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from ipvs_audit.descriptors import A_HOST, OWN, forks_within


def limited(soft: int, hard: int, forks: int, kept: int = 0) -> tuple[int, str, int]:
    """What a process with these limits makes of it, and its soft limit then."""
    code = (
        "import json, resource\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from ipvs_audit.descriptors import make_room\n"
        f"room = make_room({forks}, {kept})\n"
        "print(json.dumps([*room, resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    room, told, now = json.loads(done.stdout)
    return room, told, now


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096, reason="the hard limit here is too low"
)
def test_soft_limit_is_raised_as_far_as_is_needed() -> None:
    assert limited(256, 4096, 200) == (200, "", OWN + 200 * A_HOST)
    assert limited(1024, 4096, 64) == (64, "", 1024)
    assert limited(1024, 4096, 64, kept=1000)[::2] == (64, OWN + 64 * A_HOST + 2000)


def test_hard_limit_is_respected_and_said() -> None:
    room, told, now = limited(128, 256, 200)
    assert (room, now) == ((256 - OWN) // A_HOST, 256)
    assert told.startswith("48 hosts at a time, not the 200 of --forks: this process may open 256")
    assert "ulimit -n" in told


def test_there_is_always_room_for_one() -> None:
    assert forks_within(64, 10_000, limit=64) == 1
