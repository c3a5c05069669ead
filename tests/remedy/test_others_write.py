"""Where users other than root can write, root does not: ACLs, links and what is above them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from changing import RUN, Box, write

from ipvs_audit.probe import script

if TYPE_CHECKING:
    from collections.abc import Iterator


ATTACKER = 65533
CONF, HOOK = "/etc/sysctl.conf", "/etc/modprobe.d/ipvs.conf"
OLD, NEW, LINE = b"vs = 1\n", b"vs = 0\n", b"# hook\n"
STEPS = (write(CONF, OLD, NEW), write(HOOK, None, LINE))
SHELLS = [["dash"], ["bash"], ["busybox", "sh"]]
REFUSED = "users other than root can write there"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can own what root may write to"
)
every_shell = pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])


@pytest.fixture
def shell() -> list[str]:
    """The shell of a test that needs no more than one."""
    return SHELLS[0]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.put(CONF, OLD)
    return made


def refused(box: Box, shell: list[str], culprit: Path) -> None:
    """Nothing is changed, and the answer names the directory that is to be given to root."""
    before = box.listing()
    report = box.apply(STEPS, shell=shell)
    assert f"give {culprit} to root alone" in report.problem, (report, box.said)
    assert REFUSED in report.problem
    assert report.steps[-1].outcome == "failed"
    assert box.listing() == before


def accepted(box: Box, shell: list[str]) -> None:
    run = f"r{time.monotonic_ns()}"
    report = box.apply(STEPS, shell=shell, run=run)
    assert [one.outcome for one in report.steps] == ["written", "written"], (report, box.said)
    assert box.undo(shell=shell, run=run).undo_complete


def set_acl(path: Path, entry: str) -> None:
    if shutil.which("setfacl") is None:
        pytest.skip("no setfacl here")
    if subprocess.run(["setfacl", "-m", entry, path], check=False).returncode:
        pytest.skip("no ACL on this file system")


@every_shell
def test_an_acl_that_lets_another_user_write_is_refused(box: Box, shell: list[str]) -> None:
    """The mode shows its mask in the group's place, and the group is root's."""
    folder = box.path("/etc/modprobe.d")
    set_acl(folder, f"u:{ATTACKER}:rwx")
    assert (folder.stat().st_mode & 0o777, folder.stat().st_gid) == (0o775, 0)
    refused(box, shell, folder)


def test_an_acl_above_is_refused(box: Box, shell: list[str]) -> None:
    set_acl(box.path("/etc"), f"u:{ATTACKER}:rwx")
    refused(box, shell, box.path("/etc"))


def test_an_acl_that_lets_nobody_write_is_no_obstacle(box: Box, shell: list[str]) -> None:
    set_acl(box.path("/etc/modprobe.d"), f"u:{ATTACKER}:rx")
    accepted(box, shell)


def test_where_ls_cannot_be_known_to_tell_of_an_acl_the_group_is_not_trusted(
    box: Box, shell: list[str]
) -> None:
    folder = box.path("/etc/modprobe.d")
    folder.chmod(0o775)
    box.swap = {"ls --version": "busybox ls --version"}
    refused(box, shell, folder)
    folder.chmod(0o755)
    accepted(box, shell)


def test_busybox_alone_does(box: Box, tmp_path: Path, shell: list[str]) -> None:
    """Its ls tells of no ACL: what the group may write to is refused."""
    programs = tmp_path / "bin"
    programs.mkdir()
    if shutil.which("busybox") is None:
        pytest.skip("no busybox here")
    subprocess.run(["busybox", "--install", "-s", programs], check=True)
    box.swap = {"PATH=/usr/sbin:": f"PATH={programs}:", "export LC_ALL PATH": "PATH=${PATH%%:*}"}
    accepted(box, shell)
    folder = box.path("/etc/modprobe.d")
    folder.chmod(0o775)
    refused(box, shell, folder)


def moved(box: Box, above: str) -> Path:
    """modprobe.d as a link into another directory, whose path is given back."""
    place = box.root / above
    place.mkdir(parents=True)
    box.path("/etc/modprobe.d").rename(place / "modprobe.d")
    box.path("/etc/modprobe.d").symlink_to(place / "modprobe.d")
    return place


@every_shell
@pytest.mark.parametrize(("mode", "owner"), [(0o755, ATTACKER), (0o777, 0), (0o775, 0)])
def test_what_is_above_a_links_target_is_looked_at(
    box: Box, shell: list[str], mode: int, owner: int
) -> None:
    """Who may write there can put another directory in the place of the target."""
    place = moved(box, "opt/conf")
    accepted(box, shell)
    os.chown(place, owner, 7)
    place.chmod(mode)
    refused(box, shell, place)


@every_shell
def test_every_link_on_the_way_is_looked_at(box: Box, shell: list[str]) -> None:
    """The first link and the last directory are root's, the one between is not."""
    place = moved(box, "opt/conf")
    between = box.root / "home"
    between.mkdir()
    (between / "hop").symlink_to("../opt/conf")
    link = box.path("/etc/modprobe.d")
    link.unlink()
    link.symlink_to("../home/hop/../conf/./modprobe.d/")
    accepted(box, shell)
    os.chown(between, ATTACKER, 0)
    refused(box, shell, between)
    assert place.is_dir()


