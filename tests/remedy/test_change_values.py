"""Running values are set in the namespace that was meant, found anew, and restored."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from changing import RUN, STAND_IN, Box, running_value
from hostile_user import can_make_namespaces, hostile

from ipvs_audit.remedy import script

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 200


def _can_unshare() -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(["unshare", "-n", "true"], check=False).returncode == 0
    return False


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not _can_unshare(), reason="making namespaces needs root"
)


class Space:
    """A network namespace, held by a sleeping process."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            ["unshare", "-n", *words, "sh", "-c", f"echo 1 >{STAND_IN}; echo; exec sleep 300"],
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.inode = Path(f"/proc/{self.process.pid}/ns/net").stat().st_ino

    def value(self) -> str:
        asked = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", "cat", STAND_IN]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def spaces() -> Iterator[list[Space]]:
    made = [Space() for _ in range(3)]
    yield made
    for one in made:
        one.end()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["busybox", "sh"]], ids=lambda argv: argv[0])
def test_only_the_namespaces_named_are_set_and_restored(
    box: Box, spaces: list[Space], shell: list[str]
) -> None:
    here = Path(STAND_IN).read_text()
    report = box.apply([running_value(one.inode, 1, 0) for one in spaces[:2]], shell=shell)
    assert [answer.outcome for answer in report.steps] == ["set", "set"], (report, box.said)
    assert [one.value() for one in spaces] == ["0", "0", "1"]
    assert Path(STAND_IN).read_text() == here
    assert [answer.outcome for answer in box.undo(shell=shell).steps] == ["set", "set"]
    assert [one.value() for one in spaces] == ["1", "1", "1"]


def test_a_namespace_that_ended_is_no_error(box: Box, spaces: list[Space]) -> None:
    spaces[0].end()
    report = box.apply([running_value(one.inode, 1, 0) for one in spaces])
    assert [answer.outcome for answer in report.steps] == ["gone", "set", "set"]
    assert not report.unsettled
    undone = box.undo()
    assert undone.undo_complete
    assert [(answer.number, answer.outcome) for answer in undone.steps] == [
        (3, "set"),
        (2, "set"),
        (1, "gone"),
    ]
    assert "had ended before the run came to it" in undone.step(1).text


def test_a_value_that_somebody_changed_is_left_alone(box: Box, spaces: list[Space]) -> None:
    report = box.apply([running_value(spaces[0].inode, 2, 0)])
    assert report.step(1).outcome == "changed"
    assert report.unsettled
    assert spaces[0].value() == "1"
    assert box.apply([running_value(spaces[0].inode, 0, 1)], run="r2").step(1).outcome == "already"


def test_undo_does_not_flip_a_value_that_the_run_found_right(box: Box, spaces: list[Space]) -> None:
    put(spaces[0], 0)
    report = box.apply([running_value(one.inode, 1, 0) for one in spaces[:2]])
    assert [answer.outcome for answer in report.steps] == ["already", "set"]
    assert [answer.outcome for answer in box.undo().steps] == ["set", "already"]
    assert [one.value() for one in spaces[:2]] == ["0", "1"]


def test_a_namespace_that_cannot_be_entered_is_not_called_gone(
    box: Box, spaces: list[Space]
) -> None:
    steps = [running_value(spaces[0].inode, 1, 0)]
    box.swap = {"nsenter --net=": "false --net="}
    report = box.apply(steps)
    assert report.step(1).outcome == "failed"
    assert "cannot be entered" in report.problem
    box.swap = {}
    box.apply(steps, run="r2")
    box.swap = {"nsenter --net=": "false --net="}
    assert not box.undo(run="r2").undo_complete
    box.swap = {}
    assert box.undo(run="r2").undo_complete
    assert spaces[0].value() == "1"


@contextlib.contextmanager
def mounted(setup: str) -> Iterator[tuple[int, list[int]]]:
    """Namespaces that only the mount namespace of one process shows: its pid, and their inodes."""
    text = f"ip={shutil.which('ip')}; mount -t tmpfs none /run && {setup}\necho\nexec sleep 300"
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", text], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.pid, [int(line) for line in iter(process.stdout.readline, "\n")]
        process.kill()


def seen_at(pid: int, path: str) -> str:
    asked = ["nsenter", f"--net=/proc/{pid}/root{path}", "cat", STAND_IN]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


