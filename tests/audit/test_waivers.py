from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_run

from ipvs_audit.audit.waiver_matching import Waivers, matched
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.model.waiver import Waiver, WaiverState
from ipvs_audit.model.waiver_file import WaiverError, load_waivers

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE = Path(__file__).parents[2] / "inventories" / "waivers.yml"
GROUPS: dict[str, Sequence[str]] = {host.name: host.groups for host in sample_run.lab_hosts()}
ENTRY = """\
waivers:
  - hosts: "dri*:&ipvs"
    control: EST-4
    justification: replaced in December
    ticket: OPS-1
    approver: A. Auditor
    expires: 2026-12-08
"""
WAIVER = Waiver(
    "w.yml:2", "dri*:&ipvs", "EST-4", "replaced in December", "OPS-1", "A. Auditor", "2026-12-08"
)


def over(*waivers: Waiver, day: str = "2026-11-23") -> Waivers:
    return Waivers(matched(waivers, GROUPS), date.fromisoformat(day))


def account(
    waiver: Waiver, *, day: str = "2026-11-23", warning_days: int = 14
) -> tuple[WaiverState, str]:
    (found,) = over(waiver, day=day).uses(sample_run.lab_hosts(), warning_days)
    return found.state, found.summary


def test_an_entry_is_read_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "w.yml"
    path.write_text(ENTRY)
    waivers, digest = load_waivers(path)
    assert waivers == (replace(WAIVER, place=f"{path}:2"),)
    assert len(digest) == 64


def test_the_example_is_read() -> None:
    assert load_waivers(EXAMPLE)[0] == ()


