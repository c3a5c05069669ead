"""Files in /run hold for a reload, and are gone at the next boot."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, ON, RECIPE, config, off

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.run_files import without_run

LOAD = "/etc/modules-load.d/ipvs.conf"
UDEV = (
    'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs",'
    ' RUN+="/usr/lib/systemd/systemd-sysctl --prefix=net/ipv4/vs"\n'
)
GONE = "will not exist after a boot: /run is empty then"


@pytest.mark.parametrize(
    ("files", "lost"),
    [
        ({CONF: OFF, "/run/modprobe.d/ipvs.conf": RECIPE}, "/run/modprobe.d/ipvs.conf"),
        (
            {DROP_IN: OFF, "/run/udev/rules.d/90-ipvs.rules": UDEV},
            "/run/udev/rules.d/90-ipvs.rules",
        ),
        (
            {"/run/sysctl.d/90-ipvs.conf": OFF, "/etc/udev/rules.d/90-ipvs.rules": UDEV},
            "/run/sysctl.d/90-ipvs.conf",
        ),
        ({CONF: OFF, HOOK: "->/run/ipvs-hook", "/run/ipvs-hook": RECIPE}, HOOK),
    ],
)
def test_what_stands_in_run_holds_for_a_reload_and_not_for_a_boot(
    files: dict[str, str], lost: str
) -> None:
    about = config(files)
    assert after_reload(about, off).holds(off) is True
    boot = after_boot(about, off)
    assert boot.holds(off) is False
    assert f"{lost} {GONE}" in boot.reason
    verdict, why = judge_reload(about, Policy())
    assert verdict is Verdict.FAIL
    assert why.startswith("the value does not hold after a boot: ")
    assert lost in why


def test_early_loading_from_run_does_not_count_for_a_boot() -> None:
    hooked = {DROP_IN: OFF, LOAD: "ip_vs\n"}
    assert after_boot(config(hooked), off).holds(off) is True
    moved = {DROP_IN: OFF, LOAD.replace("/etc", "/run"): "ip_vs\n"}
    boot = after_boot(config(moved), off)
    assert boot.holds(off) is False
    assert f"/run/modules-load.d/ipvs.conf {GONE}" in boot.reason


def test_a_file_in_run_that_changes_nothing_is_not_mentioned() -> None:
    about = config({CONF: OFF, HOOK: RECIPE, "/run/sysctl.d/10-panic.conf": "kernel.panic = 1\n"})
    assert GONE not in after_boot(about, off).because
    assert judge_reload(about, Policy()) == (Verdict.PASS, "")
    assert judge_persisted(about, Policy()) == (Verdict.PASS, "")


def test_what_a_file_in_run_hides_comes_back_at_the_boot() -> None:
    about = config(
        {
            "/run/sysctl.d/90-ipvs.conf": OFF,
            "/usr/lib/sysctl.d/90-ipvs.conf": ON,
            LOAD: "ip_vs\n",
        }
    )
    assert after_boot(about, off).value == 1


def test_a_winner_in_run_fails_and_is_said_to_be_gone_at_the_next_boot() -> None:
    verdict, why = judge_persisted(config({"/run/sysctl.d/90-ipvs.conf": OFF}), Policy())
    assert verdict is Verdict.FAIL
    assert why == (
        f"/run/sysctl.d/90-ipvs.conf {GONE}; then no loader of this host reads a line that sets"
        " net.ipv4.vs.run_estimation"
    )
    hidden = config({"/run/sysctl.d/90-ipvs.conf": OFF, "/usr/lib/sysctl.d/90-ipvs.conf": ON})
    verdict, why = judge_persisted(hidden, Policy())
    assert verdict is Verdict.FAIL
    assert "/usr/lib/sysctl.d/90-ipvs.conf:1" in why


def test_a_winner_in_run_beside_the_same_value_in_etc_passes() -> None:
    about = config({"/run/sysctl.d/95-ipvs.conf": OFF, DROP_IN: OFF})
    assert judge_persisted(about, Policy()) == (Verdict.PASS, "")


def test_a_directory_in_run_that_could_not_be_read_is_no_doubt_about_a_boot() -> None:
    about = config({CONF: OFF, HOOK: RECIPE})
    tree = replace(about.tree, unreadable=("/run/modprobe.d: denied",))
    assert without_run(replace(about, tree=tree)).tree.unreadable == ()
    assert without_run(about) is about
    assert about.loaders is LOADERS
