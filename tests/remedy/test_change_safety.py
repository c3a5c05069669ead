"""What could go wrong on a host: others' hands, full disks, missing tools, locks of the dead."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from changing import RUN, Box, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.remedy.script_answers import ScriptResult

CONF, HOOK = "/etc/sysctl.conf", "/etc/modprobe.d/ipvs.conf"
OLD, NEW, LINE = (
    b"net.ipv4.vs.run_estimation = 1\n",
    b"net.ipv4.vs.run_estimation = 0\n",
    b"# hook\n",
)
STEPS = (write(CONF, OLD, NEW), write(HOOK, None, LINE))
LABEL = b"system_u:object_r:system_conf_t:s0\0"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.put(CONF, OLD)
    return made


def words(report: ScriptResult) -> list[str]:
    """The kinds of the notes, then the outcomes of the steps."""
    return [*(note.kind for note in report.notes), *(one.outcome for one in report.steps)]


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def living() -> str:
    """A lock's target that names this process."""
    stat = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
    return f"{os.getpid()}.{stat[19]}.{boot_id()}.run-other"


def dead(run: str) -> str:
    return f"{os.getpid()}.1.{boot_id()}.run-{run}"


def test_owner_mode_acl_label_and_times_are_kept_and_come_back(box: Box) -> None:
    path = box.path(CONF)
    os.chown(path, 1000, 1000)
    path.chmod(0o600)
    if shutil.which("setfacl") is None:
        pytest.skip("no setfacl here")
    if subprocess.run(["setfacl", "-m", "u:12:r", path], check=False).returncode:
        pytest.skip("no ACL on this file system")
    with contextlib.suppress(OSError):
        os.setxattr(path, "security.selinux", LABEL)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))

    def seen() -> tuple[object, ...]:
        about = path.stat()
        acl = subprocess.run(["getfacl", "-nc", path], capture_output=True, check=True).stdout
        extra = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        return about.st_uid, about.st_gid, about.st_mode, acl, extra

    before, at = seen(), path.stat().st_mtime_ns
    assert b"user:12:r" in before[3]  # type: ignore[operator]
    assert words(box.apply(STEPS)) == ["written", "written"], box.said
    assert path.read_bytes() == NEW
    assert seen() == before
    assert box.undo().undo_complete
    assert (path.read_bytes(), seen(), path.stat().st_mtime_ns) == (OLD, before, at)


@pytest.mark.parametrize("where", ["$rundir/file.$1", "$new"])
def test_a_copy_that_loses_the_owner_is_not_used(box: Box, where: str) -> None:
    os.chown(box.path(CONF), 1000, 1000)
    before = box.listing()
    box.swap = {f'cp -a "$4" "{where}"': f'cp "$4" "{where}"'}
    report = box.apply(STEPS)
    assert "owner" in report.problem
    assert box.listing() == before
    assert words(report)[-1] != "written"


@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o1777, 0), (0o755, 1000), (0o775, 0)])
def test_a_directory_that_others_write_to_is_not_written_to(
    box: Box, mode: int, owner: int
) -> None:
    """Who may write there could put a link in the place of the file that root writes."""
    folder = box.path("/etc/modprobe.d")
    folder.chmod(mode)
    os.chown(folder, owner, 5 if mode == 0o775 else 0)
    victim = box.put("/etc/shadow", b"secret\n")
    (folder / f".ipvs-audit.{RUN}.2.new").symlink_to(victim)
    before = box.listing()
    report = box.apply(STEPS)
    assert "users other than root can write there" in report.problem
    assert "unchanged" in words(report)
    assert box.listing() == before


def test_nothing_is_kept_where_others_write(box: Box) -> None:
    """Who may write there could plant a backup, and undoing would put it into /etc."""
    box.state.mkdir()
    os.chown(box.state, 1000, 0)
    before = box.listing()
    for report in (box.apply(STEPS), box.undo()):
        assert f"so backups in {box.state} are not safe" in report.problem
    assert box.listing() == before


def test_a_directory_of_roots_group_may_be_written_by_it(box: Box) -> None:
    box.path("/etc/modprobe.d").chmod(0o775)
    assert words(box.apply(STEPS)) == ["written", "written"]


def test_a_file_that_changes_while_it_is_replaced_is_left_and_the_run_may_begin_again(
    box: Box,
) -> None:
    copy = 'cp -a "$4" "$new"'
    box.swap = {copy: f'echo x >>"$4"; {copy}'}
    report = box.apply(STEPS)
    assert words(report) == ["unchanged", "changed"]
    assert report.plan_outdated
    assert not (box.state / RUN).exists()
    box.swap = {}
    now = OLD + b"x\n"
    assert words(box.apply((write(CONF, now, NEW), STEPS[1]))) == ["written", "written"]
    assert box.undo().undo_complete
    assert box.path(CONF).read_bytes() == now


