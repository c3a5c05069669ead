"""What an ordinary user of the host prepares for a probe that runs as root."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hostile_user import can_make_namespaces, hostile
from probe_runs import SHELLS, run

from ipvs_audit.snapshot.account import Account
from ipvs_audit.snapshot.namespaces import Netns, parse_census
from ipvs_audit.snapshot.statistics_readers import parse_readers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipvs_audit.snapshot import Section

every_shell = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
pytestmark = pytest.mark.skipif(
    not can_make_namespaces(), reason="needs root, and user namespaces for all"
)
FUSE = """\
import ctypes, os
fuse = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fuse, True)
about = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
if ctypes.CDLL(None).mount(b"fuse", b"/mnt/d", b"fuse", 0, about.encode()):
    raise SystemExit(1)
os.execvp("sleep", ["sleep", "300"])
"""
TRACE = """\
import ctypes, os, signal, time
child = os.fork()
if not child:
    ctypes.CDLL(None).unshare(0x40000000)  # CLONE_NEWNET
    ctypes.CDLL(None).ptrace(0, 0, 0, 0)  # PTRACE_TRACEME
    os.kill(os.getpid(), signal.SIGSTOP)
os.waitpid(child, os.WUNTRACED)
with open("/mnt/n", "w") as told:
    print(os.stat(f"/proc/{child}/ns/net").st_ino, file=told)
time.sleep(300)
"""


def begin(folder: Path, program: str, ready: str) -> str:
    """Shell words that start a program in Python and wait until it is ready."""
    (folder / "program.py").write_text(program)
    start = f"{sys.executable} {folder}/program.py </dev/null >&2 &"
    return f"{start} until {ready}; do kill -0 $! || exit; done"


def census(shell: tuple[str, ...] | list[str] = ("sh",), **more: object) -> dict[int, Netns]:
    found = parse_census(run(shell, loaded=True, **more)["netns"])  # type: ignore[arg-type]
    return {one.inode: one for one in found.others}


def seconds_of(sections: Mapping[str, Section]) -> float:
    """Processor time that the probe took."""
    seconds = Account(sections["identity"]).cpu_seconds
    assert seconds is not None
    return seconds


LONG = (
    "mount -t tmpfs none /mnt/d && d=$(printf %0240d 7) && cd /mnt/d &&"
    " for at in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do mkdir $d && cd -P $d || exit; done &&"
    " unshare -n sh -c 'for f in a b c d e f g h; do"
    " : >$f && mount --bind /proc/self/ns/net $f || exit; done; stat -Lc %i /proc/self/ns/net'"
    " >/mnt/n && for at in 1 2 3; do mkdir $d && cd -P $d || exit; done &&"
    " unshare -n sh -c ': >x && mount --bind /proc/self/ns/net x &&"
    " stat -Lc %i /proc/self/ns/net' >>/mnt/n"
)


@every_shell
def test_his_long_paths_cost_little(shell: list[str]) -> None:
    """Taken apart by a shell's pattern, 8 paths of 3,600 characters cost dash 10 seconds."""
    with hostile("true"):
        plain = seconds_of(run(shell, loaded=True))
    with hostile(LONG) as (pid, _):
        near, far = map(int, Path(f"/proc/{pid}/root/mnt/n").read_text().split())
        sections = run(shell, loaded=True)
    found = {one.inode: one for one in parse_census(sections["netns"]).others}
    assert seconds_of(sections) < 2 * plain + 1
    assert (found[near].raw, len(found[near].name)) == ("1", 300)
    # Of more than 4,095 characters the kernel takes none.
    assert (found[far].raw, found[far].why_unread) == (None, "unentered")


@every_shell
def test_a_namespace_that_only_his_mount_keeps_is_read(shell: list[str]) -> None:
    with hostile("true") as (pid, inode):
        found = census(shell)
    assert (found[inode].raw, found[inode].name) == (
        "1",
        f"mount /mnt/d/x (mount namespace of pid {pid}, sleep)",
    )


PIPE = "mount -t tmpfs none /mnt/d && mkfifo /mnt/d/x"
TRAPS = [
    *(pytest.param(PIPE, shell, id=f"pipe-{name}") for name, shell in SHELLS.items()),
    pytest.param("mkfifo /mnt/f && mount --bind /mnt/f /mnt/d/x", ["sh"], id="pipe on it"),
    # A link of his leads to a file of the host: this pipe stands for a device.
    pytest.param("mount -t tmpfs none /mnt/d && ln -s @PIPE@ /mnt/d/x", ["sh"], id="link"),
    pytest.param("mount -t tmpfs none /mnt && ln -s / /mnt/d", ["sh"], id="link to the root"),
]


@pytest.mark.parametrize(("trap", "shell"), TRAPS)
def test_what_lies_at_its_path_meanwhile_is_not_opened(
    trap: str, shell: list[str], tmp_path: Path
) -> None:
    """Opening a pipe never ends; opening a device, such as a watchdog's, acts."""
    pipe = tmp_path / "x"
    os.mkfifo(pipe)
    with hostile(trap.replace("@PIPE@", str(pipe))) as (_, inode):
        found = census(shell)
    assert (found[inode].raw, found[inode].why_unread) == (None, "unentered")


def test_what_he_swaps_all_the_time_is_never_opened() -> None:
    swap = "mkfifo /mnt/f; (while mount --bind /mnt/f /mnt/d/x; do umount /mnt/d/x; done) >&2 &"
    with hostile(swap) as (_, inode):
        told = [census()[inode] for _ in range(2)]
    assert {(one.raw, one.why_unread) for one in told} <= {("1", ""), (None, "unentered")}


@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="no /dev/fuse")
def test_a_file_system_of_his_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    with hostile(begin(tmp_path, FUSE, "grep -q fuse /proc/self/mountinfo"), root=True) as (
        _,
        inode,
    ):
        found = census()
    assert (found[inode].raw, found[inode].why_unread) == (None, "unentered")


def test_one_path_that_does_not_answer_keeps_no_other_waiting(tmp_path: Path) -> None:
    """A file system that root may use, and that hangs, in the way to two namespaces."""
    tried = tmp_path / "tried"
    slow = tmp_path / "bin" / "unshare"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\necho >>{tried}\nexec sleep 300\n")
    slow.chmod(0o755)
    with hostile("true") as (_, one), hostile("true") as (_, two):
        found = census(first=slow.parent)
    assert [found[inode].why_unread for inode in (one, two)] == ["unentered"] * 2
    assert tried.read_text() == "\n"


def test_names_of_his_processes_are_text(tmp_path: Path) -> None:
    name = "\nnetns 7 run_estimation=0 name=\x1b]0;x"
    program = tmp_path / f"kube{name}\nreader 1 exe kube-router"
    shutil.copy("/bin/sleep", program)
    start = f"import os; os.execv({str(program)!r}, ['x' + {name!r}, '60'])"
    with hostile(begin(tmp_path, start, "grep -q run_est /proc/$!/cmdline"), root=True):
        sections = run(loaded=True)
    assert 7 not in {one.inode for one in parse_census(sections["netns"]).others}
    assert "\x1b" not in sections["netns"].output + sections["readers"].output
    assert not re.search("^reader 1 ", sections["readers"].output, re.MULTILINE)
    parse_readers(sections["readers"])


def test_a_process_that_ptrace_has_stopped_is_looked_at(tmp_path: Path) -> None:
    with hostile(begin(tmp_path, TRACE, "[ -s /mnt/n ]"), root=True) as (pid, _):
        stopped = int(Path(f"/proc/{pid}/root/mnt/n").read_text())
        found = census()
    assert found[stopped].raw == "1"