MAKE = """
for name in hid 'with space'; do
  $ip netns add "$name" && nsenter --net="/run/netns/$name" sh -c "echo 1 >{key}" &&
    stat -Lc %i "/run/netns/$name"
done""".replace("{key}", STAND_IN)


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["busybox", "sh"]], ids=lambda argv: argv[0])
def test_a_namespace_that_only_another_mount_namespace_shows_is_set_and_restored(
    box: Box, shell: list[str]
) -> None:
    with mounted(MAKE) as (pid, inodes):
        paths = ["/run/netns/hid", "/run/netns/with space"]
        report = box.apply([running_value(one, 1, 0) for one in inodes], shell=shell)
        assert [answer.outcome for answer in report.steps] == ["set", "set"], report
        assert [seen_at(pid, path) for path in paths] == ["0", "0"]
        assert box.undo(shell=shell).undo_complete
        assert [seen_at(pid, path) for path in paths] == ["1", "1"]


def test_a_path_that_leads_to_another_namespace_is_not_written(box: Box) -> None:
    with mounted(f"{MAKE}; mount --bind '/run/netns/with space' /run/netns/hid") as (pid, inodes):
        report = box.apply([running_value(inodes[0], 1, 0)])
        assert report.step(1).outcome == "failed"
        assert "cannot be entered" in report.problem
        assert seen_at(pid, "/run/netns/hid") == "1"


def test_without_nsenter_a_namespace_is_not_called_gone(box: Box, spaces: list[Space]) -> None:
    box.swap = {"for tool in nsenter xargs": "for tool in no-such-nsenter"}
    report = box.apply([running_value(spaces[0].inode, 1, 0)])
    assert "no-such-nsenter is missing" in report.problem


def test_after_a_boot_a_namespace_of_the_same_number_is_left_alone(
    box: Box, spaces: list[Space]
) -> None:
    box.apply([running_value(spaces[0].inode, 1, 0)])
    booted(box)
    assert [answer.outcome for answer in box.undo().steps] == ["gone"]
    assert spaces[0].value() == "0"


def inside(space: Space) -> list[str]:
    """A shell whose own namespace that is, as a session on the host has it."""
    return ["nsenter", f"--net=/proc/{space.process.pid}/ns/net", "dash"]


def put(space: Space, value: int) -> None:
    subprocess.run([*inside(space), "-c", f"echo {value} >{STAND_IN}"], check=True)


def booted(box: Box) -> None:
    """As if the host had booted since: another kernel gives its own namespace another number."""
    manifest = box.state / RUN / "manifest"
    manifest.write_text(re.sub(r"^boot .*", "boot another", manifest.read_text()))


@pytest.mark.parametrize(
    ("now", "outcome", "then"), [(0, "set", "1"), (1, "already", "1"), (2, "gone", "2")]
)
def test_after_a_boot_the_hosts_own_namespace_is_no_number(
    box: Box, spaces: list[Space], now: int, outcome: str, then: str
) -> None:
    """The run's file may have set the value at boot; another value is not the run's."""
    report = box.apply([running_value(spaces[0].inode, 1, 0, own=True)], shell=inside(spaces[0]))
    assert report.step(1).outcome == "set"
    booted(box)
    put(spaces[1], now)
    undone = box.undo(shell=inside(spaces[1]))
    assert undone.undo_complete, undone
    assert undone.step(1).outcome == outcome
    assert [one.value() for one in spaces[:2]] == ["0", then]


def test_the_hosts_namespace_is_found_from_a_session_in_another_one(
    box: Box, spaces: list[Space]
) -> None:
    """It was called ended, and the rollback done."""
    steps = [running_value(spaces[0].inode, 1, 0, own=True)]
    assert box.apply(steps, shell=inside(spaces[1])).step(1).outcome == "set"
    assert [one.value() for one in spaces] == ["0", "1", "1"]
    assert box.undo(shell=inside(spaces[2])).step(1).outcome == "set"
    assert [one.value() for one in spaces] == ["1", "1", "1"]


NO_KEY = {STAND_IN: "/proc/sys/net/ipv4/nosuch/key"}


@pytest.mark.skipif(Path("/proc/net/ip_vs").exists(), reason="ip_vs is loaded here")
@pytest.mark.parametrize("own", [True, False])
def test_where_ip_vs_is_not_loaded_no_value_is_left_to_restore(
    box: Box, spaces: list[Space], own: bool
) -> None:
    shell = inside(spaces[0])
    steps = [running_value(spaces[0].inode, 1, 0, own=own)]
    box.swap = NO_KEY
    assert box.apply(steps, shell=shell, run="r0").step(1).outcome == "refused"
    box.swap = {}
    assert box.apply(steps, shell=shell).step(1).outcome == "set"
    box.swap = NO_KEY
    undone = box.undo(shell=shell)
    assert undone.undo_complete
    assert "ip_vs is not loaded" in undone.step(1).text
    assert box.undo(shell=shell).step(1).outcome == "already"


