"""What writes the key at a boot or later, and the units that the loaders boot with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, RECIPE, config, off

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.policy_verdicts import judge_reload
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.boot_files import BootFile, BootFiles
from ipvs_audit.snapshot.config_files import Line

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Prediction

HOOKED = {CONF: OFF, HOOK: RECIPE}
EARLY = {"/etc/modules-load.d/ipvs.conf": "ip_vs\n"}
UNIT = "/etc/systemd/system/ipvs-tune.service"
WANTED = (("ipvs-tune.service", "multi-user.target.wants"),)
SETS = "/sbin/sysctl -w net.ipv4.vs.run_estimation={}"
LOADS = "/sbin/modprobe ip_vs"
STOCK = {
    "systemd-sysctl.service": (
        "DefaultDependencies=no\nAfter=systemd-modules-load.service\n"
        "Before=sysinit.target shutdown.target\nConditionPathIsReadWrite=/proc/sys/net/\n"
        "Type=oneshot\nExecStart=/usr/lib/systemd/systemd-sysctl"
    ),
    "systemd-modules-load.service": (
        "DefaultDependencies=no\nBefore=sysinit.target shutdown.target\n"
        "ConditionCapability=CAP_SYS_MODULE\nConditionDirectoryNotEmpty=|/etc/modules-load.d\n"
        "ConditionKernelCommandLine=|modules_load\n"
        "Type=oneshot\nExecStart=/usr/lib/systemd/systemd-modules-load"
    ),
}
IN_USR = "/usr/lib/systemd/system/"
STOCK_WANTED = tuple((name, "sysinit.target.wants") for name in STOCK)


def boot_file(
    path: str, text: str, *, executable: bool = True, others: tuple[int, ...] = ()
) -> BootFile:
    lines = tuple(Line(number, line) for number, line in enumerate(text.split("\n"), 1) if line)
    return BootFile(path, executable, lines, others)


def host(
    files: dict[str, str],
    writers: dict[str, str],
    *,
    others: tuple[int, ...] = (),
    executable: bool = True,
    **more: object,
) -> HostConfig:
    made = {
        path: boot_file(path, text, others=others, executable=executable)
        for path, text in writers.items()
    }
    return replace(config(files), boot_files=BootFiles(files=made, **more))  # type: ignore[arg-type]


def unit(*commands: str, more: str = "Type=oneshot") -> dict[str, str]:
    return {UNIT: "\n".join([more, *(f"ExecStart={each}" for each in commands)])}


def booted(about: HostConfig) -> Prediction:
    return after_boot(about, off)


def test_a_unit_that_loads_and_then_sets_makes_the_boot_right_and_not_the_reload() -> None:
    about = host({}, unit(LOADS, SETS.format(0)), wanted=WANTED)
    found = booted(about)
    assert found.holds(off) is True
    assert f"{UNIT}:3" in found.because
    verdict, why = judge_reload(about, Policy())
    assert (verdict, "a module reload" in why) == (Verdict.FAIL, True)


def test_rc_local_that_loads_and_then_sets_makes_the_boot_right() -> None:
    text = f"#!/bin/sh\n{LOADS}\n{SETS.format(0)}\nexit 0"
    assert booted(host({}, {"/etc/rc.local": text})).holds(off) is True


@pytest.mark.parametrize(
    ("commands", "more", "wanted", "others"),
    [
        ((SETS.format(0),), "Type=oneshot", WANTED, ()),  # ip_vs may come later
        ((SETS.format(0), LOADS), "Type=oneshot", WANTED, ()),
        ((LOADS, SETS.format(0)), "Type=oneshot", WANTED, (9,)),  # a command not brought
        ((LOADS, SETS.format(0)), "", WANTED, ()),  # Type=simple waits for nothing
        ((LOADS, SETS.format(0)), "Type=oneshot\nConditionPathExists=/x", WANTED, ()),
        ((LOADS, SETS.format(0)), "Type=oneshot\nUser=nobody", WANTED, ()),
        ((LOADS, SETS.format(0)), "Type=oneshot\nPrivateNetwork=yes", WANTED, ()),
        ((LOADS, SETS.format(0)), "Type=oneshot", (("ipvs-tune.service", "x.target.wants"),), ()),
        ((LOADS, SETS.format(0)), "Type=oneshot", (("ipvs-tune.timer", "timers.target.wants"),), ()),  # noqa: E501
        ((f"{LOADS} && {SETS.format(0)}",), "Type=oneshot", WANTED, ()),  # no shell reads it
    ],
)  # fmt: skip
def test_a_unit_whose_order_is_not_proven_is_named_and_inconclusive(
    commands: tuple[str, ...],
    more: str,
    wanted: tuple[tuple[str, str], ...],
    others: tuple[int, ...],
) -> None:
    found = booted(host({}, unit(*commands, more=more), wanted=wanted, others=others))
    assert found.holds(off) is None
    assert f"the host relies on {UNIT}:" in found.doubt


def test_a_unit_that_nothing_starts_counts_for_nothing() -> None:
    assert booted(host({}, unit(LOADS, SETS.format(0)))).holds(off) is False
    assert booted(host(HOOKED, unit(SETS.format(1)))).holds(off) is True


def test_what_runs_after_early_loading_needs_no_modprobe_of_its_own() -> None:
    assert booted(host(EARLY, unit(SETS.format(0)), wanted=WANTED)).holds(off) is True
    wrong = booted(host({**EARLY, DROP_IN: OFF}, unit(SETS.format(1)), wanted=WANTED))
    assert wrong.holds(off) is False
    assert f"{UNIT}:2" in wrong.reason


WRONG = {
    "unit": (unit(SETS.format(1)), WANTED),
    "unit of a shell": (unit(f"/bin/sh -c '{SETS.format(1)}'"), WANTED),
    "crontab at boot": ({"/etc/crontab": f"@reboot root {SETS.format(1)}"}, ()),
    "root's crontab": ({"/var/spool/cron/crontabs/root": f"*/5 * * * * {SETS.format(1)}"}, ()),
    "cron.d": ({"/etc/cron.d/x": f"*/5 * * * * root {SETS.format(1)}"}, ()),
    "cron.daily": ({"/etc/cron.daily/x": f"#!/bin/sh\n{SETS.format(1)}"}, ()),
    "rc.local": ({"/etc/rc.local": "echo 1 > /proc/sys/net/ipv4/vs/run_estimation"}, ()),
    "rc.local, in a condition": (
        {"/etc/rc.d/rc.local": f"if true; then {SETS.format(1)}; fi"},
        (),
    ),
    "dispatcher": ({"/etc/NetworkManager/dispatcher.d/90-x": SETS.format(1)}, ()),
    "interfaces": ({"/etc/network/interfaces": f"post-up {SETS.format(1)}"}, ()),
    "cloud-init": ({"/etc/cloud/cloud.cfg.d/x.cfg": f"  - {SETS.format(1)}"}, ()),
    "ufw": ({"/etc/ufw/sysctl.conf": "net/ipv4/vs/run_estimation=1"}, ()),
    "credential": ({"/etc/credstore/sysctl.extra": "net.ipv4.vs.run_estimation=1"}, ()),
    "keepalived": ({"/etc/keepalived/notify.sh": SETS.format(1)}, ()),
    "modules": ({"/etc/sysconfig/modules/ipvs.modules": f"{LOADS}\n{SETS.format(1)}"}, ()),
}


@pytest.mark.parametrize(("writers", "wanted"), WRONG.values(), ids=WRONG)
def test_the_wrong_value_set_later_keeps_a_host_from_passing(
    writers: dict[str, str], wanted: tuple[tuple[str, str], ...]
) -> None:
    about = host(HOOKED, writers, wanted=wanted)
    verdict, why = judge_reload(about, Policy())
    assert verdict is not Verdict.PASS
    assert next(iter(writers)) in why
    right = {path: text.replace("=1", "=0").replace("echo 1", "echo 0") for path, text in writers.items()}  # fmt: skip # noqa: E501
    assert judge_reload(host(HOOKED, right, wanted=wanted), Policy())[0] is Verdict.PASS


def test_tuned_counts_with_its_active_profile_only() -> None:
    profile = {"/etc/tuned/lb/tuned.conf": "net.ipv4.vs.run_estimation=1"}
    assert booted(host(HOOKED, profile, tuned=("lb",))).holds(off) is None
    assert booted(host(HOOKED, profile, tuned=("balanced",))).holds(off) is True
    right = {"/etc/tuned/lb/tuned.conf": "net.ipv4.vs.run_estimation=0"}
    found = booted(host({}, right, tuned=("lb",)))
    assert "the host relies on /etc/tuned/lb/tuned.conf:1" in found.doubt


@pytest.mark.parametrize(
    "line",
    [
        "echo 'set net.ipv4.vs.run_estimation=1 to enable'",
        "logger run_estimation=1",
        "/sbin/sysctl -n net.ipv4.vs.run_estimation",
        "/sbin/sysctl -w vm.swappiness=1",
        'test "$(cat /proc/sys/net/ipv4/vs/run_estimation)" = 0',
        "/sbin/modprobe ip_vs_rr",
    ],
)
def test_a_script_that_only_mentions_it_does_not_matter(line: str) -> None:
    for path in ("/etc/rc.local", "/etc/cron.daily/x"):
        assert judge_reload(host(HOOKED, {path: line}), Policy())[0] is Verdict.PASS, line


def test_a_script_that_others_call_is_followed() -> None:
    script = "/usr/local/bin/tune.sh"
    files = {"/etc/cron.d/x": f"@reboot root {script}", script: '#!/bin/sh\nsysctl -w "$1"'}
    found = booted(host(HOOKED, files))
    assert found.holds(off) is None
    assert f"/etc/cron.d/x:1, through {script}:2" in found.doubt


def test_a_file_that_sysctl_is_given_is_read() -> None:
    path = "/opt/lb/ipvs.conf"
    writers = {"/etc/cron.d/x": f"*/5 * * * * root /sbin/sysctl -q -p {path}"}
    lines = (Line(3, "net.ipv4.vs.run_estimation = 1"),)
    spoilt = host(HOOKED, writers, named=(path,), settings={path: lines})
    assert after_reload(spoilt, off).holds(off) is None
    harmless = host(HOOKED, writers, named=(path,))
    assert after_reload(harmless, off).holds(off) is True


def test_images_that_the_next_boot_merges_are_a_doubt() -> None:
    starts = (("systemd-confext.service", "sysinit.target.wants"),)
    images = ("/var/lib/confexts",)
    found = booted(host(HOOKED, {}, wanted=starts, extensions=images))
    assert "/var/lib/confexts holds images" in found.doubt
    assert booted(host(HOOKED, {}, extensions=images)).holds(off) is True
    merged = ("/etc/.systemd-confext",)
    assert booted(host(HOOKED, {}, wanted=starts, extensions=images, merged=merged)).holds(off)


def test_a_search_that_was_cut_short_is_a_doubt_and_a_closed_place_is_not() -> None:
    cut = ("/: more files concern sysctl than the probe brings",)
    assert "not fully known" in booted(host(HOOKED, {}, unreadable=cut)).doubt
    closed = ("/var/spool/cron: permission denied",)
    assert booted(host(HOOKED, {}, unreadable=closed)).holds(off) is True


def test_two_that_disagree_are_inconclusive() -> None:
    writers = {**unit(LOADS, SETS.format(0)), "/etc/crontab": f"@reboot root {SETS.format(1)}"}
    found = booted(host({}, writers, wanted=WANTED))
    assert found.holds(off) is None
    assert "which is the last is not known" in found.doubt


def stock(
    files: dict[str, str], changes: dict[str, str], wanted: object = STOCK_WANTED
) -> HostConfig:
    texts = {f"{IN_USR}{name}": text for name, text in STOCK.items()} | changes
    units = {
        name: next(
            path for path in (f"/etc/systemd/system/{name}", f"{IN_USR}{name}") if path in texts
        )
        for name in STOCK
    }
    return host(files, texts, units=units, wanted=wanted, units_seen=True)


LOADED_EARLY = {**EARLY, DROP_IN: OFF}


def test_units_as_shipped_change_nothing() -> None:
    assert booted(stock(LOADED_EARLY, {})).holds(off) is True


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("systemd-sysctl.service.d/a.conf", "ExecStart=/bin/true"),
        ("systemd-sysctl.service.d/a.conf", "ConditionPathExists=/x"),
        ("systemd-sysctl.service.d/a.conf", "After=multi-user.target"),
        ("systemd-sysctl.service.d/a.conf", "User=nobody"),
        ("systemd-modules-load.service.d/a.conf", "ConditionPathExists=/x"),
        ("service.d/a.conf", "PrivateNetwork=yes"),
        ("systemd-sysctl.service", "After=systemd-modules-load.service\nExecStart=/sbin/sysctl -p"),
        ("systemd-sysctl.service", "ExecStart=/usr/lib/systemd/systemd-sysctl"),
        ("systemd-modules-load.service", "ExecStart=/bin/true"),
    ],
)
def test_a_unit_that_differs_from_the_shipped_one_is_a_doubt_that_names_it(
    path: str, text: str
) -> None:
    path = f"/etc/systemd/system/{path}"
    found = booted(stock(LOADED_EARLY, {path: text}))
    assert found.holds(off) is None
    assert path in found.doubt


@pytest.mark.parametrize("name", STOCK)
def test_a_unit_that_no_target_wants_does_not_run(name: str) -> None:
    kept = tuple(pair for pair in STOCK_WANTED if pair[0] != name)
    assert booted(stock(LOADED_EARLY, {}, wanted=kept)).holds(off) is False
