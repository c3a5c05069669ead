"""The probe's search for units that set the key: what comes of them, and what starts them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from late_files import SETS, found, lines, put
from probe_runs import SHELLS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("shell", SHELLS)
def test_a_unit_comes_with_its_order_and_without_its_other_commands(
    tmp_path: Path, shell: str
) -> None:
    path = put(
        tmp_path,
        "etc/systemd/system/ipvs.service",
        "[Unit]\nDescription=x\nAfter=network.target\n# ExecStart=sysctl\n[Service]\nType=oneshot\n"
        "Environment=PASSWORD=hunter2\nExecStart=/sbin/modprobe ip_vs\n"
        "ExecStart=/sbin/sysctl -w \\\n"
        "  net.ipv4.vs.run_estimation=0\nExecStart=/bin/x --token=hunter2\n",
    )
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "ipvs.service").symlink_to(path)
    read = found(tmp_path, shell)
    assert lines(read.files[path]) == [
        (3, "After=network.target"),
        (6, "Type=oneshot"),
        (8, "ExecStart=/sbin/modprobe ip_vs"),
        (9, "ExecStart=/sbin/sysctl -w    net.ipv4.vs.run_estimation=0"),
    ]
    assert read.files[path].others == (11,)
    assert ("ipvs.service", "multi-user.target.wants") in read.wanted
    assert "hunter2" not in repr(read)
    assert list(read.files) == [path]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_units_of_the_loaders_come_with_their_drop_ins(tmp_path: Path, shell: str) -> None:
    units = "usr/lib/systemd/system"
    own = put(tmp_path, f"{units}/systemd-sysctl.service", "ExecStart=/bin/true\n")
    drop_in = put(
        tmp_path, "etc/systemd/system/systemd-sysctl.service.d/a.conf", "ConditionPathExists=/x\n"
    )
    put(tmp_path, f"{units}/systemd-modules-load.service", "ExecStart=/bin/hunter2\n")
    masks = tmp_path / "etc/systemd/system/systemd-modules-load.service"
    masks.symlink_to("/dev/null")
    wants = tmp_path / units / "sysinit.target.wants"
    wants.mkdir()
    (wants / "systemd-sysctl.service").symlink_to(own)
    read = found(tmp_path, shell)
    assert read.units == {
        "systemd-sysctl.service": own,
        "systemd-modules-load.service": str(masks),
    }
    assert read.files[own].others == (1,)
    assert lines(read.files[drop_in]) == [(1, "ConditionPathExists=/x")]
    assert read.wanted == (("systemd-sysctl.service", "sysinit.target.wants"),)
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_starts_a_unit_by_another_name_comes(tmp_path: Path, shell: str) -> None:
    system = "etc/systemd/system/"
    unit = f"[Service]\nExecStart={SETS}\n"
    for name in ("est@.service", "tuneup.service", "est.socket", "sshd.service.d/x.conf"):
        put(tmp_path, system + name, unit)
    put(tmp_path, f"{system}nightly.timer", "[Timer]\nOnBootSec=5s\nUnit=tuneup.service\n")
    put(tmp_path, f"{system}idle.timer", "[Timer]\nUnit=idle.service\n")
    put(tmp_path, f"{system}kmod.service.d/x.conf", "[Service]\nExecStart=/bin/true\n")
    put(tmp_path, "etc/tmpfiles.d/x.conf", "d /run/x\nL+ /etc/sysctl.d/x.conf - - - - /x\n")
    ssh = put(tmp_path, "lib/systemd/system/ssh.service", "[Service]\nExecStart=/bin/sshd\n")
    (tmp_path / system / "sshd.service").symlink_to(ssh)
    wanted = ("est@1.service", "nightly.timer", "est.socket", "ssh.service", "idle.timer")
    wants = tmp_path / system / "multi-user.target.wants"
    wants.mkdir()
    for name in wanted:
        (wants / name).symlink_to("/nowhere")
    read = found(tmp_path, shell)
    assert {name for name, _ in read.wanted} == set(wanted) - {"idle.timer"}
    assert read.starts == (("nightly.timer", "tuneup.service"),)
    assert read.aliases == (("sshd.service", "ssh.service"),)
    names = {path.removeprefix(f"{tmp_path}/") for path in read.files}
    assert f"{system}kmod.service.d/x.conf" in names
    assert lines(read.files[f"{tmp_path}/etc/tmpfiles.d/x.conf"])[0][0] == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_what_else_starts_a_unit_comes(tmp_path: Path, shell: str) -> None:
    units = "etc/systemd/system"
    put(tmp_path, f"{units}/tune.service", f"ExecStart={SETS}\n")
    put(tmp_path, f"{units}/app.service", "Wants=network.target tune.service\nWants=y.service\n")
    put(tmp_path, f"{units}/multi-user.target.d/x.conf", "[Unit]\nUpholds=tune.service\n")
    put(tmp_path, f"{units}/after.service", "After=tune.service\n")
    rule = 'SUBSYSTEM=="net", TAG+="systemd", ENV{SYSTEMD_WANTS}+="tune.service"\n'
    put(tmp_path, "etc/udev/rules.d/9.rules", rule)
    read = found(tmp_path, shell)
    assert set(read.wanted) == {
        ("tune.service", "app.service"),
        ("tune.service", "multi-user.target"),
        ("tune.service", "9.rules"),
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_a_drop_in_that_only_confines_a_unit_comes_with_it(tmp_path: Path, shell: str) -> None:
    put(tmp_path, "usr/lib/systemd/system/keepalived.service", "ExecStart=/usr/sbin/keepalived\n")
    hard = "etc/systemd/system/keepalived.service.d/hard.conf"
    path = put(tmp_path, hard, "ProtectKernelTunables=yes\n")
    os.mkfifo(path.replace("hard", "pipe"))
    put(tmp_path, "etc/systemd/system/ssh.service.d/hard.conf", "ProtectKernelTunables=yes\n")
    read = found(tmp_path, shell)
    assert lines(read.files[path]) == [(1, "ProtectKernelTunables=yes")]
    assert sorted(read.files) == [path, str(tmp_path / "usr/lib/systemd/system/keepalived.service")]


@pytest.mark.parametrize("shell", SHELLS)
def test_which_file_of_a_unit_counts_comes_and_what_starts_it(tmp_path: Path, shell: str) -> None:
    unit = f"Type=oneshot\nExecStart={SETS}\n"
    put(tmp_path, "usr/lib/systemd/system/a.service", unit)
    own = put(tmp_path, "etc/systemd/system/a.service", "ExecStart=/bin/true\n")
    attached = put(tmp_path, "etc/systemd/system.attached/b.service", unit)
    put(tmp_path, "usr/lib/systemd/system/c.service", unit)
    mask = tmp_path / "etc/systemd/system/c.service"
    mask.symlink_to("/dev/null")
    upholds = tmp_path / "etc/systemd/system/multi-user.target.upholds"
    upholds.mkdir()
    (upholds / "b.service").symlink_to(attached)
    cron = put(tmp_path, "etc/cron.d/x", "* * * * * root systemctl restart b\n")
    read = found(tmp_path, shell)
    assert read.units == {"a.service": own, "b.service": attached, "c.service": str(mask)}
    assert ("b.service", "multi-user.target.upholds") in read.wanted
    assert lines(read.files[cron]) == [(1, "* * * * * root systemctl restart b")]


@pytest.mark.parametrize("shell", SHELLS)
def test_of_a_setting_that_may_matter_the_name_comes_and_no_value(
    tmp_path: Path, shell: str
) -> None:
    text = (
        "[Service]\nType=oneshot\nProtectKernelModules=yes\nStandardOutput=journal\n"
        "EnvironmentFile=/etc/hunter2\nEnvironment=A=hunter2 \\\n  B=1\n"
        f"Environment=A=hunter2 MODPROBE_OPTIONS=-i\nExecStart={SETS}\n"
    )
    path = put(tmp_path, "etc/systemd/system/ipvs.service", text)
    read = found(tmp_path, shell)
    assert lines(read.files[path]) == [
        (2, "Type=oneshot"),
        (3, "ProtectKernelModules="),
        (5, "EnvironmentFile="),
        (8, "Environment="),
        (9, f"ExecStart={SETS}"),
    ]
    assert read.files[path].others == ()
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_in_run_neither_masks_nor_wants_a_unit_at_a_boot(
    tmp_path: Path, shell: str
) -> None:
    unit = put(tmp_path, "usr/lib/systemd/system/e.service", f"[Service]\nExecStart={SETS}\n")
    put(tmp_path, "run/systemd/system/e.service", "[Service]\nExecStart=/bin/true\n")
    wants = tmp_path / "run/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "e.service").symlink_to(unit)
    read = found(tmp_path, shell)
    assert read.units == {"e.service": unit}
    run_wants = f"{tmp_path}/run/multi-user.target.wants"  # the probe's /run/
    assert ("e.service", run_wants) in read.wanted


@pytest.mark.parametrize("shell", SHELLS)
def test_drop_ins_of_a_units_prefix_come_with_it(tmp_path: Path, shell: str) -> None:
    put(tmp_path, "etc/systemd/system/ipvs-tune.service", f"[Service]\nExecStart={SETS}\n")
    folders = ("ipvs-.service.d", "ipvs-tune.service.d", "service.d", "other-.service.d")
    paths = [
        put(tmp_path, f"etc/systemd/system/{folder}/x.conf", "[Service]\nUser=nobody\n")
        for folder in folders
    ]
    assert set(paths) & set(found(tmp_path, shell).files) == set(paths[:3])


def test_a_pipe_or_a_copy_of_a_unit_starts_no_other(tmp_path: Path) -> None:
    units = "etc/systemd/system"
    put(tmp_path, f"{units}/tune.service", f"ExecStart={SETS}\n")
    put(tmp_path, f"{units}/old.service.bak", "Wants=tune.service\n")
    os.mkfifo(tmp_path / units / "pipe.service")
    put(tmp_path, "usr/lib/systemd/system/app.service", "Wants=tune.service\n")
    assert found(tmp_path).wanted == (("tune.service", "app.service"),)


def test_a_drop_in_for_all_units_comes_once(tmp_path: Path) -> None:
    for name in ("systemd-sysctl", "systemd-modules-load"):
        put(tmp_path, f"usr/lib/systemd/system/{name}.service", "ExecStart=/bin/true\n")
    path = put(tmp_path, "etc/systemd/system/service.d/x.conf", f"ExecStartPost={SETS}\n")
    assert lines(found(tmp_path).files[path]) == [(1, f"ExecStartPost={SETS}")]
