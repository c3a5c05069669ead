"""Hooks of a few thousand characters that would take for ever to follow: a doubt, and soon."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from configured import CONF, HOOK, OFF, config, off

from ipvs_audit.persistence.reload import after_reload

if TYPE_CHECKING:
    from collections.abc import Iterator

LOAD = "/sbin/modprobe -i ip_vs && /sbin/sysctl -p"
CPU_SECONDS = 20  # each takes a twentieth of one


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    """End what would go on for ever, by the CPU that it takes: a loaded machine changes nothing."""

    def late(*_: object) -> None:
        pytest.fail(f"not followed within {CPU_SECONDS} s of CPU")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (
            f"/sbin/modprobe -a {' '.join(f'm{number}' for number in range(60))}; {LOAD}",
            "more possible outcomes",
        ),
        (f"unknown{' || unknown && unknown' * 40}; {LOAD}", "more possible outcomes"),
        (f"{'unknown;' * 900} {LOAD}", "more than 100 commands"),
        (f"{'command ' * 500}modprobe -i ip_vs && /sbin/sysctl -p", "is not known"),
        (f"{'exec ' * 500}{LOAD}", "is not known"),
        (f"{'nice ' * 500}{LOAD}", "is not known"),
        (f"{'systemd-cat ' * 300}{LOAD}", "is not known"),
    ],
)
def test_a_hook_made_to_be_followed_for_ever_is_a_doubt(command: str, why: str) -> None:
    found = after_reload(config({CONF: OFF, HOOK: f"install ip_vs {command}\n"}), off)
    assert found.holds(off) is None
    assert why in found.reason
