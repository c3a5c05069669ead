"""Who reads IPVS statistics: programs, scripts, units and open files, as the probe finds them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from probe_runs import AWKS, SHELLS, run

from ipvs_audit.snapshot.statistics_readers import parse_readers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipvs_audit.snapshot import Section
    from ipvs_audit.snapshot.statistics_readers import StatisticsReader

#: As if ip_vs were loaded, as far as open files go.
LOADED = {"[ ! -e /proc/net/ip_vs_stats ]": "[ ! -e /proc/self ]"}
WAIT = "echo; exec 2>&-; read -r _"


@contextlib.contextmanager
def process(argv: Sequence[str], program: str = "") -> Iterator[int]:
    """One that says a line when it is there and waits for one, and its id."""
    ran = subprocess.Popen(
        argv, executable=program or None, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert ran.stdout is not None
    try:
        ran.stdout.readline()
        yield ran.pid
    finally:
        ran.kill()
        ran.wait()
        ran.stdout.close()


def of(section: Section, pid: int) -> list[StatisticsReader]:
    return [one for one in parse_readers(section).found if one.pid == pid]


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A copy of bash, to be given other names."""
    return Path(shutil.copy(shutil.which("bash") or "", tmp_path / "shell"))


@pytest.mark.parametrize("flags", ["", "--no-collector.ipvs --web.config=hunter2"])
@pytest.mark.parametrize("probe", ["sh", "busybox"])
def test_a_node_exporter_is_found_and_its_flags_are_understood(
    shell: Path, probe: str, flags: str
) -> None:
    program = shell.rename(shell.parent / "node_exporter")
    with process([str(program), "-c", WAIT, "--password=hunter2", *flags.split()]) as pid:
        section = run(SHELLS[probe])["readers"]
    (found,) = of(section, pid)
    assert (found.name, found.found_by) == ("node_exporter", "exe")
    assert found.reads == ("never" if flags else "always")
    assert "hunter2" not in section.output


@pytest.mark.parametrize("probe", ["dash", "busybox"])
def test_names_of_programs_scripts_and_processes(tmp_path: Path, shell: Path, probe: str) -> None:
    script = "print(flush=True); input()"
    (tmp_path / "lvs_exporter.py").write_text(script)
    (tmp_path / "my-ipvs-metrics").write_text(f"#!{sys.executable}\n{script}\n")
    (tmp_path / "my-ipvs-metrics").chmod(0o755)
    alloy = Path(shutil.copy(shell, tmp_path / "alloy"))
    (tmp_path / "kube-router").symlink_to(shell)
    versioned = Path(shutil.copy(shell, tmp_path / "Telegraf-1.30.2"))
    starts = {
        "lvs_exporter": [sys.executable, "-u", str(tmp_path / "lvs_exporter.py"), "--key=hunter2"],
        "a program named for IPVS statistics": [str(tmp_path / "my-ipvs-metrics")],
        "alloy": [str(alloy), "-c", WAIT],
        "telegraf": [str(versioned), "-c", WAIT],
        "kube-router": [str(tmp_path / "kube-router"), "-c", WAIT],
        "keepalived": [str(shell), "-c", f"printf keepalived >/proc/self/comm; {WAIT}"],
        "grafana-agent": ["sh", "-c", f"bash -c '{WAIT}'; :", "-", "grafana-agent"],
        "ipvsadm --stats or --rate": ["sh", "-c", f"{WAIT}; ipvsadm -Ln --rate"],
        "a reader of ip_vs_stats": ["sh", "-c", f"{WAIT}; cat /proc/net/ip_vs_stats"],
        "": [str(shell), "-c", WAIT, "--config", "/etc/alloy/config"],
    }
    with contextlib.ExitStack() as stack:
        pids = {name: stack.enter_context(process(argv)) for name, argv in starts.items()}
        section = run(SHELLS[probe])["readers"]
    assert {name: [one.name for one in of(section, pid)] for name, pid in pids.items()} == {
        name: [name] if name else [] for name in starts
    }
    assert "hunter2" not in section.output


@pytest.mark.skipif(os.getuid() != 0, reason="what others hold open is root's to see")
@pytest.mark.parametrize("probe", ["dash", "busybox"])
def test_a_file_of_statistics_that_is_held_open_in_another_mount_namespace(
    tmp_path: Path, shell: Path, probe: str
) -> None:
    # In place of the kernel's: this machine may have no ip_vs. A name that holds one is none.
    (tmp_path / "proc").mkdir()
    script = (
        f"mount -t tmpfs none {tmp_path}/proc && cd {tmp_path}/proc || exit;"
        f" : >ip_vs_stats; : >ip_vs_stats.bak; exec 8<$0; {WAIT}"
    )
    with (
        process(["unshare", "-m", str(shell), "-c", script, "ip_vs_stats"]) as reader,
        process(["unshare", "-m", str(shell), "-c", script, "ip_vs_stats.bak"]) as other,
    ):
        section = run(SHELLS[probe], instead=LOADED)["readers"]
    assert [one.found_by for one in of(section, reader)] == ["file"]
    assert not of(section, other)


