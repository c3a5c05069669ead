"""Commands that load ip_vs past its hook, and those that name the key and give no plain value."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, RECIPE, off
from test_late_writers import EARLY, HOOKED, SETS, UNIT, WANTED, boot_file, booted, host, unit

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.host_config import Asked
from ipvs_audit.persistence.late_writers.module_loads import loads_past_hook
from ipvs_audit.persistence.policy_verdicts import judge_reload
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.host_answers import HostAnswers

KEY = "/proc/sys/net/ipv4/vs/run_estimation"


@pytest.mark.parametrize(
    "command",
    [
        "/sbin/modprobe -i ip_vs",
        "/sbin/modprobe -qi ip_vs",
        "/sbin/modprobe --ignore-install ip-vs",
        "insmod /lib/modules/6.1.0/kernel/net/netfilter/ipvs/ip_vs.ko",
        "/sbin/insmod /lib/modules/6.1.0/kernel/net/netfilter/ipvs/ip_vs.ko.xz",
        "busybox modprobe ip_vs",
        "modprobe -C /dev/null ip_vs_rr",
        "MODPROBE_OPTIONS=-i modprobe ip_vs",
        "docker run --privileged lb modprobe ip_vs",
    ],
)
def test_a_command_that_loads_ip_vs_past_the_hook_is_a_doubt(command: str) -> None:
    places = (
        unit(command),
        {"/etc/rc.local": f"#!/bin/sh\n{command}"},
        {"/etc/crontab": f"@reboot root {command}"},
        {"/etc/sysconfig/modules/ipvs.modules": command},
    )
    for writers in places:
        verdict, why = judge_reload(host(HOOKED, writers, wanted=WANTED), Policy())
        assert (verdict, next(iter(writers)) in why) == (Verdict.INCONCLUSIVE, True), writers
    assert booted(host(HOOKED, unit(command))).holds(off) is True  # nothing starts the unit


@pytest.mark.parametrize(
    "command",
    [
        "/sbin/modprobe ip_vs",
        "/sbin/modprobe -v -- ip_vs",
        "/sbin/modprobe -a ip_vs ip_vs_rr nf_conntrack",
        "modprobe -i nf_conntrack; modprobe ip_vs",
        "/sbin/modprobe -r ip_vs",
        "/sbin/modprobe -i ip_vs_rr",  # the modules that it needs keep their hooks, modprobe(8)
        "insmod /lib/modules/6.1.0/kernel/net/netfilter/ipvs/ip_vs_rr.ko",  # ip_vs must be there
        "modprobe -n -i ip_vs",
    ],
)
def test_a_load_that_runs_the_hook_is_no_doubt(command: str) -> None:
    assert not loads_past_hook(command)
    drop_in = {"/etc/systemd/system/kubelet.service.d/ipvs.conf": f"ExecStartPre=-{command}"}
    wanted = (("kubelet.service", "multi-user.target.wants"),)
    for writers in (drop_in, {"/etc/rc.local": f"{command}\n/sbin/sysctl -p"}):
        assert judge_reload(host(HOOKED, writers, wanted=wanted), Policy())[0] is Verdict.PASS


def test_a_load_past_the_hook_does_not_matter_where_the_value_is_written_after_it() -> None:
    bypass = "/sbin/modprobe -i ip_vs"
    both = host(HOOKED, unit(bypass, SETS.format(0)), wanted=WANTED)
    assert booted(both).holds(off) is True
    drop_in = {"/etc/sysctl.d/90-ipvs.conf": OFF, **EARLY}
    assert booted(host(drop_in, unit(bypass), wanted=WANTED)).holds(off) is True
    by_hook_alone = {CONF: OFF, HOOK: RECIPE, **EARLY}
    assert booted(host(by_hook_alone, unit(bypass), wanted=WANTED)).holds(off) is None


UNKNOWN = {
    "a variable": {"/etc/rc.local": f"#!/bin/sh\nVALUE=1\necho $VALUE > {KEY}"},
    "a variable that is not brought": {"/etc/rc.local": f"echo $VALUE > {KEY}"},
    "a file": unit(f"/bin/cp /etc/est.val {KEY}"),
    "systemd's variable": unit("/sbin/sysctl -w net.ipv4.vs.run_estimation=${EST}"),
    "the key's name in a variable": {"/etc/rc.local": f"F={KEY}\ncat /x > $F"},
    "a program": {"/etc/cron.daily/x": "/usr/local/sbin/set-key net.ipv4.vs.run_estimation 1"},
    "tee": {"/etc/rc.local": f"cat /etc/est.val | tee {KEY}"},
    "dd": {"/etc/rc.local": f"dd if=/etc/est.val of={KEY}"},
    "a right value before it": {"/etc/rc.local": f"{SETS.format(0)}; cp /etc/est.val {KEY}"},
    "in a condition": {"/etc/rc.local": f'if [ -e {KEY} ]; then cat /x > "{KEY}"; fi'},
    "tuned's variable": {"/etc/init.d/x": "net.ipv4.vs.run_estimation=${value}"},
}


@pytest.mark.parametrize("writers", UNKNOWN.values(), ids=UNKNOWN)
def test_a_command_that_gives_the_key_an_unknown_value_is_a_doubt(writers: dict[str, str]) -> None:
    verdict, why = judge_reload(host(HOOKED, writers, wanted=WANTED), Policy())
    assert (verdict, next(iter(writers)) in why) == (Verdict.INCONCLUSIVE, True), why
    # Without the hook it may be what sets the right value.
    if "/etc/cron.daily/x" not in writers:
        assert booted(host({CONF: OFF}, writers, wanted=WANTED)).holds(off) is None


@pytest.mark.parametrize(
    "command",
    [
        f"cat {KEY}",
        f"if [ -f {KEY} ]; then logger there; fi",
        f"while ! [ -e {KEY} ]; do sleep 1; done",
        "/sbin/sysctl net.ipv4.vs.run_estimation > /var/lib/metrics/est.prom",
        "sysctl -a | grep -q run_estimation",
        f'test "$(cat {KEY})" = 0 || logger "run_estimation is on"',
    ],
)
def test_a_command_that_only_reads_the_key_is_no_doubt(command: str) -> None:
    for path in ("/etc/rc.local", "/etc/cron.daily/x"):
        assert judge_reload(host(HOOKED, {path: command}), Policy())[0] is Verdict.PASS


def test_a_unit_s_condition_on_the_key_and_a_pod_s_own_value_are_no_doubt() -> None:
    writers = {
        UNIT: f"ConditionPathExists={KEY}\nType=oneshot\nExecStart=/sbin/sysctl -w vm.swappiness=1",
        "/etc/kubernetes/manifests/lb.yaml": "    - name: net.ipv4.vs.run_estimation",
    }
    assert judge_reload(host(HOOKED, writers, wanted=WANTED), Policy())[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/cron.d/x", f"*/5 * * * *\troot\t{SETS.format(1)}"),
        ("/etc/cron.d/x", f"@hourly\troot {SETS.format(1)}"),
        ("/etc/crontab", "*/5 * * * *\troot\t/sbin/sysctl -p /etc/tune.conf"),
        ("/etc/anacrontab", "1\t5\ttune\t/sbin/sysctl -p /etc/tune.conf"),
        ("/etc/anacrontab", f"@monthly 5 tune {SETS.format(1)}"),
        ("/etc/tmpfiles.d/x.conf", f"w {KEY} - - - - 1"),
        ("/etc/tmpfiles.d/x.conf", "w! /proc/sys/net/ipv4/vs/run_* - - - - 1"),
        ("/usr/lib/tmpfiles.d/x.conf", "L+ /etc/sysctl.d/90-x.conf - - - - /opt/x.conf"),
        ("/usr/lib/tmpfiles.d/x.conf", "r! /etc/modprobe.d/ipvs.conf"),
    ],
)
def test_crontabs_with_tabs_anacron_and_tmpfiles_are_read(path: str, text: str) -> None:
    lines = boot_file("/etc/tune.conf", "net.ipv4.vs.run_estimation=1").lines
    about = host(
        HOOKED, {path: text}, named=("/etc/tune.conf",), settings={"/etc/tune.conf": lines}
    )
    assert f"{path}:1" in booted(about).doubt


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("est@.service", {"wanted": (("est@1.service", "multi-user.target.wants"),)}),
        ("est@1.service.d/x.conf", {"wanted": (("est@1.service", "multi-user.target.wants"),)}),
        ("getty@.service.d/x.conf", {"wanted": (("getty@tty1.service", "getty.target.wants"),)}),
        ("user@.service.d/x.conf", {}),
        ("service.d/x.conf", {}),
        ("systemd-.service.d/x.conf", {}),
        ("kmod.service.d/x.conf", {}),
        ("procps.service.d/x.conf", {}),
        ("systemd-sysctl.service.d/x.conf", {}),
        (
            "sshd.service.d/x.conf",
            {
                "aliases": (("sshd.service", "ssh.service"),),
                "wanted": (("ssh.service", "multi-user.target.wants"),),
            },
        ),
        (
            "tuneup.service",
            {
                "starts": (("nightly.timer", "tuneup.service"),),
                "wanted": (("nightly.timer", "timers.target.wants"),),
            },
        ),
        ("tuneup.service", {"wanted": (("tuneup.path", "multi-user.target.wants"),)}),
        ("est.socket", {"wanted": (("est.socket", "sockets.target.wants"),)}),
    ],
)
def test_a_unit_is_started_by_more_than_its_own_name(path: str, more: dict[str, object]) -> None:
    for command in (f"ExecStartPost={SETS.format(1)}", "ExecStartPre=/sbin/modprobe -i ip_vs"):
        path_ = f"/etc/systemd/system/{path}"
        about = host(HOOKED, {path_: f"Type=oneshot\n{command}"}, **more)
        found = booted(about)
        any_time = path == "tuneup.service"
        assert found.holds(off) is None, command
        assert path_ in found.doubt
        if any_time and "sysctl" in command:
            assert path_ in judge_reload(about, Policy())[1]


def test_a_timer_a_template_or_a_name_that_nothing_wants_starts_nothing() -> None:
    one = f"Type=oneshot\nExecStart={SETS.format(1)}"
    for name, more in (
        ("est@.service", {"wanted": (("other@1.service", "multi-user.target.wants"),)}),
        ("tuneup.service", {"starts": (("nightly.timer", "tuneup.service"),)}),
        ("sshd.service.d/x.conf", {"aliases": (("sshd.service", "ssh.service"),)}),
    ):
        about = host(HOOKED, {f"/etc/systemd/system/{name}": one}, **more)
        assert booted(about).holds(off) is True


def test_rc_local_that_may_not_be_executed_does_nothing_where_root_saw_it() -> None:
    for path in ("/etc/rc.local", "/etc/sysconfig/modules/ipvs.modules"):
        about = host(HOOKED, {path: SETS.format(1)}, executable=False)
        for root, expected in ((True, True), (False, None)):
            told = Asked(HostAnswers(), root, about.tree, replace(about.loaders, kmod=28))
            assert booted(replace(about, asked=told)).holds(off) is expected, (path, root)


def test_a_script_that_run_parts_passes_over_is_no_doubt() -> None:
    for path in ("/etc/cron.daily/old", "/etc/NetworkManager/dispatcher.d/90-old"):
        for executable, root, expected in (
            (False, True, True),
            (True, True, None),
            (False, False, None),  # only root sees whether root may execute it
        ):
            about = host(HOOKED, {path: SETS.format(1)}, executable=executable)
            told = Asked(HostAnswers(), root, about.tree, replace(about.loaders, kmod=28))
            assert booted(replace(about, asked=told)).holds(off) is expected, (path, executable)


@pytest.mark.parametrize(
    ("os_id", "name", "holds"),
    [
        ("debian", "old.disabled", True),
        ("debian", "old", None),
        ("centos", "old.disabled", None),  # its run-parts takes other names
    ],
)
def test_run_parts_of_debian_takes_plain_names_only(
    os_id: str, name: str, *, holds: bool | None
) -> None:
    about = host(HOOKED, {f"/etc/cron.daily/{name}": SETS.format(1)})
    about = replace(about, loaders=replace(about.loaders, os_id=os_id))
    assert booted(about).holds(off) is holds


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("systemctl start tune", None),
        ("systemctl --no-block restart x.service tune.service", None),
        ("systemctl stop tune", True),
        ("systemctl is-active tune.service", True),
        ("systemctl start tuner", True),
    ],
)
def test_a_unit_that_a_script_starts_may_run_at_any_time(command: str, *, holds: object) -> None:
    tune = {"/etc/systemd/system/tune.service": f"Type=oneshot\nExecStart={SETS.format(1)}"}
    about = host(HOOKED, {**tune, "/etc/rc.local": f"#!/bin/sh\n{command}"})
    assert after_reload(about, off).holds(off) is holds


def test_a_unit_that_another_file_replaces_or_masks_does_nothing() -> None:
    packaged = UNIT.replace("/etc/", "/usr/lib/")
    for value, holds in ((1, True), (0, False)):
        writers = {packaged: f"Type=oneshot\nExecStart=/sbin/modprobe ip_vs\n{_exec(value)}"}
        files = HOOKED if value else {}
        own = {"ipvs-tune.service": UNIT}
        about = host(files, writers, wanted=WANTED, units=own)
        assert booted(about).holds(off) is holds, "what stands in /etc counts"
        about = host(files, writers, wanted=WANTED, units={"ipvs-tune.service": packaged})
        assert booted(about).holds(off) is not holds


def _exec(value: int) -> str:
    return f"ExecStart={SETS.format(value)}"


@pytest.mark.parametrize("line", ["ConditionPathExists=/x", "ExecStart=", "LimitNOFILE=1"])
def test_a_unit_with_a_drop_in_proves_nothing(line: str) -> None:
    sets = unit("/sbin/modprobe ip_vs", SETS.format(0))
    assert booted(host({}, sets, wanted=WANTED)).holds(off) is True
    found = booted(host({}, {**sets, f"{UNIT}.d/x.conf": line}, wanted=WANTED))
    assert found.holds(off) is None


def test_a_load_past_the_hook_counts_where_ip_vs_is_removed_before() -> None:
    early = {**EARLY, DROP_IN: OFF, HOOK: RECIPE.replace("-p", f"-p {DROP_IN}")}
    for lines, holds in (
        ("/sbin/insmod /lib/ip_vs.ko", True),
        ("rmmod ip_vs\n/sbin/insmod /lib/ip_vs.ko", None),
        ("modprobe -r ip_vs; modprobe -i ip_vs conn_tab_bits=20", None),
    ):
        assert booted(host(early, {"/etc/rc.local": f"#!/bin/sh\n{lines}"})).holds(off) is holds


def test_a_folder_that_tmpfiles_empties_of_old_files_is_a_doubt() -> None:
    for age, holds in (("10d", None), ("-", True)):
        line = f"d /etc/modprobe.d 0755 root root {age}"
        assert booted(host(HOOKED, {"/etc/tmpfiles.d/x.conf": line})).holds(off) is holds


def test_a_credential_on_the_kernel_command_line_is_a_doubt() -> None:
    about = host(HOOKED, {})
    words = ("systemd.set_credential=sysctl.extra:net.ipv4.vs.run_estimation=1",)
    about = replace(about, tree=replace(about.tree, cmdline=words))
    assert words[0] in booted(about).doubt


def test_a_drop_in_with_a_command_that_was_not_brought_proves_nothing() -> None:
    about = host({}, unit("/sbin/modprobe ip_vs", SETS.format(0)), wanted=WANTED)
    path = f"{UNIT}.d/x.conf"
    other = boot_file(path, "", others=(2,))
    files = {**about.boot_files.files, path: other}
    about = replace(about, boot_files=replace(about.boot_files, files=files))
    assert booted(about).holds(off) is None
