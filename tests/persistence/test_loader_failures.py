"""Why a loader exits with a failure: what a hook's && and modprobe get to see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, config, off

from ipvs_audit.persistence.loader_failures import exit_status_unknown, failure_reasons
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.config_files import ConfigTree

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig


def given(text: str, procps: tuple[int, ...] = (4, 0, 2)) -> HostConfig:
    made = config({CONF: text, DROP_IN: text}, loaders=replace(LOADERS, procps=procps))
    return replace(made, tree=ConfigTree(made.tree.files, {"net.bogus.key": False}))


def fails(about: HostConfig, name: str, *, key_exists: bool = True) -> bool:
    return bool(failure_reasons(about, getattr(about, name), key_exists=key_exists))


@pytest.mark.parametrize(
    ("text", "sysctl_p", "system", "systemd"),
    [
        (OFF, False, False, False),
        ("net.bogus.key = 1", True, False, False),
        ("-net.bogus.key = 1", True, False, False),
        ("net.bogus.* = 1", False, False, False),
        ("net.ipv4.vs.run_estimation = x", True, True, True),
        ("-net.ipv4.vs.run_estimation = x", True, True, False),
        ("net.ipv4.*.run_estimation = x", True, True, True),
        (f"net.ipv4.vs.run_estimation = x\n{OFF}", True, True, False),
        ("garbage", False, False, True),
        ("-garbage", False, False, False),
        ("net/ipv4/vs.run_estimation = 0", True, False, False),
        ("net.ipv4.vs. = 0", False, False, True),
        ("net.ipv4.vs. = 0\n-net.ipv4.vs.", False, False, False),
        ("/proc/sys/net/ipv4/vs/run_estimation = 0", True, False, False),
    ],
)
def test_what_fails_which_loader(text: str, *, sysctl_p: bool, system: bool, systemd: bool) -> None:
    about = given(text)
    assert fails(about, "sysctl_p") is sysctl_p
    assert fails(about, "sysctl_system") is system
    assert fails(about, "systemd_sysctl") is systemd


def test_a_key_that_comes_with_ip_vs_is_not_missing_because_the_probe_came_before_it() -> None:
    made = given("net.ipv4.vs.conntrack = 1")
    told = ConfigTree(made.tree.files, {"net.ipv4.vs.conntrack": False})
    before = replace(made, tree=told, module="available")
    assert not fails(before, "sysctl_p")
    assert exit_status_unknown(before, before.sysctl_p, key_exists=True)
    assert fails(replace(before, module="loaded"), "sysctl_p")


def test_procps_3_says_that_a_value_is_refused_and_exits_0() -> None:
    assert not fails(given("net.ipv4.vs.run_estimation = x", (3, 3, 17)), "sysctl_p")


def test_a_pattern_is_a_missing_key_to_procps_3() -> None:
    about = given("net.ipv4.*.run_estimation = 0", (3, 3, 17))
    assert fails(about, "sysctl_p")


@pytest.mark.parametrize(
    ("text", "procps"),
    [
        ("=", (4, 0, 2)),
        ("\vnet.ipv4.vs.RUN_ESTIMATION = 0", (4, 0, 2)),
        ("-net.ipv4.vs.other", (3, 3, 17)),
    ],
)
def test_a_line_may_fail_or_not(text: str, procps: tuple[int, ...]) -> None:
    about = given(text, procps)
    assert exit_status_unknown(about, about.sysctl_p, key_exists=True)


def test_an_exclusion_of_our_key_is_no_error_to_procps_3() -> None:
    about = given("-net.ipv4.vs.run_estimation", (3, 3, 17))
    assert not fails(about, "sysctl_p")
    assert not exit_status_unknown(about, about.sysctl_p, key_exists=True)


def test_a_prefix_keeps_systemd_sysctl_from_refusing_other_lines() -> None:
    about = given("net/ipv4/../ipv4/vs/run_estimation = 0")
    assert failure_reasons(about, about.systemd_sysctl, key_exists=True)
    below = replace(about.systemd_sysctl, prefixes=("net.ipv4.vs",))
    assert not failure_reasons(about, below, key_exists=True)


def test_the_key_itself_may_be_missing() -> None:
    about = given(OFF)
    assert fails(about, "sysctl_p", key_exists=False)
    assert not fails(about, "systemd_sysctl", key_exists=False)


def test_a_missing_sysctl_conf_fails_sysctl_p() -> None:
    about = config({DROP_IN: OFF})
    assert failure_reasons(about, about.sysctl_p, key_exists=True) == (f"{CONF} does not exist",)


def test_an_earlier_command_that_fails_is_not_the_status_of_the_hook() -> None:
    """The oracle found it (seed 4242, case 165): the last command's pattern may reach any key."""
    hook = "install ip_vs modprobe -i ip_vs; sysctl -w net.bogus.*.x=1; sysctl --system\n"
    drop_in = "net.ipv4.vs.run_estim* = 0\n"
    notes = after_reload(config({DROP_IN: drop_in, HOOK: hook}), off).notes
    assert len(notes) == 1
    assert "is not certain" in notes[0]
    certain = hook.replace("; sysctl --system", "; sysctl --system; false")
    notes = after_reload(config({DROP_IN: drop_in, HOOK: certain}), off).notes
    assert "reports a failure" in notes[0]
    assert after_reload(config({DROP_IN: OFF, HOOK: hook}), off).notes == ()


