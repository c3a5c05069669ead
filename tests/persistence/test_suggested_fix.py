"""What is suggested for a host is enough for it, names its own lines, and is of its direction."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, ON, RECIPE, SCENARIOS, config, scenario
from made import verdict

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.suggested_fix import suggest_persisted, suggest_reload

if TYPE_CHECKING:
    from pathlib import Path

DISABLED, ENABLED = Policy(), Policy(estimation="enabled")
LINE = "net.ipv4.vs.run_estimation = 0"
FAILING = sorted(folder for folder in SCENARIOS.iterdir() if folder.name.endswith(".fail"))
#: No edit of a sysctl line or of ip_vs's hook is enough, or the hook does what must not be lost.
BEYOND = {
    "hook-exits-before-negation.fail",
    "hook-passed-over-for-softdep.fail",
    "hook-with-busybox-modprobe.fail",
    "hook-write-with-spaces.fail",
    "kernel-without-the-key.fail",
    "modules-load-and-udev-race.fail",
}
_EDIT = re.compile(r"(Remove|Change|Add to(?: a new file)?) (/[^ :]+)(?::(\d+))?(?:: | to: )(.*)")


def test_a_line_that_contradicts_the_right_one_is_to_be_removed() -> None:
    host = config({CONF: OFF, DROP_IN: f"# k8s\n{ON}", HOOK: RECIPE})
    assert suggest_persisted(host, DISABLED) == f"Remove {DROP_IN}:2: {ON.strip()}"


def test_where_no_line_sets_it_one_is_to_be_added() -> None:
    assert suggest_persisted(config({}), DISABLED) == f"Add to a new file {CONF}: {LINE}"
    there = config({CONF: "kernel.panic = 7\n"})
    assert suggest_persisted(there, DISABLED) == f"Add to {CONF}: {LINE}"


def test_the_only_line_is_to_be_changed_for_either_direction() -> None:
    assert suggest_persisted(config({CONF: ON}), DISABLED) == f"Change {CONF}:1 to: {LINE}"
    assert suggest_persisted(config({CONF: OFF}), ENABLED) == f"Change {CONF}:1 to: {ON.strip()}"


def test_the_policys_remedy_decides_where_the_line_goes() -> None:
    drop_in = Policy(remedy="drop-in")
    assert suggest_persisted(config({}), drop_in) == f"Add to a new file {DROP_IN}: {LINE}"
    hook = "install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p"
    assert suggest_reload(config({}), drop_in).splitlines()[1:] == [
        f"Add to a new file {HOOK}: {hook} {DROP_IN}"
    ]


def test_a_hook_that_does_more_is_made_longer_and_never_replaced() -> None:
    own = "install ip_vs /sbin/modprobe --ignore-install ip_vs && /bin/echo loaded"
    host = config({CONF: OFF, HOOK: f"{own}\n"})
    assert suggest_reload(host, DISABLED) == f"Change {HOOK}:1 to: {own} && /sbin/sysctl -p"


def test_a_link_to_dev_null_is_not_written_into() -> None:
    masked = config({CONF: OFF, HOOK: "->/dev/null"})
    told = suggest_reload(masked, DISABLED)
    assert told.startswith("Add to a new file /etc/modprobe.d/00-ipvs.conf: install ip_vs ")


def test_a_kernel_without_the_key_needs_another_one_first() -> None:
    host = config({CONF: OFF, HOOK: RECIPE}, has_switch=False)
    assert suggest_reload(host, DISABLED).splitlines() == [
        "Boot a kernel that has net.ipv4.vs.run_estimation (EST-1)",
        f"Until then remove {HOOK}:1: it makes 'modprobe ip_vs' fail on this kernel",
    ]


@pytest.mark.parametrize("folder", FAILING, ids=lambda folder: folder.name)
def test_an_operator_who_does_as_suggested_passes(folder: Path, tmp_path: Path) -> None:
    control = (folder / "README").read_text().partition(":")[0]
    evidence, policy = scenario(folder)
    fix = verdict(control, evidence, policy).fix_by_hand
    edits = [_EDIT.fullmatch(line) for line in fix.splitlines()]
    if folder.name in BEYOND:
        assert fix
        assert None in edits
        return
    mended = tmp_path / "host"
    shutil.copytree(folder, mended, symlinks=True)
    for edit in reversed(edits):
        assert edit is not None, fix
        follow(mended, *edit.groups())
    evidence, policy = scenario(mended)
    found = verdict(control, evidence, policy)
    assert found.verdict is Verdict.PASS, f"{fix}\n{found.message}"


def follow(root: Path, what: str, path: str, number: str | None, text: str) -> None:
    """Edit a file as the words say; lines from the last to the first, so that numbers hold."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = file.read_text().split("\n") if file.exists() else []
    if number is None:
        assert (what == "Add to") == file.exists()
        file.write_text("\n".join([*lines, text, ""]))
        return
    first = last = int(number) - 1
    while lines[last].endswith("\\"):
        last += 1
    lines[first : last + 1] = [] if what == "Remove" else [text]
    file.write_text("\n".join(lines))
