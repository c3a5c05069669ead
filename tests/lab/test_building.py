"""A build that fails: what is said, and what stays behind; no guest is needed."""

from __future__ import annotations

import os
import subprocess
import time
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from lab.build_folder import build_folder, mounted, remove
from lab.patience import SLOWEST, Patience
from lab.process import LabError, run_command

from lab import paths

if TYPE_CHECKING:
    from pathlib import Path

needs_mount = pytest.mark.skipif(
    os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0,
    reason="only root can mount",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    return tmp_path


def bind(what: Path, where: Path) -> None:
    where.mkdir(parents=True)
    subprocess.run(["mount", "--bind", what, where], check=True)


def fail_with_a_mount(kept: Path) -> None:
    with build_folder() as work:
        bind(kept, work / "root fs/proc")
        bind(kept, work / "root fs/proc2")
        raise LabError("install the guest's Debian: debootstrap exited 1")


@needs_mount
def test_a_build_that_fails_leaves_nothing_mounted_and_deletes_nothing_through_a_mount(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = tmp_path_factory.mktemp("kept")
    (kept / "file").write_text("ours")
    with pytest.raises(LabError, match="debootstrap exited 1"):
        fail_with_a_mount(kept)
    assert (kept / "file").read_text() == "ours"
    assert mounted(cache) == []
    assert list(cache.glob("build-*")) == []


@needs_mount
def test_what_is_in_use_stays_and_is_named_beside_what_went_wrong(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = tmp_path_factory.mktemp("kept")
    users: list[subprocess.Popen[bytes]] = []

    def fail_in_use() -> None:
        with build_folder() as work:
            bind(kept, work / "proc")
            users.append(subprocess.Popen(["sleep", "60"], cwd=work / "proc"))
            raise LabError("depmod exited 1")

    with pytest.raises(LabError) as caught:
        fail_in_use()
    assert str(caught.value) == "depmod exited 1"
    (note,) = caught.value.__notes__
    (left,) = cache.glob("build-*")
    assert f"umount {left}/proc" in note
    users[0].kill()
    users[0].wait()
    with build_folder():
        pass
    assert list(cache.glob("build-*")) == []


def test_a_folder_of_a_killed_build_goes_with_the_next(cache: Path) -> None:
    (cache / "build-killed/rootfs/etc").mkdir(parents=True)
    with build_folder() as work:
        assert list(cache.glob("build-*")) == [work]


def test_a_build_waits_for_another_and_leaves_its_folder_alone(cache: Path) -> None:
    def build_another() -> None:
        with build_folder() as work:
            (work / "second").touch()

    other = Thread(target=build_another)
    with build_folder() as work:
        (work / "first").touch()
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive()
        assert [one.name for one in cache.glob("build-*/*")] == ["first"]
    other.join(timeout=60)
    assert list(cache.glob("build-*")) == []


def test_a_folder_with_a_link_in_it_is_removed_and_its_target_is_not(cache: Path) -> None:
    (cache / "kept").mkdir()
    (cache / "build-1").mkdir()
    (cache / "build-1/link").symlink_to(cache / "kept")
    remove(cache / "build-1")
    assert [one.name for one in cache.iterdir()] == ["kept"]


def test_a_step_that_fails_is_named_with_its_last_lines() -> None:
    script = "seq 1 99; echo 'E: Failed getting release file'; echo 'and more' >&2; exit 3"
    with pytest.raises(LabError) as caught:
        run_command(["sh", "-c", script], timeout=60, what="install the guest's Debian")
    message = str(caught.value)
    assert message.startswith("install the guest's Debian: sh exited 3\n")
    assert "E: Failed getting release file" in message
    assert message.endswith("and more")
    assert "\n    5\n" not in message


def test_a_step_that_takes_too_long_says_how_far_it_came_and_leaves_no_child(cache: Path) -> None:
    script = f"echo unpacking; (sleep 2; touch {cache}/late) & sleep 60"
    with pytest.raises(LabError, match=r"(?s)took longer than 1 s.*unpacking"):
        run_command(["sh", "-c", script], timeout=1, what="unpack")
    time.sleep(2.5)
    assert not (cache / "late").exists()


def test_patience_counts_cpu_time_and_only_a_part_of_what_passes() -> None:
    idle = subprocess.Popen(["sleep", "60"])
    patience = Patience(idle.pid, 10)
    began = time.monotonic()
    time.sleep(0.6)
    used = 10 - patience.left()
    assert used <= (time.monotonic() - began + 1) / SLOWEST
    idle.kill()
    idle.wait()
    busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    patience = Patience(busy.pid, 0.2)
    while not patience.over():
        assert busy.poll() is None
        time.sleep(0.05)
    busy.kill()
    busy.wait()
