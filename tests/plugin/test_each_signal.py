"""What each signal does, by itself; whole runs are in tests/command."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.plugin.stop_signals import StopSignals

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Told:
    """Signals that are taken over, and what is told of them."""

    def __init__(self, *, raises: bool = True) -> None:
        self._read, self._write = os.pipe()
        self.stop = StopRequest(raises=raises)
        self.signals = StopSignals(self.stop, self._write)
        self.signals.install()

    def lines(self) -> list[str]:
        os.close(self._write)
        self.signals.pytest_unconfigure()
        with open(self._read) as told:  # noqa: PTH123  # a descriptor
            return [line for line in told.read().splitlines() if line]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Whoever runs the tests may ignore some."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ALL}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ALL)
def test_the_first_raises_where_that_is_expected_and_the_next_never(number: int) -> None:
    told = Told()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert told.stop.requested
    signal.raise_signal(signal.SIGINT)
    name = signal.Signals(number).name
    lines = told.lines()
    assert f"{name}: ending: nothing new is begun" in lines[0]
    assert "Ctrl-C twice more ends at once" in lines[0]
    assert "SIGINT: already ending" in lines[1]
    assert "Ctrl-C once more ends at once" in lines[1]


def test_it_is_only_noted_while_something_would_be_left_half_done() -> None:
    told = Told(raises=False)
    signal.raise_signal(signal.SIGTERM)
    assert told.stop.requested
    with told.stop.interruptible():
        pass
    assert not told.stop.raises
    told.lines()


def test_signals_that_jenkins_or_a_terminal_repeat_never_end_the_process() -> None:
    told = Told(raises=False)
    for number in (signal.SIGTERM, signal.SIGHUP) * 5:
        signal.raise_signal(number)
    assert len(told.lines()) == 10


def test_what_the_process_ignores_stays_ignored_and_the_rest_is_given_back() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told = Told()
    signal.raise_signal(signal.SIGHUP)
    assert not told.stop.requested
    told.lines()
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_process_without_standard_output_can_be_stopped_as_well() -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    stop = StopRequest(raises=False)
    signals = StopSignals(stop, write)
    signals.install()
    signal.raise_signal(signal.SIGTERM)
    signals.pytest_unconfigure()
    assert stop.requested
