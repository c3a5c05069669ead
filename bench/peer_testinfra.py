"""What a user of stock pytest-testinfra would write: twelve questions, a command each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host

COMMANDS = (
    "uname -r",
    "cat /etc/os-release",
    "cat /proc/sys/net/ipv4/vs/run_estimation",
    "cat /proc/modules",
    "cat /etc/sysctl.conf",
    "cat /etc/sysctl.d/*.conf",
    "cat /etc/modprobe.d/*.conf",
    "cat /etc/modules-load.d/*.conf",
    "cat /proc/net/ip_vs",
    "cat /proc/net/ip_vs_stats",
    "cat /proc/net/ip_vs_stats_percpu",
    "id -u",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_command(host: Host, command: str) -> None:
    """The answer is not judged: what is measured is the asking."""
    host.run(command)
