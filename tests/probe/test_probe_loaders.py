"""What applies settings and loads modules."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from probe_runs import SHELLS, run

from ipvs_audit.snapshot import GarbledEvidenceError, Section
from ipvs_audit.snapshot.account import Account
from ipvs_audit.snapshot.host import Host, parse_loaders
from ipvs_audit.snapshot.kernel import parse_module


def section(name: str, text: str) -> Section:
    return Section(name, "", text, None, 1.0)


@pytest.mark.parametrize("shell", SHELLS)
def test_masked_units_and_the_system_manager(tmp_path: Path, shell: str) -> None:
    units, programs = tmp_path / "etc/systemd/system", tmp_path / "usr/lib/systemd"
    units.mkdir(parents=True)
    programs.mkdir(parents=True)
    (units / "systemd-sysctl.service").symlink_to("/dev/null")
    (units / "kmod.service").touch()
    (units / "procps.service").write_text("[Unit]\n")
    (programs / "systemd-sysctl").touch(0o755)
    (programs / "libsystemd-shared-255.4-1.fc40.so").touch()
    found = parse_loaders(run(SHELLS[shell], root=tmp_path)["loaders"])
    assert set(found.masked_units) == {"systemd-sysctl.service", "kmod.service"}
    assert found.systemd_version == 255
    assert found.systemd_sysctl == f"{programs}/systemd-sysctl"
    assert found.systemd_modules_load is None


#: busybox takes its own sysctl, whatever stands in the search path.
STARTING = [shell for shell in SHELLS if shell != "busybox"]


def program(folder: Path, name: str, *lines: str) -> None:
    """A program that prints lines."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("shell", STARTING)
@pytest.mark.parametrize("version", ["3.3.15", "3.3.17", "4.0.4"])
def test_rpm_is_never_started_for_it_may_write(tmp_path: Path, shell: str, version: str) -> None:
    program(tmp_path / "bin", "sysctl", f"sysctl from procps-ng {version}")
    (tmp_path / "bin/rpm").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "bin/rpm").chmod(0o755)
    found = parse_loaders(run(SHELLS[shell], root=tmp_path, first=tmp_path / "bin")["loaders"])
    assert found.procps_release == ""
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_kernel_s_own_soft_dependencies_of_ip_vs(tmp_path: Path, shell: str) -> None:
    release = Path("/proc/sys/kernel/osrelease").read_text().strip()
    modules = tmp_path / "lib/modules" / release
    modules.mkdir(parents=True)
    line = "softdep ip_vs pre: nf_conntrack"
    (modules / "modules.softdep").write_text(f"# by depmod\nsoftdep ip_vs_x pre: a\n{line}\n")
    found = parse_module(run(SHELLS[shell], root=tmp_path)["module"])
    assert found.softdep == f"3:{line}"


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="needs a host with dpkg")
@pytest.mark.parametrize("shell", STARTING)
def test_dpkg_tells_the_build_without_being_started(tmp_path: Path, shell: str) -> None:
    program(tmp_path / "bin", "sysctl", "sysctl from procps-ng 3.3.17")
    asked = run(SHELLS[shell], first=tmp_path / "bin")["loaders"].output
    query = ["dpkg-query", "-W", "-f", "package=${Package} ${Version}\\n", "procps"]
    assert subprocess.check_output(query, text=True) in asked


@pytest.mark.parametrize(("package", "release"), [
    ("procps-ng 3.3.17-14.el9", "14.el9"),
    ("procps 2:3.3.17-5", "5"),
    ("procps-ng 4.0.4-1", ""),
    ("procps-ng odd", ""),
    ("", ""),
])  # fmt: skip
def test_only_the_package_of_that_version_tells_the_release(package: str, release: str) -> None:
    text = f"sysctl-version=sysctl from procps-ng 3.3.17\npackage={package}\nend\n"
    assert parse_loaders(section("loaders", text)).procps_release == release


@pytest.mark.parametrize(("said", "procps", "kind"), [
    ("sysctl from procps-ng 4.0.2", (4, 0, 2), "procps"),
    ("sysctl from procps-ng 3.3.15", (3, 3, 15), "procps"),
    ("sysctl (procps version 3.2.8)", (3, 2, 8), "procps"),
    ("sysctl from procps-ng 4.0.4.dev", (4, 0, 4), "procps"),
    ("busybox", None, "busybox"),
    ("BusyBox v1.36.1 multi-call binary.", None, "busybox"),
    ("toybox", None, "toybox"),
    ("sysctl: unknown option", None, "unknown"),
    ("sysctl from procps-ng UNKNOWN", None, "procps"),
])  # fmt: skip
def test_versions_of_sysctl(said: str, procps: tuple[int, ...] | None, kind: str) -> None:
    text = f"sysctl=/sbin/sysctl\nsysctl-version={said}\nend\n"
    found = parse_loaders(section("loaders", text))
    assert (found.procps, found.sysctl_kind) == (procps, kind)


