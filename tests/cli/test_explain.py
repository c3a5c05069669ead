"""Explaining a file tree on disk: links stay inside, hostile files are never opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from configured import OFF, ON, RECIPE, SCENARIOS

from ipvs_audit.cli import explain
from ipvs_audit.persistence.file_root import LARGEST, Root
from ipvs_audit.persistence.file_tree import read_tree
from ipvs_audit.persistence.tree_loaders import detect_loaders
from ipvs_audit.snapshot import Failure, store

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = SCENARIOS.parent / "recordings"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A small root with the recipe."""
    put(tmp_path, "etc/sysctl.conf", OFF)
    put(tmp_path, "etc/sysctl.d/90-ipvs.conf", ON)
    put(tmp_path, "etc/modprobe.d/ipvs.conf", RECIPE)
    return tmp_path


def put(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def link(root: Path, path: str, target: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to(target)


def test_the_winner_is_marked_and_both_answers_are_given(
    image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert explain.main([str(image)]) == 0
    told = capsys.readouterr().out
    assert "wins │ /etc/sysctl.conf:1" in told
    assert "/etc/sysctl.conf:1 is read after it" in told
    assert "after a reload: 0: /etc/modprobe.d/ipvs.conf:1 runs '/sbin/sysctl -p'" in told
    assert "after a boot: 0: ip_vs is loaded on demand" in told


def test_one_loader_and_another_key(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(image, "etc/sysctl.d/10-x.conf", "kernel.panic = 7\n")
    assert explain.main([str(image), "--loader", "systemd-sysctl", "--key", "kernel/panic"]) == 0
    told = capsys.readouterr().out
    assert "kernel.panic = 7" in told
    assert "sysctl -p" not in told
    assert "after a reload" not in told


def test_an_older_procps_can_be_asked_for(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(image, "etc/sysctl.conf", "net.ipv4.*.run_estimation = 0\n")
    explain.main([str(image), "--loader", "sysctl-p", "--procps", "3.3.17"])
    assert "does not support patterns" in " ".join(
        capsys.readouterr().out.replace("│", " ").split()
    )


def test_a_path_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain.main([str(tmp_path / "none")]) == 4
    assert "none" in capsys.readouterr().err


def test_what_a_tree_holds_does_nothing_to_the_terminal(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(image, "etc/sysctl.conf", "net.ipv4.vs.run_estimation = 0 # \x1b]0;owned\x07\n")
    assert explain.main([str(image)]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "owned" in told


def test_a_host_that_was_not_collected_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.jsonl.gz"
    gone = Failure("gone", "unreachable", "gone: refused", "", "")
    with store.Writer(saved) as writer:
        for one in (gone, *store.read(RECORDINGS / "compliant.jsonl")):
            writer.write(one)
    assert explain.main([str(saved)]) == 4
    told = capsys.readouterr().out
    assert "it was not collected: gone: refused" in told
    assert "wins" in told


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


def test_names_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    directory = tmp_path / "etc/sysctl.d"
    directory.mkdir(parents=True)
    (directory / os.fsdecode(b"\xff\xfe.conf")).write_bytes(b"\xff\x00 = \x80\n")
    assert len(read_tree(tmp_path).files) == 1
    assert explain.main([str(tmp_path)]) == 0


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


@pytest.mark.parametrize(
    "name", ["recipe.pass", "hook-script.inconclusive", "hook-calls-itself.fail"]
)
def test_scenario_folders_can_be_explained(name: str) -> None:
    assert explain.main([str(SCENARIOS / name)]) == 0
