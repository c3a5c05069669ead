"""Why a loader exits with a failure: what a hook's && and modprobe get to see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, LOADERS, OFF, subject

from ipvs_audit.persistence.failures import failures
from ipvs_audit.snapshot.config_files import ConfigTree

if TYPE_CHECKING:
    from ipvs_audit.persistence.subject import Subject


def given(text: str, procps: tuple[int, ...] = (4, 0, 2)) -> Subject:
    made = subject({CONF: text, DROP_IN: text}, loaders=replace(LOADERS, procps=procps))
    return replace(made, tree=ConfigTree(made.tree.files, {"net.bogus.key": False}), _resolved={})


def fails(about: Subject, name: str, *, key_exists: bool = True) -> bool:
    return bool(failures(about, getattr(about, name), key_exists=key_exists))


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
    ],
)
def test_what_fails_which_loader(text: str, *, sysctl_p: bool, system: bool, systemd: bool) -> None:
    about = given(text)
    assert fails(about, "sysctl_p") is sysctl_p
    assert fails(about, "sysctl_system") is system
    assert fails(about, "systemd_sysctl") is systemd


def test_procps_3_says_that_a_value_is_refused_and_exits_0() -> None:
    assert not fails(given("net.ipv4.vs.run_estimation = x", (3, 3, 17)), "sysctl_p")


def test_a_pattern_is_a_missing_key_to_procps_3() -> None:
    about = given("net.ipv4.*.run_estimation = 0", (3, 3, 17))
    assert fails(about, "sysctl_p")


def test_the_key_itself_may_be_missing() -> None:
    about = given(OFF)
    assert fails(about, "sysctl_p", key_exists=False)
    assert not fails(about, "systemd_sysctl", key_exists=False)


def test_a_missing_sysctl_conf_fails_sysctl_p() -> None:
    about = subject({DROP_IN: OFF})
    assert failures(about, about.sysctl_p, key_exists=True) == (f"{CONF} does not exist",)