def test_a_date_may_stand_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "w.yml"
    path.write_text(ENTRY.replace("2026-12-08", '"2026-12-08"'))
    assert load_waivers(path)[0][0].expires == "2026-12-08"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("    ticket: OPS-1\n", ""), ":2: ticket is missing"),
        (("ticket: OPS-1", "ticket: 12"), ":5: ticket is 12; must be text"),
        (("ticket: OPS-1", "tickets: OPS-1"), ":2: ticket is missing"),
        (("approver: A. Auditor", "approver: ' '"), ":6: approver is empty"),
        (("approver:", "aprover: x\n    approver:"), ":6: aprover is not a waiver field"),
        (("EST-4", "est4"), ":3: control is 'est4'; must look like"),
        (("2026-12-08", "08.12.2026"), ":7: expires must be a date as YYYY-MM-DD"),
        (("2026-12-08", "12/08/2026"), ":7: expires must be a date"),
        (("2026-12-08", "2026-12-08 12:00:00"), ":7: expires must be a date"),
        (("2026-12-08", "2026-12-8"), ":7: expires must be a date"),
        (("2026-12-08", "20261208"), ":7: expires must be a date"),
        (("2026-12-08", "2026-13-08"), ":7:14: not plain YAML: 2026-13-08 cannot be: month"),
        (("2026-12-08", '"2026-02-30"'), ":7: expires is 2026-02-30, which is not a date"),
        (("2026-12-08", "never"), ":7: expires must be a date"),
        (('"dri*:&ipvs"', '","'), ":2: hosts is ',', which names nothing"),
        *(
            (('"dri*:&ipvs"', f'"{one}"'), f":2: hosts is {one!r}, which selects hosts by")
            for one in ("ipvs[0]", "ipvs[-1]", "ipvs[1:2]", "all:&ipvs[0]", "x,web[0-9]", "a[3:]")
        ),
        (
            ("    control: EST-4\n", "    control: EST-4\n    control: EST-5\n"),
            ":4: control is set",
        ),
        (("waivers:", "waiver:"), ":1: a waiver file holds 'waivers:'"),
        ((ENTRY, "waivers: {}\n"), ":1: waivers must be a list"),
        ((ENTRY, ""), ": a waiver file holds 'waivers:'"),
        ((ENTRY, "waivers:\n  - OPS-1\n"), ":2: waiver 1 must be a mapping"),
        ((ENTRY, "waivers: [\n"), ":2:1: not plain YAML"),
        ((ENTRY, "- a\n"), ":1: a waiver file holds 'waivers:'"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(
    change: tuple[str, str], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.yml"
    path.write_text(ENTRY.replace(*change))
    with pytest.raises(WaiverError) as refused:
        load_waivers(path)
    assert f"{path}{says}" in str(refused.value)


def test_a_pattern_that_is_none_is_named_with_its_line() -> None:
    with pytest.raises(WaiverError, match=r"w\.yml:2: hosts: 'ipvs:&' is not a host pattern"):
        over(replace(WAIVER, hosts="ipvs:&"))


@pytest.mark.parametrize("pattern", ["~web[0-9]", "web[ab]", "[2001:db8::1]:22", "web0", "a:&b"])
def test_a_pattern_that_picks_by_name_is_taken(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "w.yml"
    path.write_text(ENTRY.replace("dri*:&ipvs", pattern))
    assert load_waivers(path)[0][0].hosts == pattern


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WaiverError, match=r"none\.yml: cannot read the waivers: No such file"):
        Waivers.read(tmp_path / "none.yml", GROUPS, date(2026, 1, 1))


def test_only_a_raw_fail_of_that_control_on_those_hosts_is_waived() -> None:
    waivers = over(WAIVER)
    fail = sample_run.result("EST-4", Verdict.FAIL, "runs")
    waived = waivers.apply("drifted", fail)
    assert waived.waived
    assert waived.verdict is Verdict.FAIL
    assert waived.waiver == (
        "OPS-1: replaced in December (approved by A. Auditor, expires 2026-12-08 UTC)"
    )
    assert not waivers.apply("trap", fail).waived
    assert not waivers.apply("drifted", sample_run.result("EST-2", Verdict.FAIL, "x")).waived
    for verdict in set(Verdict) - {Verdict.FAIL}:
        other = sample_run.result("EST-4", verdict, "x")
        assert waivers.apply("drifted", other) == other


@pytest.mark.parametrize(
    ("day", "waived"), [("2026-12-08", True), ("2026-12-09", False), ("2026-01-01", True)]
)
def test_a_waiver_holds_to_the_end_of_its_day(day: str, waived: bool) -> None:
    fail = sample_run.result("EST-4", Verdict.FAIL, "runs")
    assert over(WAIVER, day=day).apply("drifted", fail).waived is waived


def test_the_first_waiver_that_holds_covers() -> None:
    expired = replace(WAIVER, ticket="OPS-0", expires="2026-01-01")
    second, third = replace(WAIVER, hosts="all", ticket="OPS-2"), replace(WAIVER, ticket="OPS-3")
    fail = sample_run.result("EST-4", Verdict.FAIL, "runs")
    assert str(over(expired, second, third).apply("drifted", fail).waiver).startswith("OPS-2")


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({"expires": "2027-06-01"}, WaiverState.IN_FORCE, "covers 1 failure"),
        (
            {"expires": "2026-12-07"},
            WaiverState.IN_FORCE,
            "covers 1 failure; expires soon, on 2026-12-07",
        ),
        ({"expires": "2026-12-08"}, WaiverState.IN_FORCE, "covers 1 failure"),
        (
            {"hosts": "all", "expires": "2027-06-01"},
            WaiverState.IN_FORCE,
            "covers 1 failure, not needed on 4 hosts",
        ),
        (
            {"expires": "2026-11-22"},
            WaiverState.EXPIRED,
            "expired on 2026-11-22; 1 failure no longer covered",
        ),
        ({"hosts": "gone*"}, WaiverState.UNMATCHED, "no host of this run matches its pattern"),
        (
            {"control": "EST-9"},
            WaiverState.UNMATCHED,
            "EST-9 was not evaluated on the hosts that it names",
        ),
        (
            {"hosts": "compliant"},
            WaiverState.NOT_NEEDED,
            "nothing to waive: pass on 1 host; remove it",
        ),
        (
            {"hosts": "idle", "control": "EST-6"},
            WaiverState.NOT_NEEDED,
            "nothing to waive: pass on 0, not proven on 1",
        ),
    ],
)
def test_what_became_of_a_waiver(change: dict[str, str], state: WaiverState, said: str) -> None:
    assert account(replace(WAIVER, **change)) == (state, said)


def test_the_days_of_warning_can_be_chosen() -> None:
    assert "expires soon" in account(WAIVER, warning_days=15)[1]
    assert "expires soon" not in account(WAIVER, warning_days=14)[1]


def test_a_pattern_names_hosts_as_limit_does() -> None:
    patterns = {
        "all": 7,
        "ipvs": 7,
        "ipvs:!drifted": 6,
        "*e*": 4,
        "~^(idle|trap)$": 2,
        "nowhere": 0,
        "drifted,trap": 2,
    }
    waivers = [replace(WAIVER, hosts=pattern) for pattern in patterns]
    found = matched(waivers, GROUPS)
    assert {one.hosts: len(names) for one, names in found.items()} == patterns