def test_what_is_edited_while_it_is_put_back_is_left(box: Box) -> None:
    box.apply(STEPS)
    box.swap = {
        'why="$4 was changed meanwhile"': 'echo mine >>"$4"; why="$4 was changed meanwhile"'
    }
    report = box.undo()
    assert not report.undo_complete
    assert "was changed meanwhile" in report.problem
    assert box.path(CONF).read_bytes() == NEW + b"mine\n"


def test_undoing_a_run_again_leaves_a_later_run_alone(box: Box) -> None:
    assert box.apply(STEPS, run="r1").complete
    assert box.undo(run="r1").undo_complete
    assert box.apply(STEPS, run="r2").complete
    report = box.undo(run="r1")
    assert words(report) == ["already", "already"]
    assert box.path(CONF).read_bytes() == NEW
    assert box.undo(run="r2").undo_complete
    assert box.path(CONF).read_bytes() == OLD


def test_a_run_of_the_same_name_by_another_controller_is_not_undone(box: Box) -> None:
    assert box.apply(STEPS).complete
    report = box.undo(by="ops@elsewhere process 7")
    assert not report.undo_complete
    assert "by ops@controller 1 did" in report.problem
    assert box.path(CONF).read_bytes() == NEW


def test_a_backup_without_a_manifest_is_kept(box: Box) -> None:
    box.apply(STEPS)
    (box.state / RUN / "manifest").rename(box.state / "elsewhere")
    report = box.undo()
    assert words(report) == ["nothing"]
    assert (box.state / RUN / "file.1").read_bytes() == OLD


@pytest.mark.parametrize("act", ["apply", "undo"])
def test_a_missing_tool_stops_all(box: Box, act: str) -> None:
    box.apply(STEPS)
    box.swap = {"for tool in awk ": "for tool in no-such-tool "}
    before = box.listing()
    report = box.undo() if act == "undo" else box.apply((write(CONF, NEW, OLD),), run="r2")
    assert "no-such-tool is missing on this host" in report.problem
    assert not report.undo_complete
    assert box.listing() == before


def test_a_disk_too_full_for_a_lock_is_said_and_does_not_hang(box: Box) -> None:
    box.state.mkdir()
    full = ["mount", "-t", "tmpfs", "-o", "nr_inodes=1,mode=700", "none", box.state]
    if subprocess.run(full, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        report = box.apply(STEPS)
    finally:
        subprocess.run(["umount", box.state], check=True)
    assert "the lock cannot be created" in report.problem
    assert box.path(CONF).read_bytes() == OLD


def test_a_lock_whose_heir_died_too_is_taken_over(box: Box) -> None:
    box.state.mkdir()
    (box.state / "lock").symlink_to(dead("first"))
    (box.state / f"lock.after.{dead('first')}").symlink_to(dead("second"))
    report = box.apply(STEPS)
    assert words(report) == ["stale", "written", "written"], (report, box.said)
    assert not [name for name in os.listdir(box.state) if name.startswith("lock")]  # noqa: PTH208


def test_a_dead_ones_lock_is_left_to_its_living_heir(box: Box) -> None:
    box.state.mkdir()
    (box.state / "lock").symlink_to(dead("first"))
    (box.state / f"lock.after.{dead('first')}").symlink_to(living())
    assert words(box.apply(STEPS)) == ["locked"]
    assert (box.state / "lock").readlink() == Path(dead("first"))


def test_of_many_that_find_a_dead_ones_lock_one_at_a_time_is_at_work(box: Box) -> None:
    """Each writes down when it holds the lock; no two overlap, and nothing is left behind."""
    box.state.mkdir()
    (box.state / "lock").symlink_to(dead("first"))
    trace = box.root / "trace"
    act = "mode=check touched=0"
    box.swap = {act: f"echo in $$ >>{trace}; sleep 0.2; echo out $$ >>{trace}; return"}
    threads = [
        threading.Thread(target=box.apply, args=(STEPS,), kwargs={"run": f"r{number}"})
        for number in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    told = trace.read_text().split("\n")[:-1]
    assert len(told) >= 2
    for entered, left in zip(told[::2], told[1::2], strict=True):
        assert re.sub("^in", "out", entered) == left, told
    assert not [name for name in os.listdir(box.state) if name.startswith("lock")]  # noqa: PTH208


@pytest.fixture(autouse=True)
def _nothing_left(box: Box) -> Iterator[None]:
    yield
    assert not [name for name in box.listing() if ".new" in name and "modprobe.d" not in name]


def test_a_clock_that_jumps_between_change_and_rollback_changes_nothing(box: Box) -> None:
    """Whatever `date` says, it is only told."""
    before = box.put("/etc/sysctl.conf", b"a = 1\n").read_bytes()
    clock = "date -u +%Y-%m-%dT%H:%M:%SZ"
    box.swap = {clock: "echo 1970-01-01T00:00:00Z"}
    done = box.apply([write("/etc/sysctl.conf", before, b"a = 1\nb = 0\n")])
    assert [answer.outcome for answer in done.steps] == ["written"], box.said
    box.swap = {clock: "echo 2100-01-01T00:00:00Z"}
    assert box.undo().undo_complete, box.said
    assert box.path("/etc/sysctl.conf").read_bytes() == before
