"""What root of a host has left in the way, or done since, and a machine with two names."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from changing import Box, running_value, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipvs_audit.remedy.script_answers import ScriptResult

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing hosts needs root")

CONF = "/etc/sysctl.conf"
OLD, NEW = b"net.ipv4.vs.run_estimation = 1\n", b"net.ipv4.vs.run_estimation = 0\n"
STEPS = (write(CONF, OLD, NEW),)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.put(CONF, OLD)
    return made


def outcomes(result: ScriptResult) -> list[str]:
    return [str(one.outcome) for one in result.steps]


def test_undo_gives_nobody_back_the_access_that_was_taken_away_since(box: Box) -> None:
    box.apply(STEPS)
    path = box.path(CONF)
    path.chmod(0o600)
    os.chown(path, 12, 34)
    assert outcomes(box.undo()) == ["restored"], box.said
    about = path.stat()
    assert path.read_bytes() == OLD
    assert (about.st_mode & 0o7777, about.st_uid, about.st_gid) == (0o600, 12, 34)


def test_a_file_that_got_a_second_name_since_the_plan_is_not_replaced(box: Box) -> None:
    """The second name would keep the old content, and the two would part."""
    os.link(box.path(CONF), box.path("/etc/second"))
    result = box.apply(STEPS)
    assert result.plan_outdated
    assert box.path(CONF).samefile(box.path("/etc/second"))


@pytest.mark.parametrize("what", ["pipe", "folder"])
def test_undo_leaves_what_is_no_file_any_more(box: Box, what: str) -> None:
    """To read a pipe would never end."""
    box.apply(STEPS)
    box.path(CONF).unlink()
    (os.mkfifo if what == "pipe" else os.mkdir)(box.path(CONF))
    assert outcomes(box.undo()) == ["refused"]


@pytest.mark.parametrize("name", ["lock", "journal"])
@pytest.mark.parametrize("what", ["pipe", "folder", "link", "file"])
def test_what_is_no_lock_or_journal_is_named_and_nothing_is_done(
    box: Box, name: str, what: str
) -> None:
    """In a folder any number of runs found a lock for themselves; a pipe never ended."""
    victim = box.put("/etc/shadow", b"secret\n")
    box.state.mkdir(mode=0o700)
    odd = box.state / name
    if what == "file":
        odd.touch()
    elif what == "link":
        odd.symlink_to(victim)
    else:
        (os.mkfifo if what == "pipe" else os.mkdir)(odd)
    before = box.listing()
    result = box.apply(STEPS)
    if (name, what) == ("journal", "file"):
        assert outcomes(result) == ["written"]
        return
    assert f"move {odd} away" in result.problem
    assert not result.steps
    assert box.listing() == before


@pytest.fixture
def unwritable(box: Box) -> Iterator[None]:
    box.state.mkdir(mode=0o700)
    journal = box.state / "journal"
    journal.touch()
    if subprocess.run(["chattr", "+i", journal], capture_output=True, check=False).returncode:
        pytest.skip("no chattr here")
    yield
    subprocess.run(["chattr", "-i", journal], check=True)


@pytest.mark.usefixtures("unwritable")
def test_what_the_hosts_journal_cannot_hold_is_not_done(box: Box) -> None:
    before = box.listing()
    result = box.apply(STEPS)
    assert "journal cannot be written" in result.problem
    assert "unchanged" in [note.kind for note in result.notes]
    assert box.listing() == before


@pytest.mark.parametrize("odd", ["TIME_STYLE=odd", "SHELLOPTS=noclobber"])
def test_roots_environment_hides_no_lost_owner_and_stops_nothing(box: Box, odd: str) -> None:
    shell = ("env", odd, "bash")
    os.chown(box.path(CONF), 1000, 1000)
    whole = {'cp -a "$4" "$new"': 'cp "$4" "$new"'}
    box.swap = whole
    result = box.apply(STEPS, shell=shell)
    assert "owner" in result.problem
    box.swap = {}
    assert outcomes(box.apply(STEPS, run="r2", shell=shell)) == ["written"], box.said


def test_a_machine_with_two_names_is_undone_under_the_one_that_changed_it(box: Box) -> None:
    """A lost connection to the second undid what was reported of the first."""
    value = (running_value(1, 5, 7, own=True),)
    assert outcomes(box.apply(STEPS)) == ["written"]
    second = box.apply(value, host="web1-by-address")
    assert second.plan_outdated
    assert "changed the same machine as web1" in second.problem
    undone = box.undo(host="web1-by-address")
    assert undone.undo_complete
    assert not undone.steps
    assert "as web1" in undone.notes[0].text
    assert box.path(CONF).read_bytes() == NEW
    assert outcomes(box.undo()) == ["restored"]
