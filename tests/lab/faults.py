"""The long fault sweep, `make faults`: the script killed at every point, the line cut at many.

Not part of `make test`; there, tests/remedy kills the script at every point on this machine.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest
from remedied import Remedied

from ipvs_audit.policy import Policy
from ipvs_audit.remedy.door import HALT
from ipvs_audit.transport import TransportError
from ipvs_audit.transport.connect import open_connection
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.remedy.steps import Plan

CUTS = 20


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def host(request: pytest.FixtureRequest, _qemu_works: None) -> Iterator[Remedied]:
    folder = lab_fleet.own_folder() / f"faults-{request.param}"
    guest = lab_fleet.boot(request.param, folder, name="faulty", states=["unset"])
    yield Remedied(guest)
    guest.stop()


def whole(host: Remedied, made: Plan) -> None:
    """Each file is as before or as planned, never half of either."""
    for step in made.files:
        asked = f"[ -e {step.path} ] && sha256sum <{step.path} || echo -"
        told = host.guest.ssh(asked).stdout.split()[0]
        assert told in (step.before_sha256, step.after_sha256), step.path


@pytest.mark.parametrize("remedy", ["recipe", "drop-in"])
def test_killed_at_every_point(
    host: Remedied, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.policy = Policy(remedy=remedy)
    made, etc = host.plan(), host.etc()
    assert made.ready, made.impossible
    point, done = 0, False
    while not done:
        point += 1
        monkeypatch.setenv(HALT, str(point))
        with contextlib.suppress(TransportError):
            done = host.apply(made).whole
        monkeypatch.delenv(HALT)
        whole(host, made)
        undone = host.undo()
        assert undone.whole, (point, undone)
        assert not undone.wrong, (point, undone)
        assert (host.etc(), host.value()) == (etc, "1"), point
    print(f"\nfaults: {host.guest.series} {remedy}: killed at {point - 1} points")  # noqa: T201  # the sweep\'s figures


def test_the_line_cut_at_many_moments(host: Remedied) -> None:
    host.policy = Policy()
    made, etc = host.plan(), host.etc()
    began = time.monotonic()
    assert host.apply(made).whole
    took = time.monotonic() - began
    assert not host.undo().wrong
    for number in range(CUTS):
        _cut(host, made, took * number / CUTS)
        undone = host.undo()
        assert undone.whole, (number, undone)
        assert not undone.wrong, (number, undone)
        assert (host.etc(), host.value()) == (etc, "1"), number
        assert host.guest.ssh("ls -A /etc/*.new /etc/*/.ipvs-audit* 2>/dev/null; true").stdout == ""
    print(f"\nfaults: {host.guest.series}: the line cut at {CUTS} moments over {took:.1f} s")  # noqa: T201  # the sweep\'s figures


def _cut(host: Remedied, made: Plan, after: float) -> None:
    """Apply a plan, and close the connection some seconds after it began."""
    host.runs += 1
    door = host.door(f"r{host.runs}")
    name = host.guest.name
    connection = open_connection(door.targets[name], door.settings)
    timer = threading.Timer(after, connection.close)
    timer.start()
    from ipvs_audit.remedy.apply import apply  # noqa: PLC0415  # named like the door's own

    with contextlib.suppress(TransportError, OSError, EOFError):
        apply(connection, made, door.run, who="tests", timeout=60)
    timer.cancel()
    connection.close()


assert os.environ.get(HALT) is None, f"{HALT} is for this sweep only"
