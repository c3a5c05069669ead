"""Files are changed whole or not at all, keep what is theirs, and come back byte for byte."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from changing import RUN, Box, write

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [
    argv for argv in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(argv[0]) is not None
]
CONF, HOOK = "/etc/sysctl.conf", "/etc/modprobe.d/ipvs.conf"
OLD = b"# caf\xe9 \\n %s 'q' \"d\" `b` $h\r\nnet.ipv4.vs.run_estimation = 1\r\nlast"
NEW = OLD.replace(b"= 1", b"= 0")
LINE = b"install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p\n"
EVERY_BYTE = bytes(range(256)) * 2

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    path = made.put(CONF, OLD, 0o600)
    os.chown(path, 12, 34)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    return made


STEPS = (write(CONF, OLD, NEW), write(HOOK, None, LINE))


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
def test_apply_then_undo_leaves_no_trace_in_etc(box: Box, shell: list[str]) -> None:
    before = {fine: box.listing(fine=fine) for fine in (True, False)}
    report = box.apply(STEPS, shell=shell)
    assert [answer.outcome for answer in report.steps] == ["written", "written"], (report, box.said)
    assert box.path(CONF).read_bytes() == NEW
    about = box.path(CONF).stat()
    assert (about.st_mode & 0o7777, about.st_uid, about.st_gid) == (0o600, 12, 34)
    assert box.path(HOOK).read_bytes() == LINE
    assert box.path(HOOK).stat().st_mode & 0o7777 == 0o644
    assert box.state.stat().st_mode & 0o7777 == 0o700
    assert not (box.state / "lock").is_symlink()

    report = box.undo(shell=shell)
    assert [answer.outcome for answer in report.steps] == ["restored", "restored"], box.said
    fine = "busybox" not in shell  # its cp keeps whole seconds
    assert box.listing(fine=fine) == before[fine]
    assert [answer.outcome for answer in box.undo(shell=shell).steps] == ["already", "already"]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
def test_every_byte_arrives(box: Box, shell: list[str]) -> None:
    report = box.apply((write(CONF, OLD, EVERY_BYTE),), shell=shell)
    assert report.step(1).outcome.settled, (report, box.said)
    assert box.path(CONF).read_bytes() == EVERY_BYTE


def test_a_link_stays_and_its_file_is_changed(box: Box) -> None:
    box.path("/etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    assert box.apply(STEPS).complete
    assert box.path("/etc/sysctl.d/99-sysctl.conf").is_symlink()
    assert box.path("/etc/sysctl.d/99-sysctl.conf").read_bytes() == NEW


@pytest.mark.parametrize("place", [0, 1])
def test_a_file_that_changed_since_the_plan_stops_all(box: Box, place: int) -> None:
    box.put((CONF, HOOK)[place], b"somebody was faster")
    before = box.listing()
    report = box.apply(STEPS)
    assert report.plan_outdated
    assert [answer.outcome for answer in report.steps] == ["changed"]
    assert box.listing() == before
    assert not (box.state / RUN).exists()


def test_undo_refuses_what_somebody_changed_since_and_restores_the_rest(box: Box) -> None:
    box.apply(STEPS)
    box.put(CONF, b"edited by hand\n")
    report = box.undo()
    assert {answer.number: answer.outcome for answer in report.steps} == {
        2: "restored",
        1: "refused",
    }
    assert "file.1" in report.problem
    assert box.path(CONF).read_bytes() == b"edited by hand\n"
    assert not box.path(HOOK).exists()
    assert (box.state / RUN / "file.1").read_bytes() == OLD


def test_immutable_file_is_said_and_nothing_else_is_half_done(box: Box) -> None:
    if os.system(f"chattr +i {box.path(CONF)} 2>/dev/null"):  # noqa: S605
        pytest.skip("no chattr here")
    try:
        report = box.apply(STEPS)
    finally:
        os.system(f"chattr -i {box.path(CONF)}")  # noqa: S605
    assert report.step(1).outcome == "failed"
    assert report.step(2) is None
    assert box.path(CONF).read_bytes() == OLD
    assert not box.path(HOOK).exists()
    assert [answer.outcome for answer in box.undo().steps] == ["already"]


def test_a_second_run_waits_for_the_lock_and_says_whose_it_is(box: Box) -> None:
    box.state.mkdir()
    stat = open(f"/proc/{os.getpid()}/stat").read().rpartition(")")[2].split()  # noqa: PTH123, SIM115
    boot = open("/proc/sys/kernel/random/boot_id").read().strip()  # noqa: PTH123, SIM115
    (box.state / "lock").symlink_to(f"{os.getpid()}.{stat[19]}.{boot}.run-other")
    report = box.apply(STEPS)
    assert "another run is in progress on this host: other" in report.problem
    assert box.path(CONF).read_bytes() == OLD
    (box.state / "lock").unlink()
    (box.state / "lock").symlink_to(f"{os.getpid()}.1.{boot}.run-dead")
    report = box.apply(STEPS)
    assert report.notes[0].kind == "stale"
    assert report.step(2).outcome.settled


@pytest.mark.slow
def test_killed_at_every_point_files_are_whole_and_undo_brings_them_back(box: Box) -> None:
    before, point = box.listing(), 0
    while True:
        point += 1
        run = f"r{point}"
        report = box.apply(STEPS, halt=point, run=run)
        assert box.path(CONF).read_bytes() in (OLD, NEW)
        if box.path(HOOK).exists():
            assert box.path(HOOK).read_bytes() == LINE
        undone = box.undo(run=run)
        assert undone.complete, (point, undone, box.said)
        assert not undone.unsettled
        # A directory's times may be those of the copy that was taken away.
        left = {name: told for name, told in box.listing().items() if not name.endswith(".d")}
        assert left == {name: told for name, told in before.items() if not name.endswith(".d")}, (
            point
        )
        if report.complete:
            break
    assert point > 15


@pytest.mark.slow
def test_undo_killed_at_every_point_can_be_undone_again(box: Box) -> None:
    before, point = box.listing(), 0
    while True:
        point += 1
        run = f"r{point}"
        assert box.apply(STEPS, run=run).complete
        report = box.undo(run=run, halt=point)
        assert box.path(CONF).read_bytes() in (OLD, NEW)
        assert not box.undo(run=run).unsettled
        assert box.listing() == before, point
        if report.complete:
            break
    assert point > 5


@pytest.mark.slow
def test_interrupted_run_is_completed_by_the_next(box: Box) -> None:
    for point in range(1, 40):
        report = box.apply(STEPS, halt=point, run=f"a{point}")
        steps = [
            step
            for step in STEPS
            if not box.path(step.path).exists() or box.path(step.path).read_bytes() != step.after
        ]
        assert box.apply(steps, run=f"b{point}").complete
        assert (box.path(CONF).read_bytes(), box.path(HOOK).read_bytes()) == (NEW, LINE)
        assert not [name for name in box.listing() if ".new" in name and steps]
        if report.complete:
            break
        assert not box.undo(run=f"b{point}").unsettled
        assert not box.undo(run=f"a{point}").unsettled
        assert box.path(CONF).read_bytes() == OLD
