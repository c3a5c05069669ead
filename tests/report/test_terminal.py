from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_run
from rich.console import Console

from ipvs_audit.report.terminal import render_summary

if TYPE_CHECKING:
    from ipvs_audit.model.results import Run

REPORTS = Path("reports/2026-11-23T02-00-00Z")
WITH_EXCLUDED = sample_run.run((*sample_run.lab_hosts(), sample_run.EXCLUDED))


def printed(run: Run, width: int = 80, *, terminal: bool = False) -> str:
    out = io.StringIO()
    render_summary(run, REPORTS, Console(file=out, width=width, force_terminal=terminal))
    return out.getvalue()


def test_the_verdict_the_sum_and_the_place_are_told() -> None:
    text = printed(WITH_EXCLUDED)
    assert text.strip().startswith("Not compliant: 3 of 8 hosts fail the policy; 1 could not")
    assert "8 hosts in the inventory = 6 assessed + 1 unreachable + 1 excluded" in text
    assert "\nreport: reports/2026-11-23T02-00-00Z/index.html\nnext, " in text


def test_a_failing_run_ends_with_the_next_command_in_one_piece() -> None:
    last = printed(WITH_EXCLUDED, 40).splitlines()[-1]
    assert last == "    pytest --inventory inventories/lab.yml --limit drifted,trap,legacy"


def test_a_machine_without_ip_vs_is_told_once_and_what_to_do() -> None:
    why = "ip_vs is not present on this host"
    na = sample_run.Verdict.NOT_APPLICABLE
    results = [sample_run.result(one.id, na, why) for one in sample_run.CONTROLS]
    lone = sample_run.run((sample_run.host("localhost", *results),))
    text = printed(replace(lone, argv=("pytest",)))
    assert text.count("not present") == 1
    assert "EST-" not in text
    assert text.endswith("next, to audit the hosts that run IPVS:\n    pytest --inventory FILE\n")


def test_why_nothing_applies_does_nothing_to_the_terminal() -> None:
    na = sample_run.Verdict.NOT_APPLICABLE
    results = [sample_run.result(one.id, na, "a\x1b]0;pwned\x07\nb") for one in sample_run.CONTROLS]
    text = printed(sample_run.run((sample_run.host("localhost", *results),)))
    assert "a\\x1b]0;pwned\\x07\\nb" in text
    assert "\x1b" not in text


def test_controls_that_say_the_same_of_the_same_hosts_say_it_once() -> None:
    why = "the root of process 1 cannot be inspected"
    unknown = sample_run.Verdict.INCONCLUSIVE
    results = [sample_run.result(f"EST-{number}", unknown, why) for number in (1, 2, 3)]
    text = printed(sample_run.run((sample_run.host("web1", *results),)))
    assert text.count(why) == 1
    assert "inconclusive EST-1, EST-2, EST-3 on web1\n" in text


@pytest.mark.parametrize("size", [1, 7, 2000])
@pytest.mark.parametrize("width", [80, 100, 200])
def test_what_is_printed_is_ascii_and_fits(size: int, width: int) -> None:
    text = printed(sample_run.run(sample_run.fleet(size)), width)
    assert text.isascii()
    *lines, _ = text.splitlines()  # the command is for copying
    assert max(map(len, lines)) <= width


def test_one_more_is_not_called_several() -> None:
    failing = sample_run.lab_hosts()[1]
    hosts = [replace(failing, name=f"web{number}") for number in range(31)]
    text = printed(sample_run.run((*hosts, sample_run.host("good"))))
    assert "and 1 more host that does not pass everything\n" in text
    assert "and 1 host with nothing to report\n" in text


def test_the_table_has_a_row_a_host_and_whole_words_at_80_columns() -> None:
    rows = [line.split() for line in printed(WITH_EXCLUDED).splitlines()]
    assert "drifted pass fail fail fail not applicable fail".split() in rows  # noqa: SIM905
    assert "idle pass pass pass pass not applicable inconclusive".split() in rows  # noqa: SIM905
    assert ["spare", "excluded"] in rows


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    *lines, _ = printed(WITH_EXCLUDED, width).splitlines()  # the command is for copying
    assert max(map(len, lines)) <= width


def test_a_narrow_terminal_gets_short_words_and_their_meaning() -> None:
    text = printed(sample_run.run(), 60)
    assert "inconcl. = inconclusive, waived = waived fail, n/a = not" in text


def test_failures_say_what_is_wrong_and_how_to_put_it_right() -> None:
    text = printed(WITH_EXCLUDED)
    assert "fail EST-4 live-value on drifted\n    estimation runs: run_estimation = 1\n" in text
    assert "    fix: sysctl -w net.ipv4.vs.run_estimation=0\n" in text
    assert "    waiver: OPS-1412" in text


def test_an_unreachable_host_is_told_once() -> None:
    assert printed(WITH_EXCLUDED).count("refused the connection") == 1


def test_one_message_on_many_hosts_is_one_finding() -> None:
    text = printed(sample_run.run(sample_run.fleet(400)))
    assert text.count("estimation runs: run_estimation = 1") == 1
    assert "fail EST-4 live-value on 12 hosts" in text


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_ends_in_blanks(width: int, *, terminal: bool) -> None:
    for fleet in (WITH_EXCLUDED, sample_run.run(sample_run.fleet(40))):
        text = re.sub(r"\x1b\[[\d;]*m", "", printed(fleet, width, terminal=terminal))
        assert not [line for line in text.split("\n") if line != line.rstrip()]


def test_a_fleet_does_not_flood_the_terminal() -> None:
    text = printed(sample_run.run(sample_run.fleet(10_000)))
    assert text.count("\n") < 150
    assert "and 1,637 more hosts that do not pass everything" in text
    assert "and 8,333 hosts with nothing to report" in text


def test_findings_without_end_are_counted() -> None:
    hosts = tuple(
        sample_run.host(
            f"web{number}",
            sample_run.result("EST-4", sample_run.Verdict.FAIL, f"{number}: " + "x" * 100_000),
        )
        for number in range(100)
    )
    text = printed(replace(sample_run.run(hosts), notes=tuple("n" * 9_000 for _ in range(99))))
    assert "and 80 more findings in the report" in text
    assert text.count("\n") < 400


def test_there_is_colour_on_a_terminal_only() -> None:
    assert "\x1b[" in printed(WITH_EXCLUDED, terminal=True)
    assert "\x1b" not in printed(WITH_EXCLUDED)


def test_hostile_text_does_nothing_to_the_terminal() -> None:
    for terminal in (False, True):
        text = printed(sample_run.hostile_run(), terminal=terminal)
        for bad in ("\x1b]", "\x1b[31;1m", "\x1b[2J", "\x07", "\x9b", "\r", "\u202e", "\ud800"):
            assert bad not in text
        assert "[bold red]markup" in text or "[bold" in text


def test_an_empty_inventory_is_said_so() -> None:
    assert "Not evaluated: the inventory has no hosts." in printed(sample_run.run(()))


def test_a_long_report_path_is_never_wrapped() -> None:
    out = io.StringIO()
    path = Path("/srv") / ("x" * 100) / "run"
    render_summary(sample_run.run(), path, Console(file=out, width=80))
    assert f"report: {path}/index.html\n" in out.getvalue()


def test_the_way_out_of_an_error_is_not_cut() -> None:
    message = (
        "host key not known: " + "/a/long/path " * 40 + "or run with --host-key-policy accept-new"
    )
    down = replace(sample_run.lab_hosts()[-1], reason=message)
    assert "accept-new" in printed(sample_run.run((down,)))
