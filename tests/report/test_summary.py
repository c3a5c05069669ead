from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.model.control import Control
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report.summary import (
    Status,
    grouped,
    headline,
    host_status,
    reconciliation,
    tally,
)

if TYPE_CHECKING:
    from ipvs_audit.model.results import HostResult

LAB = {host.name: host for host in sample_run.lab_hosts()}
CONCERNS_NOTHING = replace(
    LAB["compliant"],
    name="bare",
    controls=tuple(
        sample_run.result(control.id, Verdict.NOT_APPLICABLE, "no ip_vs")
        for control in sample_run.CONTROLS
    ),
)
UNJUDGED = replace(LAB["compliant"], name="late", controls=())


def said(*hosts: HostResult) -> str:
    return headline(sample_run.run(hosts).completed()).sentence


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ((), "Not evaluated: the inventory has no hosts."),
        (
            (LAB["compliant"],),
            "Compliant: IPVS estimation is disabled, proven on the one host.",
        ),
        (
            (LAB["compliant"], CONCERNS_NOTHING),
            "Compliant: IPVS estimation is disabled, proven on 1 of 2 hosts; 1 is not applicable.",
        ),
        (
            (LAB["namespaced"], LAB["compliant"]),
            "Compliant with waivers: 1 of 2 hosts fails under a waiver; 1 passes.",
        ),
        (
            (LAB["idle"], LAB["compliant"]),
            "Incomplete: 1 of 2 hosts is inconclusive; 1 passes.",
        ),
        (
            (LAB["down"], sample_run.EXCLUDED),
            "Incomplete: 1 of 2 hosts could not be evaluated; 1 is excluded.",
        ),
        (
            (UNJUDGED, LAB["compliant"]),
            "Incomplete: 1 of 2 hosts was not evaluated; 1 passes.",
        ),
        (
            (CONCERNS_NOTHING,),
            "Not applicable: no ip_vs.",
        ),
        (
            (CONCERNS_NOTHING, replace(CONCERNS_NOTHING, name="b")),
            "Not applicable: no required control applies to any of 2 hosts.",
        ),
        ((LAB["drifted"],), "Not compliant: 1 of 1 host fails the policy."),
    ],
)
def test_the_verdict_in_one_sentence(hosts: tuple[HostResult, ...], sentence: str) -> None:
    assert said(*hosts) == sentence


def test_the_verdict_says_when_old_evidence_was_collected() -> None:
    old = replace(LAB["compliant"], name="old", started="2024-11-20T01:00:00.000Z")
    older = replace(old, name="older", started="2024-10-21T02:00:00.000Z")
    begun = {"started": "2026-11-23T02:00:00.000Z"}
    for host in (old, replace(old, name="b")), (old,):
        sentence = headline(replace(sample_run.run(host), **begun)).sentence
        assert sentence.endswith(", on evidence collected 2024-11-20, 733 days before this run.")
        assert sentence.startswith("Compliant: IPVS estimation is disabled, proven on ")
    mixed = headline(replace(sample_run.run((old, older)), **begun)).sentence
    assert mixed.endswith(
        ", on evidence collected from 2024-10-21 to 2024-11-20, up to 763 days before this run."
    )
    recent = replace(old, started="2026-11-22T02:00:01.000Z")
    assert "collected" not in headline(replace(sample_run.run((recent,)), **begun)).sentence
    ahead = replace(old, started="2027-06-01T02:00:00.000Z")
    assert headline(replace(sample_run.run((recent, ahead)), **begun)).sentence.endswith(
        ", on evidence dated 2027-06-01, after this run began: its age is not known."
    )
    broken = replace(old, started="2026-99-22T02:00:01.000Z")
    assert "unknown age" in headline(replace(sample_run.run((broken,)), **begun)).sentence
    failing = replace(LAB["drifted"], started="2026-11-22T02:00:00.000Z")
    assert headline(replace(sample_run.run((failing,)), **begun)).sentence == (
        "Not compliant: 1 of 1 host fails the policy, on evidence collected 2026-11-22, 1 day"
        " before this run."
    )


EST_1_ONLY = tuple(
    replace(host, controls=host.controls[:1]) for host in (LAB["compliant"], LAB["drifted"])
)


