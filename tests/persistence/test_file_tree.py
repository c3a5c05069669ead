"""A file tree on disk: links stay inside, hostile files are never opened, programs are found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from configured import OFF, ON

from ipvs_audit.persistence.tree_on_disk.loaders import detect_loaders
from ipvs_audit.persistence.tree_on_disk.root import LARGEST, Root
from ipvs_audit.persistence.tree_on_disk.tree import read_tree

if TYPE_CHECKING:
    from pathlib import Path


def put(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def link(root: Path, path: str, target: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to(target)


def test_links_are_followed_inside_the_tree_only(tmp_path: Path) -> None:
    put(tmp_path, "opt/real.conf", OFF)
    link(tmp_path, "etc/sysctl.d/10-absolute.conf", "/opt/real.conf")
    link(tmp_path, "etc/sysctl.d/20-climbing.conf", "../../../../../../../../opt/real.conf")
    link(tmp_path, "etc/sysctl.d/30-host.conf", "/etc/hostname")
    link(tmp_path, "etc/sysctl.d/40-null.conf", "/dev/null")
    link(tmp_path, "lib", "usr/lib")
    put(tmp_path, "usr/lib/sysctl.d/50-x.conf", ON)
    files = read_tree(tmp_path).files
    assert files["/etc/sysctl.d/10-absolute.conf"].real == "/opt/real.conf"
    assert files["/etc/sysctl.d/20-climbing.conf"].real == "/opt/real.conf"
    assert files["/etc/sysctl.d/30-host.conf"].real == ""
    assert files["/etc/sysctl.d/40-null.conf"].masks
    assert files["/lib/sysctl.d/50-x.conf"].real == "/usr/lib/sysctl.d/50-x.conf"


def test_loops_of_links_lead_nowhere(tmp_path: Path) -> None:
    link(tmp_path, "etc/sysctl.d/a.conf", "b.conf")
    link(tmp_path, "etc/sysctl.d/b.conf", "a.conf")
    link(tmp_path, "etc/modprobe.d", "modprobe.d")
    files = read_tree(tmp_path).files
    assert {file.real for file in files.values()} == {""}


def test_pipes_devices_directories_and_huge_files_are_not_opened(tmp_path: Path) -> None:
    directory = tmp_path / "etc/sysctl.d"
    (directory / "directory.conf").mkdir(parents=True)
    os.mkfifo(directory / "pipe.conf")
    link(tmp_path, "etc/sysctl.d/zero.conf", "/dev/zero")
    with (directory / "huge.conf").open("wb") as huge:
        huge.truncate(LARGEST * 4096)
    found = read_tree(tmp_path)
    reasons = dict(entry.split(": ") for entry in found.unreadable)
    assert reasons["/etc/sysctl.d/pipe.conf"] == "not a regular file"
    assert reasons["/etc/sysctl.d/directory.conf"] == "not a regular file"
    assert reasons["/etc/sysctl.d/huge.conf"].startswith("larger than")
    assert all(not file.lines for file in found.files.values())


def test_programs_are_told_from_the_files_of_a_tree(tmp_path: Path) -> None:
    put(tmp_path, "usr/sbin/sysctl", "")
    put(tmp_path, "usr/lib/x86_64-linux-gnu/libprocps.so.8.0.3", "")
    put(tmp_path, "usr/lib/systemd/systemd-sysctl", "")
    put(tmp_path, "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-247.so", "")
    link(tmp_path, "etc/systemd/system/systemd-sysctl.service", "/dev/null")
    loaders = detect_loaders(tmp_path)
    assert (loaders.procps, loaders.systemd_version) == ((3, 3, 17), 247)
    assert loaders.masked_units == ("systemd-sysctl.service",)


def test_busybox_is_told_by_its_links(tmp_path: Path) -> None:
    put(tmp_path, "bin/busybox", "")
    link(tmp_path, "sbin/sysctl", "/bin/busybox")
    link(tmp_path, "sbin/modprobe", "../bin/busybox")
    loaders = detect_loaders(tmp_path)
    assert (loaders.sysctl_kind, loaders.kmod, loaders.init) == ("busybox", None, "")


def test_the_root_itself_is_a_path(tmp_path: Path) -> None:
    assert Root(tmp_path).real("/..") == "/"


def test_files_that_no_loader_reads_are_told_where_they_concern_ip_vs(tmp_path: Path) -> None:
    put(tmp_path, "etc/sysctl.d/ipvs.cnf", OFF)
    put(tmp_path, "etc/sysctl.d/README.sysctl", "such as net.ipv4.vs.run_estimation\n")
    put(tmp_path, "etc/modprobe.d/old.alias", "install ip_vs /bin/true\n")
    put(tmp_path, "etc/modeprobd.d/ipvs.conf", "install ip_vs /bin/true\n")
    link(tmp_path, "etc/sysctl.d/loop", "loop")
    assert read_tree(tmp_path).ignored == ("/etc/sysctl.d/ipvs.cnf", "/etc/modeprobd.d/ipvs.conf")