def test_a_hook_that_has_ended_keeps_its_status() -> None:
    """Neither what stands behind an exit nor a ``!`` before it changes what the shell returns."""
    hook = "install ip_vs modprobe -i ip_vs && exit 0 && ! echo 1 > /proc/sys/net/ipv4/vs/x\n"
    assert after_reload(config({DROP_IN: OFF, HOOK: hook}), off).notes == ()
    hook = "install ip_vs modprobe -i ip_vs; ! exit 1\n"
    assert "reports a failure" in after_reload(config({HOOK: hook}), off).notes[0]
    hook = "install ip_vs modprobe -i ip_vs; ! true\n"
    assert "reports a failure" in after_reload(config({HOOK: hook}), off).notes[0]


@pytest.mark.parametrize(
    ("line", "fail"),
    [
        ("net.bogus.key = ", False),
        ("net.bogus.key =\t\r", False),
        ("net.ipv4.[!a-u]s.run_estimation = ", False),
        ("net.bogus.key = \v", True),
        ("net.bogus.key = \r 5", True),
    ],
)
def test_procps_3_passes_over_a_line_whose_value_is_blank(line: str, *, fail: bool) -> None:
    """It says "invalid syntax, continuing" and exits 0; \v is no blank, what follows \r counts."""
    made = given(f"{line}\n", (3, 3, 17))
    as_upstream = replace(made, loaders=replace(made.loaders, os_id="debian"))
    assert fails(as_upstream, "sysctl_p") is fail


@pytest.mark.parametrize(
    ("line", "fail"),
    [
        ("garbage", True),
        ("net.ipv4.vs.run_estimation 0", True),
        ("--garbage", True),
        ("-garbage", True),
        (" garbage", False),
        ("\t- garbage", False),
        ("kernel", None),
        ("net.ipv4", False),
        ("net.ipv4.vs.run_estimation", False),
        ("-net.ipv4.vs.run_estimation", False),
        ("net.ipv4.ip_forward", None),
    ],
)
def test_procps_3_takes_a_line_without_equals_for_a_key(line: str, *, fail: bool | None) -> None:
    """3.3.17: "cannot stat" is a failure without ``-e``; what a write of "=" does is none."""
    made = given(f"{line}\n", (3, 3, 17))
    about = replace(made, loaders=replace(made.loaders, os_id="debian"))
    unknown = exit_status_unknown(about, about.sysctl_p, key_exists=True)
    assert unknown is (fail is None)
    assert fails(about, "sysctl_p") is bool(fail)
    ignoring = replace(about.sysctl_p, ignores_unknown_keys=True)
    assert not failure_reasons(about, ignoring, key_exists=True)
    assert not exit_status_unknown(about, ignoring, key_exists=True)
