"""What an operator reads of plans before anything is done."""

from __future__ import annotations

from dataclasses import replace

from planned import planned

from ipvs_audit.remedy.plan_text import format_plans, format_summary

READY = planned({"/etc/sysctl.conf": ""})
PLANS = {
    "web1": READY,
    "web2": replace(READY, needs_approval="node_exporter reads IPVS statistics"),
    "web3": replace(READY, blocked="/etc is read-only"),
}


def shown(host: str) -> list[str]:
    return [line.strip() for line in format_plans({host: PLANS[host]})]


def test_steps_that_will_not_be_done_are_not_shown_as_if_they_were_planned() -> None:
    for host, heading in (
        ("web2", "Not done. With approval, these steps are taken:"),
        ("web3", "Not done. These steps would be needed:"),
    ):
        lines = shown(host)
        assert lines[2].startswith("note: remedy: auto chose recipe"), lines
        assert lines[3] == heading, lines
        assert lines[4].startswith("1. change /etc/sysctl.conf")
    assert shown("web1")[2].startswith("1. change /etc/sysctl.conf")


def test_the_summary_counts_only_steps_that_will_be_done() -> None:
    assert format_summary(PLANS) == (
        "1 host to change: 2 files, 1 running value; 1 needs approval, 1 cannot be remediated,"
        " 0 already compliant"
    )
