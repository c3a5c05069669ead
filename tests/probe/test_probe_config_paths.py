"""The probe's scripts name the same directories and files as the one list in Python."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from ipvs_audit.snapshot.config_paths import ALL, MODPROBE, SYSCTL, SYSCTL_CONF, TOPS, ConfigPaths

EDITABLE_FILES = (files("ipvs_audit.probe") / "editable_files.sh").read_text("utf-8")
SCRIPT = (files("ipvs_audit.probe") / "config.sh").read_text("utf-8")


def test_the_loop_over_directories_has_all_of_them() -> None:
    folders = " ".join(
        f"{place}:{kind.folder}/{kind.endings[0][1:]}" for place, kind in enumerate(ALL, 1)
    )
    assert f"for spot in {folders}; do" in SCRIPT
    assert f"for top in {' '.join(TOPS)}; do" in SCRIPT
    assert f"1:{SYSCTL_CONF} " in SCRIPT


@pytest.mark.parametrize("kind", ALL[2:], ids=lambda kind: kind.section)
def test_files_are_searched_before_they_are_read_in_all_directories(kind: ConfigPaths) -> None:
    searched = re.findall(rf"(?<=\s)(/\S*/{kind.folder})/\*{kind.endings[0]}", SCRIPT)
    assert tuple(searched) == kind.directories


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.section)
def test_the_command_of_the_evidence_names_all_directories(kind: ConfigPaths) -> None:
    assert f"{{{','.join(TOPS)}}}/{kind.folder}/*{kind.endings[0]}" in SCRIPT


def test_misspelt_directories_are_searched_by_the_same_patterns() -> None:
    patterns = [f"/etc/{each}" for each in (*SYSCTL.misspelt, *MODPROBE.misspelt)]
    assert f"for dir in {' '.join(patterns)}; do" in SCRIPT


def test_what_a_plan_may_change_is_read_from_the_same_directories() -> None:
    assert f"[ ! -e {SYSCTL_CONF} ]" in EDITABLE_FILES
    for kind in (SYSCTL, MODPROBE):
        assert f"$nl{kind.directories[0]}$nl" in EDITABLE_FILES
        assert f"for file in {kind.directories[0]}/*{kind.endings[0]}; do" in EDITABLE_FILES