@every_shell
def test_in_a_sticky_directory_only_roots_own_is_trusted(box: Box, shell: list[str]) -> None:
    """Nobody can move what is root's there; their own they can."""
    place = moved(box, "var/tmp/conf")
    sticky = place.parent
    sticky.chmod(0o1777)
    accepted(box, shell)
    (sticky / "hop").symlink_to(place)
    link = box.path("/etc/modprobe.d")
    link.unlink()
    link.symlink_to(sticky / "hop" / "modprobe.d")
    accepted(box, shell)
    os.chown(sticky / "hop", ATTACKER, 0, follow_symlinks=False)
    refused(box, shell, sticky)


def test_links_that_lead_to_themselves_are_refused(box: Box, shell: list[str]) -> None:
    folder = box.path("/etc/modprobe.d")
    folder.rmdir()
    folder.symlink_to("modprobe.d/..")
    report = box.apply(STEPS, shell=shell)
    assert report.steps[-1].outcome == "failed"
    assert report.complete


def test_a_link_in_the_place_of_the_backups_changes_nothing_where_it_leads(
    box: Box, shell: list[str]
) -> None:
    """Others can write above it; the mode of what they name must stay."""
    victim = box.root / "victim"
    victim.mkdir(mode=0o755)
    spool = box.root / "spool"
    spool.mkdir()
    spool.chmod(0o777)
    box.state = spool / "ipvs-audit"
    box.state.symlink_to(victim)
    report = box.apply(STEPS, shell=shell)
    assert f"give {spool} to root alone" in report.problem
    assert victim.stat().st_mode & 0o777 == 0o755
    assert not list(victim.iterdir())
    assert box.path(CONF).read_bytes() == OLD


def test_undoing_waits_until_the_directory_is_roots_again(box: Box, shell: list[str]) -> None:
    assert box.apply(STEPS, shell=shell).complete
    folder = box.path("/etc/modprobe.d")
    os.chown(folder, ATTACKER, 0)
    before = box.listing()
    report = box.undo(shell=shell)
    assert not report.undo_complete
    assert f"give {folder} to root alone" in report.problem
    assert report.step(1).outcome == "restored"
    assert box.path(HOOK).read_bytes() == LINE
    assert set(box.listing()) == set(before)
    os.chown(folder, 0, 0)
    assert box.undo(shell=shell).undo_complete
    assert not box.path(HOOK).exists()


@every_shell
def test_what_a_directory_gives_new_files_lets_nobody_write_them(
    box: Box, shell: list[str]
) -> None:
    """A default ACL sets the umask aside: whoever opens the file early could write it later."""
    folder = box.path("/etc/modprobe.d")
    set_acl(folder, f"d:u:{ATTACKER}:rwx")
    early = (
        f"( cd '{folder}' && setpriv --reuid={ATTACKER} --regid={ATTACKER} --clear-groups"
        f' sh -c ": >>${{new##*/}}" && touch {box.root}/opened ) || :'
    )
    box.swap = {'chmod 644 "$new"': f'{early}; chmod 644 "$new"; {early}'}
    report = box.apply(STEPS, shell=shell)
    assert report.complete
    assert not (box.root / "opened").exists()
    assert box.path(HOOK).read_bytes() == LINE
    assert [one.outcome for one in report.steps] == ["written", "written"], (report, box.said)