@pytest.mark.parametrize(("said", "kmod", "kind"), [
    ("kmod version 30", 30, "kmod"), ("kmod version 31.1", 31, "kmod"),
    ("busybox", None, "busybox"), ("toybox", None, "toybox"), ("", None, "unknown"),
    ("module-init-tools version 3.9", None, "unknown"),
])  # fmt: skip
def test_versions_of_modprobe(said: str, kmod: int | None, kind: str) -> None:
    text = f"modprobe=/sbin/modprobe\nmodprobe-version={said}\nend\n"
    found = parse_loaders(section("loaders", text))
    assert (found.kmod, found.modprobe_kind) == (kmod, kind)


IDENTITY = "uid=0\nuser=root\nticks=3\nblind=no awk\nblind=no stat\n"
HOST = 'uptime=12.50 3.00\nclock=1700000000\npossible=0-3,8\nos ID="alinux"\nos VERSION_ID="3"\n'


def host_of(text: str) -> Host:
    return Host(section("host", text))


def test_a_host() -> None:
    host, account = host_of(HOST), Account(section("identity", IDENTITY))
    assert (host.os_id, host.os_version, host.possible_cpus) == ("alinux", "3", 5)
    assert (host.uptime, host.clock, account.cpu_seconds) == (12.5, 1_700_000_000, 0.03)
    assert account.blind == ("no awk", "no stat")
    assert account.user == "root (uid 0)"


def test_who_is_named_twice_is_not_root() -> None:
    with pytest.raises(GarbledEvidenceError, match="uid is a duplicate"):
        _ = Account(section("identity", "uid=1000\nuser=joe\nsudo-user=x\nuid=0\n")).root


FACTS = ["uptime", "clock", "possible_cpus", "os_id", "os_version", "os_name", "hostname"]


@pytest.mark.parametrize(("old", "new", "spoilt"), [
    ("clock=17", "clock=x17", "clock"), ("uptime=12.50", "uptime=soon", "uptime"),
    ("possible=0-3", "possible=3-0", "possible_cpus"), ("clock=1", "clock=-1", "clock"),
    ("possible=0-3", "possible=0-", "possible_cpus"), ("clock=1700000000\n", "", "clock"),
    ("clock=", "cl@ck=", "clock os_name hostname"), ("os ID", "os  ID", "os_id os_name hostname"),
    ("os ID=", "os ID", "os_id os_name hostname"), ("uptime", "clock=1\nuptime", "clock"),
])  # fmt: skip
def test_a_garbled_line_of_a_host_spoils_what_it_may_have_said(
    old: str, new: str, spoilt: str
) -> None:
    """HOST has no name: a line of no known form may have been that."""
    host, found = host_of(HOST.replace(old, new)), []
    for name in FACTS:
        try:
            getattr(host, name)
        except GarbledEvidenceError:
            found.append(name)
    assert found == spoilt.split()


def test_quoting_of_os_release_is_a_shell_s() -> None:
    plain = HOST.replace('os ID="alinux"', "os ID=alinux")
    assert host_of(plain + "os PRETTY_NAME='It\\'\n").os_name == "It\\"
    assert host_of(plain + 'os PRETTY_NAME="open\n').os_name == '"open'


#: Another process 1, whose mounts are left alone; then what is done in a further mount namespace.
BOXED = ("unshare", "-fpm", "--mount-proc", "sh", "-c", 'unshare -m sh -c "$@"; exit $?', "-")
BOXES = [
    ("true", ""),
    ("mount -t tmpfs none /tmp", ""),
    ("mount --bind /etc /etc && mount -o remount,ro,bind /etc", ""),
    ("mount -t tmpfs none /etc", "/etc"),
    ("mount --bind /usr/bin /usr/sbin", "/usr/sbin"),
]


@pytest.mark.skipif(os.getuid() != 0, reason="making mount namespaces needs root")
@pytest.mark.parametrize(
    ("shell", "setup", "path"),
    [("sh", *box) for box in BOXES] + [(shell, *BOXES[-2]) for shell in SHELLS if shell != "sh"],
)
def test_files_that_process_1_does_not_see_are_told(shell: str, setup: str, path: str) -> None:
    before = (*BOXED, f'{{ {setup}; }} >&2 && exec "$@"', "-")
    found = parse_loaders(run(SHELLS[shell], before=before)["loaders"]).other_root
    expected = f"the probe sees another {path} than process 1 does" if path else ""
    assert found.partition(" (")[0] == expected


@pytest.mark.parametrize(
    ("line", "doubt"),
    [
        ("root=same\n", ""),
        ("root=unread\n", ""),
        ("root=denied\n", "cannot be inspected, even by root"),
        ("root=other /etc\n", "another /etc than process 1"),
        ("", "does not say"),
    ],
)
def test_a_root_that_nothing_vouches_for_is_a_doubt(line: str, doubt: str) -> None:
    found = parse_loaders(section("loaders", f"{line}init=systemd\nend\n")).other_root
    assert doubt in found
    assert bool(found) == bool(doubt)
