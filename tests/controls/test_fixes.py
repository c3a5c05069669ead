"""Fixes are the host's own: its namespaces, its policy's direction, and never the other one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import SCENARIOS, scenario
from made import LOADED, NO_KEY, census, check, netns, series, snapshot, verdict
from made import ON as COUNTING

from ipvs_audit.controls.control import judge
from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import PLAN, Verdict
from ipvs_audit.snapshot import Snapshot, store

if TYPE_CHECKING:
    from ipvs_audit.snapshot.namespaces import Netns

ENABLED = Policy(estimation="enabled")
CONTROLS = tuple(f"EST-{number}" for number in range(1, 7))
OFF, ON = netns(raw="0"), netns(raw="1")
WRITE_0 = "sysctl -w net.ipv4.vs.run_estimation=0"
WRITE_1 = "sysctl -w net.ipv4.vs.run_estimation=1"


def fix(control: str, *namespaces: Netns, policy: Policy | None = None) -> str:
    here = snapshot(module=LOADED, census=census(*namespaces))
    return verdict(control, here, policy).fix_by_hand


def test_the_running_value_is_set_to_what_the_policy_wants() -> None:
    assert fix("EST-4", ON).startswith(f"Run: {WRITE_0}, ")
    assert fix("EST-4", OFF, policy=ENABLED).startswith(f"Run: {WRITE_1}, ")


def test_an_empty_cpu_list_is_no_matter_of_the_value() -> None:
    stopped = replace(ON, est_cpulist="")
    told = fix("EST-4", stopped, policy=ENABLED)
    assert "net.ipv4.vs.est_cpulist" in told
    assert "run_estimation" not in told


def test_each_namespace_is_set_by_the_name_that_it_has() -> None:
    wrong = [
        replace(ON, inode=71, name="ip netns blue", services=1),
        replace(ON, inode=72, name="pid 812 (nginx)", services=1),
        replace(ON, inode=73, name="container 1f3c", services=1),
        replace(ON, inode=74, name="ip netns x; reboot", services=1),
    ]
    by_pid = f"run: nsenter -t PID -n {WRITE_0}, with a PID that 'lsns -t net' shows for"
    assert fix("EST-5", OFF, *wrong).splitlines() == [
        f"Run: ip netns exec blue {WRITE_0}",
        f"Run: nsenter -t 812 -n {WRITE_0}",
        f"In container 1f3c (net:[73]) {by_pid} 73",
        f"In ip netns x; reboot (net:[74]) {by_pid} 74",
    ]


def test_a_kernel_without_the_switch_is_not_told_to_set_it() -> None:
    here = snapshot(module=LOADED, census=census(NO_KEY), counters={1: series(1, *COUNTING)})
    found = verdict("EST-6", here)
    assert found.verdict is Verdict.FAIL
    assert found.message == "the totals grew: estimation runs, in the host's network namespace"
    assert found.fix_by_hand == "Boot a kernel that has net.ipv4.vs.run_estimation (EST-1)"


def test_what_remediation_can_do_names_its_options_for_this_host() -> None:
    here = snapshot(module=LOADED, census=census(ON))
    assert verdict("EST-4", here).fix.splitlines()[-1] == f"{PLAN} {here.target}"


@pytest.mark.parametrize("policy", [Policy(), ENABLED], ids=lambda policy: policy.estimation)
def test_no_fix_speaks_of_the_other_direction(policy: Policy) -> None:
    hosts: list[Snapshot] = [
        one
        for path in sorted((SCENARIOS.parent / "recordings").glob("*.jsonl"))
        for one in store.read(path)
        if isinstance(one, Snapshot)
    ]
    hosts += [scenario(folder)[0] for folder in sorted(SCENARIOS.iterdir())]
    found = [judge(check(control), host, policy) for host in hosts for control in CONTROLS]
    failing = [one for one in found if one.verdict is Verdict.FAIL]
    assert failing
    other = 1 - policy.wanted
    for one in failing:
        assert one.fix
        words = [line for line in one.fix.splitlines() if not line.startswith("Remove ")]
        told = "".join("\n".join(words).split())
        assert f"run_estimation={other}" not in told, one.fix
    assert not any(one.fix for one in found if one.verdict is not Verdict.FAIL)