def test_what_the_place_of_the_backups_inherits_lets_nobody_in(box: Box, shell: list[str]) -> None:
    set_acl(box.root, f"d:u:{ATTACKER}:rwx")
    accepted(box, shell)
    assert box.state.stat().st_mode & 0o777 == 0o700


def test_a_new_files_name_cannot_be_guessed(box: Box, shell: list[str]) -> None:
    names = []
    for run in ("r1", "r2"):
        box.swap = {'chmod 644 "$new"': f'echo "$new" >>{box.root}/names; chmod 644 "$new"'}
        assert box.apply(STEPS, shell=shell, run=run).complete
        box.swap = {}
        assert box.undo(shell=shell, run=run).undo_complete
        names = (box.root / "names").read_text().split()
    assert len(set(names)) == 2
    assert not [name for name in names if "r1" in name or RUN in name]


def _swap_for_ever(folder: Path) -> None:
    """A user's own link, turned here and there, and links under the names that might be used."""
    os.chdir(folder)
    os.setgid(ATTACKER)
    os.setuid(ATTACKER)
    number = 0
    while True:
        number += 1
        for target in ("../conf", "../victim"):
            with contextlib.suppress(OSError):
                Path("next").symlink_to(target)
                Path("next").rename("hop")
            with contextlib.suppress(OSError):
                Path(f".ipvs-audit.new.{number}").symlink_to("../victim/shadow")


@pytest.fixture
def attacked(box: Box) -> Iterator[Path]:
    """modprobe.d leads through a directory where an attacker is at work; what it is after."""
    moved(box, "conf")
    victim = box.root / "victim"
    (victim / "modprobe.d").mkdir(parents=True)
    (victim / "shadow").write_text("secret\n")
    (victim / "shadow").chmod(0o600)
    home = box.root / "home"
    home.mkdir()
    (home / "hop").symlink_to("../conf")
    os.chown(home, ATTACKER, 0)
    link = box.path("/etc/modprobe.d")
    link.unlink()
    link.symlink_to("../home/hop/modprobe.d")
    process = multiprocessing.get_context("fork").Process(target=_swap_for_ever, args=(home,))
    process.start()
    yield victim
    process.kill()
    process.join()


def test_an_attacker_who_swaps_links_all_the_time_gets_nothing_written(
    box: Box, attacked: Path, shell: list[str]
) -> None:
    for number in range(12):
        report = box.apply(STEPS, shell=shell, run=f"r{number}")
        assert [one.outcome for one in report.steps] == ["failed"], report
        assert REFUSED in report.problem
    assert not list((attacked / "modprobe.d").iterdir())
    assert not list((box.root / "conf/modprobe.d").iterdir())
    assert (attacked / "shadow").read_text() == "secret\n"
    assert (attacked / "shadow").stat().st_mode & 0o777 == 0o600
    assert box.path(CONF).read_bytes() == OLD


def test_the_way_through_links_is_told_in_its_order(tmp_path: Path, shell: list[str]) -> None:
    tree = Path(os.path.realpath(tmp_path))
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/up").symlink_to("b/..")
    (tree / "top").symlink_to(tree / "a")
    asked = f'{script.root_only_function()}\nwalk "$1"; echo "$way"; echo "$real $hops"'
    ran = subprocess.run(
        [*shell, "-c", f"nl='\n'\n{asked}", "-", f"{tree}/top//./up/b/new"],
        capture_output=True,
        text=True,
        check=True,
    )
    *way, real = ran.stdout.split("\n")[:-1]
    above = [str(one) for one in reversed(tree.parents)]
    assert way == [
        *above,
        str(tree),
        f"{tree}/top",
        *above,
        str(tree),
        f"{tree}/a",
        f"{tree}/a/up",
        f"{tree}/a/b",
        f"{tree}/a",
        f"{tree}/a/b",
        f"{tree}/a/b/new",
    ]
    assert real == f"{tree}/a/b/new {len(way)}"
