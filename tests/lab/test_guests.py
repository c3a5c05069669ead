"""The guests are in the states that they were designed to be in, seen by plain ssh."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml
from lab.guest import GuestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.guest import Guest

VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
RUNNING = ("compliant", "drifted", "trap", "namespaced", "legacy", "idle")
NAMED = {"blue": "0", "green": "1", "empty": "1"}


def packets(text: str) -> int:
    """The incoming packets of CPU 0, in a namespace's ip_vs_stats_percpu."""
    rows = (line.split() for line in text.splitlines())
    return next(int(row[2], 16) for row in rows if len(row) == 6 and row[0] == "0")


def watch(host: Guest, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        host.check()
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("name", "series", "value"),
    [
        ("compliant", "6.1", "0"),
        ("drifted", "6.1", "1"),
        ("trap", "6.1", "0"),
        ("namespaced", "6.12", "0"),
        ("idle", "6.12", "0"),
        ("legacy", "5.10", "none"),
    ],
)
def test_host_runs_its_kernel_with_its_live_value(
    guest: Callable[[str], Guest],
    name: str,
    series: str,
    value: str,
) -> None:
    asked = f"uname -r; hostname; cat {VALUE} || echo none; grep -c ^ip_vs /proc/modules"
    release, host, live, modules = guest(name).ssh(asked).stdout.split()
    assert release.startswith(f"{series}.")
    assert (host, live) == (name, value)
    assert int(modules) >= 1


@pytest.mark.parametrize("name", RUNNING)
def test_traffic_runs_on_every_host_but_the_idle_one(
    guest: Callable[[str], Guest],
    name: str,
) -> None:
    read = "cat /proc/net/ip_vs_stats_percpu"
    before = packets(guest(name).ssh(read).stdout)
    time.sleep(1.5)
    grown = packets(guest(name).ssh(read).stdout) - before
    assert (grown > 0) == (name != "idle")
    assert "0A630001:0050" in guest(name).ssh("cat /proc/net/ip_vs").stdout


def test_namespaces_hold_rules_and_traffic_where_they_should(guest: Callable[[str], Guest]) -> None:
    host = guest("namespaced")
    for name, value in NAMED.items():
        inside = f"ip netns exec {name}"
        asked = f"{inside} cat {VALUE} /proc/net/ip_vs_stats_percpu; {inside} cat /proc/net/ip_vs"
        seen = host.ssh(asked).stdout
        assert seen.split()[0] == value
        assert ("0A630001:0050" in seen) == (name != "empty")
        assert (packets(seen) > 0) == (name != "empty")


def test_guests_differ_in_their_ids_and_keys(
    guest: Callable[[str], Guest],
    fleet: Path,
) -> None:
    asked = "cat /etc/machine-id /proc/sys/kernel/random/boot_id"
    seen = [guest(name).ssh(asked).stdout.split() for name in RUNNING]
    assert len({one[0] for one in seen}) == len({one[1] for one in seen}) == len(RUNNING)
    keys = [line.split()[2] for line in (fleet / "known_hosts").read_text().splitlines()]
    assert len(set(keys)) == len(RUNNING)


@pytest.mark.parametrize("name", RUNNING)
def test_guest_tells_the_right_time(guest: Callable[[str], Guest], name: str) -> None:
    before = time.time()
    clock = float(guest(name).ssh("date +%s.%N").stdout)
    after = time.time()
    # Set from its hardware clock, by two commands: asking takes longer than these take.
    late = 5 * (after - before) + 1
    assert before - late <= clock <= after + 1


def test_ordinary_account_logs_in_and_may_become_root(guest: Callable[[str], Guest]) -> None:
    assert guest("trap").ssh("id -un; sudo -n id -un", user="audit").stdout == "audit\nroot\n"


def test_inventory_names_every_host_and_nothing_listens_on_the_one_that_is_down(
    fleet: Path,
    guest: Callable[[str], Guest],
) -> None:
    inventory = yaml.safe_load((fleet / "inventory.yml").read_text())["all"]
    ports = {
        name: entry["ansible_port"]
        for group in inventory["children"].values()
        for name, entry in group["hosts"].items()
    }
    assert set(ports) == {*RUNNING, "down"}
    assert all(ports[name] == guest(name).port for name in RUNNING)


def test_recipe_survives_a_reboot_and_a_reload(boot: Callable[..., Guest]) -> None:
    host = boot("6.1", name="rebooted", states=["recipe", "services", "traffic"])
    host.put("/root/kept", "yes")
    host.reboot()
    assert host.ssh(f"cat {VALUE} /root/kept; hostname").stdout.split() == ["0", "yesrebooted"]
    host.ssh("systemctl stop lab-traffic && ipvsadm -C && modprobe -r ip_vs_rr ip_vs")
    assert host.ssh(f"modprobe ip_vs >/dev/null && cat {VALUE}").stdout.strip() == "0"


def test_drop_in_under_the_recipes_hook_is_lost_on_a_reload(boot: Callable[..., Guest]) -> None:
    host = boot("6.12", states=["drop-in"])
    assert host.ssh(f"cat {VALUE}").stdout.strip() == "0"
    host.ssh("modprobe -r ip_vs && modprobe ip_vs")
    assert host.ssh(f"cat {VALUE}").stdout.strip() == "1"


def test_guest_that_dies_is_named_with_its_consoles_end(boot: Callable[..., Guest]) -> None:
    host = boot("5.10", name="doomed")
    host.ssh("(sleep 0.3; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &")
    with pytest.raises(GuestError, match=r"(?s)doomed has panicked.*sysrq"):
        watch(host, 60)
    host.stop()
    with pytest.raises(GuestError, match="doomed has died"):
        host.check()
