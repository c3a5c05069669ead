"""What changed since the last run, as a mail says it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sample_run
from sample_run import DOWN, host, result

from ipvs_audit.audit.baseline import Baseline, compare
from ipvs_audit.cli.main import main
from ipvs_audit.model.results import HostState
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report import results_json
from ipvs_audit.report.changes_text import changes_text

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.model.results import HostResult, Run

BAD = result("EST-4", Verdict.FAIL, "estimation runs: run_estimation = 1")


def nights(before: tuple[HostResult, ...], now: tuple[HostResult, ...]) -> Run:
    """The second night's run, compared with the first."""
    earlier = replace(sample_run.run(before), id="2026-11-22T02-00-00Z")
    verdicts = {
        one.name: {found.control: found.verdict.value for found in one.controls}
        for one in earlier.completed().hosts
    }
    run = sample_run.run(now)
    held = Baseline(
        earlier.id,
        earlier.finished,
        "0" * 64,
        earlier.estimation,
        earlier.policy_sha256,
        frozenset(control.id for control in earlier.controls),
        verdicts,
    )
    return replace(run, baseline=compare(held, run))


def unreachable(name: str) -> HostResult:
    return replace(host(name), state=HostState.UNREACHABLE, reason=DOWN, controls=())


def test_a_night_like_the_one_before_says_nothing() -> None:
    fleet = (host("web1"), host("web2", BAD), unreachable("web3"))
    assert changes_text(nights(fleet, fleet)) == ""


def test_the_first_line_counts_what_changed_and_the_rest_names_it() -> None:
    run = nights(
        (host("web1"), host("web2", BAD), host("web3"), host("old")),
        (host("web1", BAD), host("web2"), unreachable("web3"), host("new")),
    )
    subject, _, body = changes_text(run).partition("\n")
    assert subject == (
        "1 newly failing, 6 no longer known, 1 fixed, 1 host new, 1 host not in this run any more"
    )
    assert "4 hosts in the inventory = 3 assessed + 1 unreachable + 0 excluded" in body
    assert "Newly failing:\n  EST-4 on web1: pass before, fail now\n" in body
    assert "Fixed:\n  EST-4 on web2: fail before, pass now\n" in body
    assert "EST-1 on web3: pass before, error now\n" in body
    assert "Not in this run any more:\n  old\n" in body
    assert "Compared with run 2026-11-22T02-00-00Z" in body


def test_a_host_that_failed_and_is_unreachable_now_is_not_called_fixed() -> None:
    text = changes_text(nights((host("web1", BAD),), (unreachable("web1"),)))
    assert "EST-4 on web1: fail before, error now" in text
    assert "fixed" not in text.casefold()


def test_what_still_fails_is_counted_beside_what_is_new() -> None:
    fleet = (host("web1", BAD), host("web2"))
    text = changes_text(nights(fleet, (fleet[0], host("web2", BAD))))
    assert text.startswith("1 newly failing\n")
    assert "Still failing: 1 result\n" in text


def test_a_first_run_says_its_verdict() -> None:
    run = sample_run.run((host("web1", BAD),))
    assert changes_text(run).startswith("Not compliant; no earlier run to compare with\n")


def test_another_policy_is_told_though_no_verdict_changed() -> None:
    run = nights((host("web1"),), (host("web1"),))
    assert run.baseline is not None
    noted = replace(run, baseline=replace(run.baseline, notes=("The policy differs.",)))
    assert changes_text(noted).startswith("not fully comparable\n")
    assert "The policy differs." in changes_text(noted)


def test_a_large_change_is_cut_and_a_hostile_name_adds_no_line() -> None:
    names = [f"web{number}\nBcc: x" for number in range(60)]
    run = nights(tuple(map(host, names)), tuple(host(name, BAD) for name in names))
    text = changes_text(run)
    assert text.startswith("60 newly failing\n")
    assert "  and 10 more\n" in text
    assert "\nBcc" not in text


def test_the_command_prints_it_of_a_run_and_of_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, found in (("one", host("web1")), ("two", host("web1", BAD))):
        (tmp_path / name).mkdir()
        results_json.write(sample_run.run((found,)), tmp_path / name / "results.json")
    assert main(["changes", str(tmp_path / "two")]) == 0
    assert "no earlier run to compare with" in capsys.readouterr().out
    assert main(["changes", str(tmp_path / "two"), "--baseline", str(tmp_path / "one")]) == 0
    assert capsys.readouterr().out.startswith("1 newly failing\n")
    assert main(["changes", str(tmp_path / "one"), "--baseline", str(tmp_path / "one")]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("argv", [["none"], [".", "--baseline", "none"]], ids=" ".join)
def test_a_run_that_cannot_be_read_is_a_usage_error(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["changes", *argv]) == 4
    assert "ipvs-audit changes: " in capsys.readouterr().err


def test_hostile_names_of_runs_and_hosts_do_nothing_to_a_terminal() -> None:
    run = sample_run.hostile_run()
    assert run.baseline is not None
    assert not run.baseline.id.isprintable()
    lines = changes_text(run).splitlines()
    assert any(line.startswith("Compared with run ") for line in lines)
    assert all(line.isprintable() for line in lines)