@pytest.mark.parametrize(
    ("swap", "said"),
    [
        ({"/proc/self/net/ip_vs": "/proc/self/net/dev"}, "shows no key there"),
        ({"-d /proc/sys/net/ipv4 ": "-d /proc/sys/no-such "}, "cannot be seen"),
    ],
)
def test_a_key_that_only_does_not_show_is_not_called_restored(
    box: Box, spaces: list[Space], swap: dict[str, str], said: str
) -> None:
    """ip_vs is loaded, or nobody can tell: the value may be there."""
    shell = inside(spaces[0])
    box.apply([running_value(spaces[0].inode, 1, 0, own=True)], shell=shell)
    box.swap = NO_KEY | swap
    undone = box.undo(shell=shell)
    assert not undone.undo_complete
    assert said in undone.problem
    box.swap = {}
    assert box.undo(shell=shell).undo_complete
    assert spaces[0].value() == "1"


def test_undo_does_not_flip_a_value_that_the_run_left_alone(box: Box, spaces: list[Space]) -> None:
    """The run found another value than planned; that somebody chose the run's later is theirs."""
    put(spaces[0], 2)
    report = box.apply([running_value(spaces[0].inode, 1, 0)])
    assert report.step(1).outcome == "changed"
    put(spaces[0], 0)
    undone = box.undo()
    assert (undone.undo_complete, undone.step(1).outcome) == (True, "already")
    assert spaces[0].value() == "0"


def test_a_value_is_not_set_where_that_cannot_be_noted(box: Box, spaces: list[Space]) -> None:
    box.swap = {'echo "- begin $1" >>"$rundir/journal"': 'echo "- begin $1" >/dev/full'}
    report = box.apply([running_value(spaces[0].inode, 1, 0)])
    assert "the journal" in report.problem
    assert spaces[0].value() == "1"


def test_undo_leaves_what_was_not_set(box: Box, spaces: list[Space]) -> None:
    steps = [running_value(one.inode, 1, 0) for one in spaces[:2]]
    report = box.apply(steps, halt=7)
    assert not report.complete
    values = [one.value() for one in spaces[:2]]
    assert "1" in values
    box.undo()
    assert [one.value() for one in spaces[:2]] == ["1", "1"]


def test_many_namespaces_are_all_set(box: Box) -> None:
    made = [Space() for _ in range(MANY)]
    try:
        report = box.apply([running_value(one.inode, 1, 0) for one in made])
        assert [answer.outcome for answer in report.steps] == ["set"] * MANY
        assert {one.value() for one in made[:: MANY // 10]} == {"0"}
    finally:
        for one in made:
            one.end()


#: Looks twenty of many namespaces up, twenty times; prints the clock ticks, and the last way.
LOOK_UP = """
nsenter() { :; }
clock() { read -r line </proc/$$/stat; set -- ${line##*) }; spent=$((${12} + ${13})); }
list() {
  i=0
  while [ $i -lt $many ]; do echo "$((4026532000 + i)) /run/netns/cni-3f8a-$i"; i=$((i + 1)); done
}
handles=$(list)
clock; before=$spent
for again in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  i=0; while [ $i -lt $many ]; do try_handles $((4026532000 + i)) 1 0; i=$((i + many / 20)); done
done
clock; echo $((spent - before)) $path
"""


def test_looking_namespaces_up_takes_a_time_that_grows_with_their_number_only() -> None:
    text = script.render_undo(RUN, who="ops", by="ops", host="x", nonce="0" * 32).decode()
    defined = text.removesuffix("main </dev/null\n")
    assert defined != text

    def ticks(many: int) -> int:
        asked = ["dash", "-c", f"{defined}\nmany={many}\n{LOOK_UP}"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=120)
        spent, handle = told.stdout.split()
        assert handle == f"/run/netns/cni-3f8a-{many // 20 * 19}"
        return int(spent)

    # Eight times as many: eight times as long, or a little more; sixty-four times with the square.
    assert min(ticks(3200) for _ in range(3)) < 30 * max(1, min(ticks(400) for _ in range(3)))


@pytest.mark.skipif(not can_make_namespaces(), reason="needs user namespaces for all")
@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["busybox", "sh"]], ids=lambda argv: argv[0])
def test_a_path_in_a_users_mount_namespace_is_entered_but_not_opened(
    box: Box, shell: list[str]
) -> None:
    """He put a pipe there: opening it would never end, and opening a device acts."""
    with (
        hostile("mkfifo /mnt/f && mount --bind /mnt/f /mnt/d/x") as (_, trap),
        hostile("true") as (
            _,
            inode,
        ),
    ):
        report = box.apply([running_value(trap, 0, 1), running_value(inode, 0, 1)], shell=shell)
    assert [answer.outcome for answer in report.steps] == ["failed", "set"], (report, box.said)