def test_what_was_not_evaluated_is_never_called_compliant() -> None:
    run = replace(sample_run.run(EST_1_ONLY), controls=sample_run.CONTROLS[:1])
    assert headline(run).sentence == (
        "Incomplete: not every required control was evaluated on 2 hosts; 2 pass."
        " Not evaluated: EST-2, EST-3, EST-4, EST-5, EST-6."
    )
    assert headline(run).status is Status.NOT_EVALUATED
    assert said(*EST_1_ONLY[1:], LAB["compliant"]) == (
        "Incomplete: not every required control was evaluated on 2 hosts; 2 pass."
        " Not every control was evaluated on 1 host."
    )
    assert said(*EST_1_ONLY[1:], LAB["drifted"]).endswith(
        "fails the policy; 1 passes. Not every control was evaluated on 1 host."
    )


def test_hosts_left_out_are_counted_and_said() -> None:
    run = replace(sample_run.run((LAB["compliant"],)), left_out=6)
    assert reconciliation(run) == (
        "7 hosts in the inventory = 1 assessed + 0 unreachable + 0 excluded"
        " + 6 left out by --limit or --shard"
    )
    assert headline(run).sentence == (
        "Compliant: IPVS estimation is disabled, proven on the one host."
        " 6 hosts of the inventory are left out."
    )


def test_the_numbers_of_a_failing_run_add_up_to_its_hosts() -> None:
    hosts = (*LAB.values(), sample_run.EXCLUDED, CONCERNS_NOTHING, UNJUDGED)
    first, total, *rest = map(int, re.findall(r"\d+", said(*hosts)))
    assert total == len(hosts) == first + sum(rest)


def test_a_waiver_never_hides_another_failure() -> None:
    both = sample_run.host(
        "web1", LAB["namespaced"].controls[4], sample_run.result("EST-4", Verdict.FAIL, "runs")
    )
    assert host_status(both) is Status.FAIL
    assert host_status(LAB["namespaced"]) is Status.WAIVED


def test_a_waiver_on_what_does_not_fail_changes_nothing() -> None:
    idle = sample_run.result("EST-6", Verdict.INCONCLUSIVE, "no traffic", waiver="OPS-1")
    assert host_status(sample_run.host("web1", idle)) is Status.INCONCLUSIVE


def test_the_tally_adds_up_to_every_result() -> None:
    run = sample_run.run().completed()
    assert sum(tally(run).values()) == sum(len(host.controls) for host in run.hosts)


def test_groups_hold_each_host_once_failing_first() -> None:
    hosts = sample_run.fleet(60)
    parts = grouped(hosts)
    assert list(parts)
    assert set(parts) == {"cn-hangzhou", "cn-shanghai", "cn-beijing + ipvs"}
    assert sorted(host.name for part in parts.values() for host in part) == [
        host.name for host in hosts
    ]
    for part in parts.values():
        statuses = [list(Status).index(host_status(host)) for host in part]
        assert statuses == sorted(statuses)


def test_groups_that_tear_the_fleet_to_pieces_are_left_out() -> None:
    own = tuple(
        replace(host, groups=(f"rack{number}",)) for number, host in enumerate(sample_run.fleet(20))
    )
    assert list(grouped(own)) == ["all hosts"]


OPS = Control("OPS-1", "swap-off", "low", "house rules", "why", "swapoff -a")


def test_a_check_of_ones_own_proves_nothing_of_estimation() -> None:
    own = replace(sample_run.result("EST-4"), control="OPS-1", name="swap-off")
    host = replace(CONCERNS_NOTHING, controls=(*CONCERNS_NOTHING.controls, own))
    run = sample_run.run((host,))
    run = replace(run, controls=(*run.controls, OPS), required=(*run.required, "OPS-1"))
    assert headline(run).claim == "Not applicable"


def test_the_direction_is_that_of_each_hosts_own_policy() -> None:
    turned = replace(LAB["compliant"], name="turned", policy={"estimation": "enabled"})
    assert said(turned) == "Compliant: IPVS estimation is enabled, proven on the one host."
    assert said(turned, LAB["compliant"]).startswith(
        "Compliant: IPVS estimation is as each host's policy demands"
        " (disabled on 1 and enabled on 1), proven on all 2 hosts"
    )
