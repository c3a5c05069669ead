"""``sysctl KEY=VALUE`` in a hook, as Debian's procps 3.3.17 and 4.0.2 were seen to do it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import HOOK, LOADERS, config, off

from ipvs_audit.persistence.reload import after_reload

if TYPE_CHECKING:
    from ipvs_audit.persistence.prediction import Prediction

KEY = "net.ipv4.vs.run_estimation"
DEBIAN_11, DEBIAN_12 = (3, 3, 17), (4, 0, 2)


def after(command: str, procps: tuple[int, ...]) -> Prediction:
    files = {HOOK: f"install ip_vs /sbin/modprobe -i ip_vs && {command}\n"}
    loaders = replace(LOADERS, procps=procps, os_id="debian")
    return after_reload(config(files, loaders=loaders), off)


@pytest.mark.parametrize(
    ("command", "debian_11", "debian_12"),
    [
        (f"sysctl -w {KEY}=0", True, True),
        (f"sysctl -w '{KEY} = 0'", False, True),
        (f"sysctl -w '{KEY} =0'", False, True),
        (f"sysctl -w '{KEY}= 0'", True, True),
        (f"sysctl -w {KEY}=0\r", False, True),
        (f"sysctl -w {KEY}=x", False, False),
        (f"sysctl {KEY}=0 net.bogus.key=1", True, True),
        (f"sysctl net.bogus.key=1 {KEY}=0", True, True),
    ],
)
def test_what_an_assignment_leaves(command: str, *, debian_11: bool, debian_12: bool) -> None:
    assert after(command, DEBIAN_11).holds(off) is debian_11
    assert after(command, DEBIAN_12).holds(off) is debian_12


def test_procps_3_exits_0_where_the_kernel_refuses_the_value() -> None:
    command = f"sysctl -w {KEY}=x && sysctl -w {KEY}=0"
    assert after(command, DEBIAN_11).holds(off) is True
    assert after(command, DEBIAN_12).holds(off) is False


def test_procps_3_fails_where_a_blank_is_part_of_the_name() -> None:
    command = f"sysctl -w '{KEY} = 0' && echo 0 > /proc/sys/net/ipv4/vs/run_estimation"
    assert after(command, DEBIAN_11).holds(off) is False
    assert after(command, DEBIAN_12).holds(off) is True


@pytest.mark.parametrize("first", ["sysctl -p", "sysctl -w net.ipv4.vs.drop_entry=0"])
def test_no_key_of_ip_vs_is_there_before_it_is_loaded(first: str) -> None:
    """Though the probe, which came when ip_vs was loaded, saw it."""
    hook = f"install ip_vs {first} || /sbin/modprobe -i ip_vs\n"
    made = config({HOOK: hook, "/etc/sysctl.conf": "net.ipv4.vs.drop_entry = 0\n"})
    told = replace(made.tree, keys={"net.ipv4.vs.drop_entry": True})
    assert after_reload(replace(made, tree=told), off).value == 1


def test_a_key_that_the_evidence_does_not_tell_of_may_be_missing() -> None:
    found = after(f"sysctl -w net.bogus.key=1 && sysctl -w {KEY}=0", DEBIAN_12)
    assert found.holds(off) is None
    assert after(f"sysctl -w net.bogus.key=1; sysctl -w {KEY}=0", DEBIAN_12).holds(off) is True
    assert after(f"sysctl -e -w net.bogus.key=1 && sysctl -w {KEY}=0", DEBIAN_12).holds(off) is True


def test_keys_that_every_ip_vs_has_are_there() -> None:
    found = after(f"sysctl -w net.ipv4.vs.conntrack=1 && sysctl -w {KEY}=0", DEBIAN_12)
    assert found.holds(off) is True
