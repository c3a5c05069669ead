"""Access to hosts while a run ends: the time that is left holds, and another thread can cut it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from planned import planned

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.target import Target
from ipvs_audit.remedy import host_access
from ipvs_audit.remedy.host_access import HostConnections
from ipvs_audit.snapshot import Failure
from ipvs_audit.transport import Output, TransportError
from ipvs_audit.transport.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 600.0  # seconds: never over within a test
CHANGE = planned({"/etc/sysctl.conf": ""})


class Hanging:
    """A connection on which a script runs until somebody closes it."""

    fingerprint = ""
    via = "test"
    direct = True
    openssh_for: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.running = threading.Event()
        self.closed = threading.Event()
        self.timeout = 0.0

    def run_script(self, _script: bytes, *, timeout: float, max_output: int) -> Output:
        assert max_output
        self.timeout = timeout
        self.running.set()
        assert self.closed.wait(LONG)
        raise TransportError("protocol", "the connection was closed")

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Hanging]:
    made: list[Hanging] = []

    def open_connection(_target: Target, settings: Settings) -> Hanging:
        made.append(Hanging(settings))
        return made[-1]

    monkeypatch.setattr(host_access, "open_connection", open_connection)
    return made


def access() -> HostConnections:
    return HostConnections(
        {"web1": Target("web1")}, {"web1": Policy()}, Settings(), "2026-11-23T02-00-00Z", "ops"
    )


def collecting(hosts: HostConnections, within: float) -> None:
    found = hosts.collect("web1", within)
    assert isinstance(found, Failure)
    raise TransportError(found.kind, found.message)


def changing(hosts: HostConnections, within: float) -> None:
    hosts.apply("web1", CHANGE, within)


def undoing(hosts: HostConnections, within: float) -> None:
    hosts.undo("web1", within=within)


DOING = pytest.mark.parametrize("doing", [collecting, changing, undoing])


@DOING
def test_another_thread_can_cut_off_what_is_being_done(
    opened: list[Hanging], doing: Callable[[HostConnections, float], None]
) -> None:
    hosts = access()
    raised: list[TransportError] = []

    def work() -> None:
        try:
            doing(hosts, LONG)
        except TransportError as cut:
            raised.append(cut)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while not opened:
        thread.join(0.01)
    assert opened[0].running.wait(LONG)
    hosts.cut("web1")
    thread.join(LONG)
    assert len(raised) == 1


@DOING
def test_no_more_time_is_taken_than_is_left(
    opened: list[Hanging], doing: Callable[[HostConnections, float], None]
) -> None:
    thread = threading.Thread(target=lambda: doing(access(), 3.0), daemon=True)
    thread.start()
    while not opened:
        thread.join(0.01)
    assert opened[0].running.wait(LONG)
    assert 0 < opened[0].timeout <= 3.0
    assert opened[0].settings.limits.connect == 3.0


@DOING
def test_nothing_is_begun_once_the_time_is_up(
    opened: list[Hanging], doing: Callable[[HostConnections, float], None]
) -> None:
    with pytest.raises(TransportError, match="its time is up") as raised:
        doing(access(), 0.0)
    assert raised.value.kind == "interrupted"
    assert opened == []
