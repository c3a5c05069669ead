"""When a unit or rc.local surely writes the key at a boot: else the host does not pass by it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_late_writers import (
    EARLY,
    LOADS,
    SETS,
    UNIT,
    WANTED,
    booted,
    host,
    off,
    unit,
)

RIGHT = (LOADS, SETS.format(0))
DROP_INS = "/etc/systemd/system/{}.d/x.conf"


def settings(line: str) -> dict[str, str]:
    return unit(*RIGHT, more=f"Type=oneshot\n{line}")


@pytest.mark.parametrize(
    "line",
    [
        "ProtectKernelModules=",  # modprobe may load nothing; the probe brings no text
        "CapabilityBoundingSet=",
        "SystemCallFilter=",
        "EnvironmentFile=",
        "NewSettingOfSystemd=",
        "Requisite=",
        "Before=sysinit.target",  # a cycle: sysinit.target stands before every service
        "Before=systemd-sysctl.service",
        "Before=sockets.target",
        "After=graphical.target",  # a cycle: that is after multi-user.target, which waits for us
        "After=network.target default.target",
    ],
)
def test_a_setting_that_may_keep_a_unit_from_its_work_is_no_proof(line: str) -> None:
    assert booted(host({}, settings(line), wanted=WANTED)).holds(off) is None


@pytest.mark.parametrize(
    "line",
    [
        "After=network-online.target systemd-modules-load.service",
        "After=multi-user.target",
        "Before=kubelet.service network-pre.target multi-user.target",
        "Description=net.ipv4.vs.run_estimation off",
        "WantedBy=multi-user.target",
        "RemainAfterExit=yes",
    ],
)
def test_an_order_or_a_description_leaves_the_proof(line: str) -> None:
    assert booted(host({}, settings(line), wanted=WANTED)).holds(off) is True


@pytest.mark.parametrize(
    ("target", "sure"),
    [
        *((name, True) for name in ("multi-user", "default", "basic", "sysinit", "timers")),
        *((name, False) for name in ("graphical", "network-online", "network", "getty")),
        *((name, False) for name in ("local-fs", "network-pre", "rescue")),
    ],
)
def test_only_targets_that_every_boot_reaches_start_a_unit_surely(
    target: str, *, sure: bool
) -> None:
    wanted = (("ipvs-tune.service", f"{target}.target.wants"),)
    assert booted(host({}, unit(*RIGHT), wanted=wanted)).holds(off) is (True if sure else None)


def test_what_only_run_wants_or_holds_is_gone_at_a_boot() -> None:
    wanted = (("ipvs-tune.service", "/run/multi-user.target.wants"),)
    assert booted(host({}, unit(*RIGHT), wanted=wanted)).holds(off) is None
    transient = {f"/run/systemd/system/{WANTED[0][0]}": unit(*RIGHT)[UNIT]}
    assert booted(host({}, transient, wanted=WANTED)).holds(off) is None


@pytest.mark.parametrize(
    "name",
    ["ipvs-tune.service", "ipvs-.service", "service"],
)
@pytest.mark.parametrize(
    "text",
    ["ConditionPathExists=/none", "ExecStart=", "ExecStart=/bin/true", "Type=simple", "User=x"],
)
def test_a_drop_in_that_may_change_a_unit_takes_the_proof(name: str, text: str) -> None:
    drop_in = {DROP_INS.format(name): text}
    assert booted(host({}, unit(*RIGHT) | drop_in, wanted=WANTED)).holds(off) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ipvs-tune.service", "After=network.target"),
        ("ipvs-tune.service", ""),
        ("keepalived.service", "ExecStart="),
        ("tune-.service", "User=x"),
    ],
)
def test_a_drop_in_for_another_unit_or_for_the_order_leaves_the_proof(name: str, text: str) -> None:
    drop_in = {DROP_INS.format(name): text}
    assert booted(host({}, unit(*RIGHT) | drop_in, wanted=WANTED)).holds(off) is True


def test_an_instance_of_a_template_is_not_proven() -> None:
    path = UNIT.replace("tune", "tune@")
    wanted = (("ipvs-tune@a.service", "multi-user.target.wants"),)
    assert booted(host({}, {path: unit(*RIGHT)[UNIT]}, wanted=wanted)).holds(off) is None


@pytest.mark.parametrize(
    ("first", "sure"),
    [
        *(
            (line, True)
            for line in ("#!/bin/sh", "#! /bin/bash", "#!/usr/bin/dash", "#!/bin/sh -e")
        ),
        *((line, False) for line in ("# none", "#!/usr/bin/python3", "#!/bin/sh\r", "#!/bin/true")),
    ],
)
def test_rc_local_is_a_shell_script_only_by_its_first_line(first: str, *, sure: bool) -> None:
    text = "\n".join((first, *RIGHT))
    assert booted(host({}, {"/etc/rc.local": text})).holds(off) is (True if sure else None)


def test_a_command_that_fails_ends_rc_local_under_e() -> None:
    text = f"#!/bin/sh -e\n{LOADS}\n/bin/false\n{SETS.format(0)}"
    for early in ({}, EARLY):
        assert booted(host(early, {"/etc/rc.local": text})).holds(off) is not True


def test_rc_local_runs_where_systemd_starts_it() -> None:
    about = host({}, {"/etc/rc.local": "\n".join(("#!/bin/sh", *RIGHT))})
    assert booted(about).holds(off) is True
    for change in ({"masked_units": ("rc-local.service",)}, {"init": "runit"}):
        other = replace(about, loaders=replace(about.loaders, **change))
        assert booted(other).holds(off) is not True
