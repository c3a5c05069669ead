"""What a person sees while hosts are collected."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console

from ipvs_audit.audit import progress
from ipvs_audit.audit.progress import Progress, Tally
from ipvs_audit.snapshot import CollectionInfo, Failure, Snapshot

if TYPE_CHECKING:
    import pytest

GOOD = Snapshot("web1", CollectionInfo("", "", "", "", ""), {})
BAD = Failure("web2", "unreachable", "no", "", "")


def test_tells_hosts_unreachable_rate_and_time_left() -> None:
    tally = Tally(100, started=50.0)
    for evidence in (GOOD, BAD, GOOD, GOOD):
        tally.count(evidence)
    assert tally.line(60.0) == (
        "collecting: 4 of 100 hosts, 1 unreachable, 0.4 hosts/s, about 4 min left"
    )
    assert tally.end(60.0) == "collected 4 of 100 hosts in 10 s, 1 unreachable"


def test_hosts_that_fail_are_told_where_that_is_known() -> None:
    tally = Tally(100, started=50.0)
    for evidence, fails in ((GOOD, True), (GOOD, False), (BAD, True), (GOOD, True)):
        tally.count(evidence, fails=fails)
    assert tally.line(52.0).startswith("collecting: 4 of 100 hosts, 2 failing, 1 unreachable, ")
    assert tally.end(60.0) == "collected 4 of 100 hosts in 10 s, 2 failing, 1 unreachable"


def test_tells_no_time_from_the_first_of_many_that_wait_for_their_second_sample() -> None:
    assert Tally(10_000, started=0.0, done=1).line(5.1) == (
        "collecting: 1 of 10,000 hosts, 0 unreachable, 0.2 hosts/s"
    )


def test_tells_no_time_where_none_or_all_are_done() -> None:
    assert "left" not in Tally(100, started=0.0).line(15.0)
    assert "left" not in Tally(2, started=0.0, done=2).line(15.0)


def test_off_a_terminal_it_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    out = io.StringIO()
    with Progress(Console(file=out, width=40)).track(2) as tell:
        tell(GOOD)
        tell(BAD)
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("collecting: 1 of 2 hosts, 0 unreachable, ")
    assert re.fullmatch(r"collected 2 of 2 hosts in [\d.]+ m?s, 1 unreachable", lines[2])
    assert "\x1b" not in out.getvalue()


def test_off_a_terminal_a_quick_run_is_one_line() -> None:
    out = io.StringIO()
    with Progress(Console(file=out)).track(50) as tell:
        for _ in range(50):
            tell(GOOD)
    assert len(out.getvalue().splitlines()) == 1


def test_on_a_terminal_it_is_a_bar_with_the_same_figures() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with Progress(console, lambda _: True).track(2) as tell:
        tell(GOOD)
        tell(BAD)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out.getvalue())
    assert "2/2 hosts, 1 failing, 1 unreachable," in text
