"""A controller whose wall clock jumps by hours while it collects."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model import clock
from ipvs_audit.probe.collector import collect
from ipvs_audit.snapshot import Failure, Snapshot
from ipvs_audit.transport import Limits
from ipvs_audit.transport.connect import open_connection

if TYPE_CHECKING:
    from openssh import Server

    from ipvs_audit.model.target import Target

HOURS = 6


@pytest.fixture(params=[HOURS, -HOURS], ids=["forward", "back"])
def jumping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks finds the clock some hours further than last time."""
    steps, now, utc_now = itertools.count(), time.time, clock.utc_now
    jump = 3600 * request.param
    monkeypatch.setattr(time, "time", lambda: now() + jump * next(steps))
    # Of the calendar not so far: there are only so many years.
    monkeypatch.setattr(
        clock, "utc_now", lambda: utc_now() + timedelta(seconds=jump * (next(steps) % 2))
    )


def evidence(server: Server, target: Target, limits: Limits) -> Snapshot | Failure:
    """Of one host; it must not take hours."""
    found: list[Snapshot | Failure] = []
    settings = replace(server.settings, limits=limits)

    def work() -> None:
        found.extend(collect([target], open_connection=open_connection, settings=settings))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(120)
    assert found, "a wait did not end"
    return found[0]


@pytest.mark.usefixtures("jumping")
def test_a_host_is_collected_all_the_same(sshd: Server) -> None:
    found = evidence(sshd, sshd.target(), Limits(connect=60, deadline=100))
    assert isinstance(found, Snapshot), found.message
    assert found.kernel.release


@pytest.mark.usefixtures("jumping")
def test_a_host_that_never_answers_ends_at_its_time_limit(sshd: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        target = sshd.target(port=mute.getsockname()[1])
        found = evidence(sshd, target, Limits(connect=1, deadline=2))
    assert isinstance(found, Failure)
    assert found.kind == "unreachable"


@pytest.mark.usefixtures("jumping")
def test_a_probe_that_never_ends_ends_at_the_deadline(
    sshd: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ipvs_audit.probe.collect_host.script.render", lambda *_, **_more: b"sleep 100\n"
    )
    found = evidence(sshd, sshd.target(), Limits(connect=60, deadline=3))
    assert isinstance(found, Failure)
    assert found.kind == "timeout"
