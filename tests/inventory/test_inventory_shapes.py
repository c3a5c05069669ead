"""Real inventories' shapes are read as Ansible reads them, its settings included."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from inventory_shapes import ANSWERS, NAMES, Shape, environment, ours, shape

if TYPE_CHECKING:
    from collections.abc import Iterable

SUPPORT = Path(__file__).parent.parent / "support"
RECORDED: dict[str, Any] = json.loads(ANSWERS.read_text("utf-8"))
SHARED = [name for name in NAMES if not shape(name).own_process]
OWN_PROCESS = [name for name in NAMES if shape(name).own_process]


def refuse_difference(name: str, read: dict[str, Any], recorded: dict[str, Any]) -> None:
    """All hosts with their groups, variables and ways are the same."""
    assert set(read) == set(recorded), name
    for host, theirs in recorded.items():
        mine = read[host]
        assert mine["groups"] == theirs["groups"], host
        assert mine["variables"] == theirs["variables"], host
        if theirs["reach"] is not None:
            assert mine["reach"] == theirs["reach"], host


def test_there_are_as_many_as_were_asked_for() -> None:
    assert len(NAMES) >= 60
    assert set(RECORDED) == set(NAMES)


@pytest.mark.parametrize("name", SHARED)
def test_a_shape_is_read_as_ansible_reads_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = shape(name)
    asked.write(tmp_path)
    use(monkeypatch, environment(asked, tmp_path).items())
    monkeypatch.chdir(tmp_path)
    refuse_difference(name, ours(asked), RECORDED[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN_PROCESS)
def test_a_shape_whose_settings_change_ansible_itself(name: str, tmp_path: Path) -> None:
    asked = shape(name)
    asked.write(tmp_path)
    done = in_a_process_of_its_own(asked, tmp_path, SUPPORT / "inventory_shapes.py", name)
    refuse_difference(name, done, RECORDED[name])


LIVE = ["cfg-user-and-key", "env-over-cfg", "directory-mixed", "vault-password-file"]


@pytest.mark.slow
@pytest.mark.parametrize("name", LIVE)
def test_ansible_still_says_what_was_recorded(name: str, tmp_path: Path) -> None:
    asked = shape(name)
    asked.write(tmp_path)
    recorder = Path(__file__).parent / "record_answers.py"
    assert in_a_process_of_its_own(asked, tmp_path, recorder, "--one", name) == RECORDED[name]


def in_a_process_of_its_own(
    asked: Shape, folder: Path, script: Path, *words: str
) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, script, *words], cwd=folder, capture_output=True, text=True, check=False,
        env=environment(asked, folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def use(monkeypatch: pytest.MonkeyPatch, variables: Iterable[tuple[str, str]]) -> None:
    for name, value in variables:
        monkeypatch.setenv(name, value)