UNITS = {
    "system.slice/lvs\\x2dexporter.service": "lvs_exporter",
    "lxc.payload.netdata": "netdata",
    "machine.slice/libpod-alloy.scope": "alloy",
    "system.slice/system-x.slice/prometheus-node-exporter@a.service": "node_exporter",
    "netdata.slice/other.service": "",
    "system.slice/lvm2-lvmpolld.service": "",
}


def units(folder: Path, *names: str, pid: str = "7\n") -> None:
    for name in names:
        (folder / "cgroup" / name).mkdir(parents=True)
        (folder / "cgroup" / name / "cgroup.procs").write_text(pid)


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("name", UNITS)
def test_a_unit_s_or_container_s_name_tells_where_nothing_else_does(
    tmp_path: Path, awk: str, name: str
) -> None:
    units(tmp_path, name)
    found = pretended(tmp_path, awk, "x 0 /proc/7/exe -> /main\n")
    expected = [(UNITS[name], 7, "unit")] if UNITS[name] else []
    assert [(one.name, one.pid, one.found_by) for one in found] == expected


@pytest.mark.parametrize("awk", AWKS)
def test_a_unit_without_a_process_or_with_a_reader_that_was_found_adds_nothing(
    tmp_path: Path, awk: str
) -> None:
    units(tmp_path, "system.slice/node_exporter.service")
    units(tmp_path, "system.slice/netdata.service", pid="")
    (tmp_path / "8").mkdir()
    (tmp_path / "8/comm").write_text("x\n")
    (tmp_path / "8/cmdline").write_text("/node_exporter\0--no-collector.ipvs\0")
    links = "x 0 /proc/7/exe -> /bin/dash\nx 0 /proc/8/exe -> /node_exporter (deleted)\n"
    (found,) = pretended(tmp_path, awk, links)
    assert (found.pid, found.found_by, found.reads) == (8, "exe", "never")


@pytest.mark.parametrize("awk", AWKS)
def test_a_path_cannot_pose_as_another_process(tmp_path: Path, awk: str) -> None:
    links = (
        "x 0 /proc/7/exe\n\n/proc/7/fd:\nx 0 3 -> /tmp/a /proc/8/exe -> /node_exporter\n"
        "x 0 4 -> /tmp/a\\n/proc/9/fd:\nx 0 5 -> /8/net/ip_vs_stats\n"
    )
    (found,) = pretended(tmp_path, awk, links)
    assert (found.pid, found.found_by) == (7, "file")


def pretended(proc: Path, awk: str, links: str) -> list[StatisticsReader]:
    """What the probe says where ls prints those links and /proc is that folder."""
    programs = proc / "bin"
    programs.mkdir()
    (programs / "ls").write_text(f"#!/bin/sh\ncat {proc}/links\n")
    (programs / "awk").write_text(f'#!/bin/sh\nexec {" ".join(AWKS[awk])} "$@"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    (proc / "links").write_text(links)
    instead = {
        'return "/proc/" pid': f'return "{proc}/" pid',
        "/sys/fs/cgroup": str(proc / "cgroup"),
    }
    return list(parse_readers(run(first=programs, instead=instead)["readers"]).found)


def test_hundreds_of_readers_are_counted_up_to_five_of_a_kind(tmp_path: Path) -> None:
    links = "".join(f"x 0 /proc/{pid}/exe -> /netdata\n" for pid in range(1, 300))
    found = pretended(tmp_path, "awk", links)
    assert [one.pid for one in found] == [1, 2, 3, 4, 5]


def test_open_files_are_left_out_where_there_are_too_many(tmp_path: Path) -> None:
    (tmp_path / "file-nr").write_text("40000\t0\t100000\n")
    readers = parse_readers(
        run(instead=LOADED | {"/proc/sys/fs/file-nr": str(tmp_path / "file-nr")})["readers"]
    )
    assert any("open files" in gap for gap in readers.gaps)


@pytest.mark.parametrize("probe", ["sh", "busybox"])
def test_the_probe_does_not_find_itself(probe: str) -> None:
    section = run(SHELLS[probe], way="argument")["readers"]
    assert not [one for one in parse_readers(section).found if one.found_by == "argument"]
