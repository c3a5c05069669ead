"""The model of the loaders against the loaders themselves: a short run of the oracle."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from lab.oracle import native, reboots, trial
from lab.oracle.cases import make_case
from lab.oracle.predict import ExpectedResult
from lab.oracle.report import Tally
from lab.oracle.trial_case import TrialCase
from lab.oracle.userlands import GUEST, USERLANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.guest import Guest

SEED = 20261126
CASES = 100
RELOADS = 20
REBOOTS = {"6.1": 1, "6.12": 1}


@pytest.mark.parametrize(
    ("expected", "value", "differs"),
    [
        (ExpectedResult("0", None, ""), "absent", True),
        (ExpectedResult("absent", None, ""), "0", True),
        (ExpectedResult("absent", None, ""), "absent", False),
        (ExpectedResult("0", None, "", may_stay_unloaded=True), "absent", False),
        (ExpectedResult(None, None, "", fault=True), "absent", False),
        (ExpectedResult(None, None, ""), "absent", False),
    ],
)
def test_a_module_that_is_not_loaded_as_predicted_is_a_mismatch(
    expected: ExpectedResult, value: str, *, differs: bool
) -> None:
    result = trial.TrialResult(TrialCase(0), "reload", value, 1, expected)
    assert bool(result.mismatch) is differs


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")
def test_a_hook_in_the_sandbox_can_set_neither_the_clock_nor_reach_a_disk() -> None:
    """/proc/self/status says what a program may do at most: ``CapBnd``, a bit a capability."""
    script = (
        "import os, lab.oracle.sandbox; lab.oracle.sandbox.drop_capabilities();"
        "os.execl('/bin/grep', 'grep', 'CapBnd', '/proc/self/status')"
    )
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    held = int(told.stdout.split()[1], 16)
    chown, sys_rawio, sys_admin, sys_boot, sys_time, mknod = (
        1 << bit for bit in (0, 17, 21, 22, 25, 27)
    )
    assert held & chown
    assert not held & (sys_rawio | sys_admin | sys_boot | sys_time | mknod)


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")
@pytest.mark.parametrize("name", USERLANDS)
def test_predictions_come_true_in_a_real_userland(name: str) -> None:
    tally = Tally(SEED)
    with native.sandbox(USERLANDS[name]) as box:
        for number in range(CASES):
            for seen in box.run(make_case(SEED, number)):
                tally.add(name, seen)
    print(f"\n{tally.summary()}")  # noqa: T201
    assert not tally.mismatches, "\n".join(tally.explain(seen) for seen in tally.of(name)[:5])
    assert tally.tries[name, "sysctl-p"] == CASES


@pytest.mark.parametrize("kernel", REBOOTS)
def test_predictions_come_true_in_a_real_guest(kernel: str, boot: Callable[..., Guest]) -> None:
    guest, tally = boot(kernel, name=f"oracle-{kernel}"), Tally(SEED)
    userland = USERLANDS[GUEST]
    for batch in trial.batches([make_case(SEED, number) for number in range(RELOADS)]):
        for seen in trial.run(guest, userland, batch):
            tally.add(kernel, seen)
    for seen in reboots.run(lambda: guest, userland, SEED, REBOOTS[kernel]):
        tally.add(kernel, seen)
    assert not tally.mismatches, "\n".join(tally.explain(seen) for seen in tally.of(kernel))
    assert tally.tries[kernel, "reload"] == RELOADS
    assert tally.tries[kernel, "boot"] == REBOOTS[kernel]
