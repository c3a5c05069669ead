"""The history of many runs: the model by hand, then runs as they are written."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sample_run
from sample_run import host, result

from ipvs_audit.model.results import HostState
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report import manifest, results_json
from ipvs_audit.report.errors import ReportError
from ipvs_audit.report.history import SHOWN, History, SeenHost, SeenRun
from ipvs_audit.report.history_runs import read_history
from ipvs_audit.report.summary import Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
F, P = ("EST-4",), ()


def seen(name: str, failing: Iterable[str] = (), **more: Any) -> SeenHost:
    """A host on which EST-4 and EST-2 pass, but for what fails."""
    failing = tuple(failing)
    given = {
        "status": Status.FAIL if failing else Status.PASS,
        "collected": None,
        "direction": "disabled",
        "before": (),
        "passing": tuple(one for one in ("EST-4", "EST-2") if one not in failing),
    }
    return SeenHost(name, failing=failing, **(given | more))


def unreachable(name: str) -> SeenHost:
    return seen(name, status=Status.ERROR, passing=())


def history(*nights: Iterable[SeenHost], **more: Any) -> History:
    """A run every night at two."""
    made = History()
    for number, hosts in enumerate(nights):
        started = NIGHT + timedelta(days=number)
        given = {"remarks": (), "policy": "p", "version": "1", "left_out": 0} | more
        at = started + timedelta(minutes=1)
        made.add(SeenRun(f"run-{number}", started, at, hosts=tuple(hosts), **given))
    return made


def test_time_to_fix_is_from_first_seen_failing_to_first_seen_fixed() -> None:
    made = history([seen("a")], [seen("a", F)], [seen("a", F)], [seen("a")])
    assert made.mean_time_to_fix == timedelta(days=2)
    assert [(one.newly_failing, one.fixed) for one in made.points] == [
        (None, None),
        (1, 0),
        (0, 0),
        (0, 1),
    ]
    assert [(one.name, one.since) for one in made.fixed] == [("a", NIGHT + timedelta(days=1))]
    assert made.failing == made.not_seen_fixed == []


def test_the_mean_is_over_all_fixes_and_a_host_can_be_fixed_twice() -> None:
    made = history(
        [seen("a"), seen("b")],
        [seen("a", F), seen("b", F)],
        [seen("a"), seen("b", F)],
        [seen("a", F), seen("b", F)],
        [seen("a"), seen("b")],
    )
    assert made.fixes == 3
    assert made.mean_time_to_fix == timedelta(days=5) / 3


@pytest.mark.parametrize(
    "then",
    [
        [unreachable("a")],
        [seen("a", status=Status.INCONCLUSIVE, passing=("EST-2",))],
        [seen("a", status=Status.NOT_APPLICABLE, passing=())],
        [seen("a", status=Status.NOT_EVALUATED, passing=())],
        [],
    ],
    ids=["unreachable", "inconclusive", "not applicable", "not evaluated", "gone"],
)
def test_only_a_pass_of_the_same_control_fixes(then: list[SeenHost]) -> None:
    made = history([seen("a")], [seen("a", F)], then)
    assert made.points[-1].fixed == 0
    assert made.failing == []
    (one,) = made.not_seen_fixed
    assert (one.name, one.controls, one.since.number, one.last.number) == ("a", F, 1, 1)
    assert one.status == (then[0].status if then else None)
    assert made.fixes == 0


def test_what_fails_again_after_a_doubt_has_failed_all_the_time_and_is_not_new() -> None:
    made = history([seen("a")], [seen("a", F)], [unreachable("a")], [seen("a", F)])
    assert made.newly_failing == {}
    assert [(one.since.number, one.earlier) for one in made.failing] == [(1, False)]


def test_a_host_is_fixed_when_each_of_its_controls_has_passed() -> None:
    both = ("EST-2", "EST-4")
    partly = seen("a", status=Status.INCONCLUSIVE, passing=("EST-2",))
    made = history([seen("a")], [seen("a", both)], [partly])
    assert [one.controls for one in made.not_seen_fixed] == [("EST-4",)]
    made = history([seen("a")], [seen("a", both)], [partly], [seen("a", passing=("EST-4",))])
    assert made.mean_time_to_fix == timedelta(days=2)


def test_another_control_of_a_host_that_fails_is_newly_failing() -> None:
    made = history([seen("a")], [seen("a", F)], [seen("a", ("EST-2", "EST-4"))])
    assert made.newly_failing == {"a": ("EST-2",)}
    assert [one.since.number for one in made.failing] == [1]


def test_hosts_that_failed_in_the_oldest_run_are_left_out_of_the_mean() -> None:
    made = history([seen("a", F), seen("b")], [seen("a"), seen("b", F)], [seen("a"), seen("b")])
    assert (made.fixes, made.unknown_start) == (1, 1)
    assert made.mean_time_to_fix == timedelta(days=1)
    assert history([seen("a", F)]).failing[0].earlier


def test_a_host_that_was_never_seen_to_pass_is_left_out_unless_it_is_new() -> None:
    made = history([unreachable("a")], [seen("a", F), seen("new", F)], [seen("a"), seen("new")])
    assert (made.fixes, made.unknown_start) == (1, 1)
    partial = history([], [seen("a", F)], [seen("a")], left_out=1)
    assert (partial.fixes, partial.unknown_start) == (0, 1)


def test_the_longest_failing_comes_first() -> None:
    made = history([seen("b", F), seen("a")], [seen("a", F), seen("b", F)])
    assert [one.name for one in made.failing] == ["b", "a"]


def test_what_remediation_fixes_in_the_run_that_saw_it_fail_is_fixed_and_not_newly_failing() -> (
    None
):
    made = history([seen("a")], [seen("a", before=F)])
    assert (made.points[-1].newly_failing, made.points[-1].fixed) == (0, 1)
    assert made.mean_time_to_fix is None
    made = history([seen("a")], [seen("a", F)], [seen("a", before=F)])
    assert made.mean_time_to_fix == timedelta(days=1)


def test_old_evidence_that_is_evaluated_again_fixes_nothing_and_fails_nothing() -> None:
    first, second = NIGHT, NIGHT + timedelta(days=1)
    made = history(
        [seen("a", collected=first)],
        [seen("a", F, collected=second)],
        [seen("a", collected=first)],
        [seen("a", collected=second)],
    )
    assert [one.since.number for one in made.not_seen_fixed] == [1]
    assert "1 host is judged by evidence older" in made.points[2].remarks[0]
    made = history(
        [seen("a", F, collected=first)],
        [seen("a", collected=second)],
        [seen("a", F, collected=first)],
    )
    assert made.newly_failing == {}


def test_evidence_that_is_dated_ahead_does_not_outlast_what_comes_later() -> None:
    ahead = NIGHT + timedelta(days=1000)
    made = history(
        [seen("a", collected=ahead)], [seen("a", F, collected=NIGHT + timedelta(days=1))]
    )
    assert made.newly_failing == {"a": F}


def test_a_host_of_which_the_other_direction_is_asked_now_has_no_old_failure() -> None:
    made = history([seen("a", F)], [seen("a", direction="enabled")])
    assert made.not_seen_fixed == []
    assert (made.fixes, made.unknown_start, made.points[-1].fixed) == (0, 0, 0)


def test_the_hosts_of_a_run_add_up_to_its_inventory() -> None:
    made = history([seen("a"), seen("b", F), unreachable("c")], left_out=4)
    assert made.points[0].hosts == dict.fromkeys(SHOWN, 0) | {
        Status.PASS: 1,
        Status.FAIL: 1,
        Status.ERROR: 1,
        Status.NOT_EVALUATED: 4,
    }


def test_what_is_kept_does_not_grow_with_hosts_times_runs() -> None:
    def kept(value: object, known: set[int]) -> int:
        """Bytes of a value and all that it holds, each once."""
        if id(value) in known:
            return 0
        known.add(id(value))
        size = sys.getsizeof(value)
        if isinstance(value, dict):
            return size + sum(kept(each, known) for pair in value.items() for each in pair)
        if isinstance(value, list | tuple | set):
            return size + sum(kept(each, known) for each in value)
        names = getattr(type(value), "__slots__", ()) or getattr(value, "__dict__", {})
        return size + sum(kept(getattr(value, name, None), known) for name in names)

    fleet = [seen(f"web{number}", F if number % 7 == 0 else P) for number in range(500)]
    made = [history(*[fleet] * runs) for runs in (10, 210)]
    less, more = (kept(one, set()) for one in made)
    assert more - less < 200 * 1_000


def test_a_host_that_passes_what_was_selected_does_not_pass() -> None:
    some = replace(host("a"), controls=(result("EST-4"),))
    run = sample_run.run((some,))
    assert SeenHost.of(some, run).status is Status.NOT_EVALUATED
    assert SeenHost.of(host("a"), run).status is Status.PASS
    assert SeenHost.of(sample_run.EXCLUDED, run).status is Status.NOT_EVALUATED


def test_a_waived_fail_fails() -> None:
    waived = host("a", result("EST-4", Verdict.FAIL, waiver="OPS-1"))
    found = SeenHost.of(waived, sample_run.run((waived,)))
    assert (found.status, found.failing) == (Status.WAIVED, F)


BAD = result("EST-4", Verdict.FAIL)


def write(reports: Path, name: str, *hosts: Any, **more: Any) -> Path:
    """A run of a night in November, by its day or its whole name."""
    started = f"2026-11-{name[:2]}T02:00:00.000Z"
    fleet = tuple(replace(one, started=started, finished=started) for one in hosts)
    run = replace(sample_run.run(fleet), id=name, started=started, finished=started, **more)
    (reports / name).mkdir(parents=True)
    results_json.write(run.completed(), reports / name / "results.json")
    manifest.write(reports / name)
    return reports / name


def test_runs_are_read_in_the_order_in_which_they_were_started(tmp_path: Path) -> None:
    write(tmp_path, "03", host("web1"))
    write(tmp_path, "01", host("web1"))
    newest = write(tmp_path, "02-and-more", host("web1", BAD))
    (tmp_path / "latest").symlink_to(newest, target_is_directory=True)
    (tmp_path / ".aside").mkdir()
    made, left_out = read_history(tmp_path)
    assert [one.place for one in made.points] == ["01", "02-and-more", "03"]
    assert left_out == []
    assert made.mean_time_to_fix == timedelta(days=1)


def test_two_runs_of_one_second_are_both_there_by_name(tmp_path: Path) -> None:
    write(tmp_path, "01", host("web1"))
    write(tmp_path, "01-2", host("web1", BAD), operator="other")
    made, _ = read_history(tmp_path)
    assert [one.place for one in made.points] == ["01", "01-2"]


def test_a_copy_of_a_run_is_named_and_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "01", host("web1"))
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "results.json").write_bytes((path / "results.json").read_bytes())
    made, left_out = read_history(tmp_path)
    assert len(made.points) == 1
    assert [(one.place, one.reason) for one in left_out] == [("copy", "is the same run as 01")]


def test_runs_of_the_other_direction_than_the_newest_are_named_and_left_out(tmp_path: Path) -> None:
    write(tmp_path, "01", host("web1"), estimation="enabled")
    write(tmp_path, "02", host("web1"))
    write(tmp_path, "03", host("web1"), estimation="enabled")
    broken = write(tmp_path, "04", host("web1")) / "results.json"
    broken.write_text(broken.read_text()[:-4])
    manifest.write(broken.parent)
    made, left_out = read_history(tmp_path)
    assert [one.place for one in made.points] == ["01", "03"]
    assert {one.place for one in left_out} == {"02", "04"}
    assert "requires estimation to be disabled" in left_out[0].reason


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: text[:-4], "cut short"),
        (lambda text: text.replace('"fail":1', '"fail":0'), "add up to"),
        (lambda _: "{}", "not laid out"),
        (lambda text: text.replace("web2", "web1"), "the host web1 is a duplicate"),
        (lambda text: text.replace("2026-11-02T02", "2026-19-02T02"), "month must be in"),
    ],
    ids=["cut", "counts", "another", "twice", "no date"],
)
def test_a_broken_run_is_named_and_nothing_of_it_counts(
    spoil: Any, reason: str, tmp_path: Path
) -> None:
    write(tmp_path, "01", host("web1"), host("web2"))
    path = write(tmp_path, "02", host("web1", BAD), host("web2")) / "results.json"
    write(tmp_path, "03", host("web1"), host("web2"))
    path.write_text(spoil(path.read_text()))
    changed, left_out = read_history(tmp_path)
    assert "differs from the digest in the manifest" in left_out[0].reason
    manifest.write(path.parent)
    made, left_out = read_history(tmp_path)
    for one in (changed, made):
        assert [point.place for point in one.points] == ["01", "03"]
        assert one.fixes == 0
    assert [one.place for one in left_out] == ["02"]
    assert reason in left_out[0].reason


def test_a_directory_without_runs_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="holds none"):
        read_history(tmp_path)
    with pytest.raises(ReportError, match="name the directory that holds the runs"):
        read_history(tmp_path / "gone")
    with pytest.raises(ReportError, match="is a run"):
        read_history(write(tmp_path, "01", host("web1")))
    (tmp_path / "01" / "results.json").write_text("")
    with pytest.raises(ReportError, match="none of 1 run can be read; 01: "):
        read_history(tmp_path)


def test_what_makes_a_run_hard_to_compare_is_said(tmp_path: Path) -> None:
    write(tmp_path, "01", host("web1"))
    write(
        *(tmp_path, "02", host("web1")),
        policy_sha256="0" * 64,
        version="9",
        interrupted=True,
        left_out=2,
        controls=sample_run.CONTROLS[:5],
    )
    made, _ = read_history(tmp_path)
    assert made.points[0].remarks == ()
    assert made.points[1].remarks == (
        "the policy changed",
        "ipvs-audit 9 instead of 0.1.0",
        "interrupted",
        "2 hosts left out",
        "not evaluated: EST-6",
    )
    down = replace(host("web1"), state=HostState.UNREACHABLE, reason="x", controls=())
    write(tmp_path, "03", down)
    assert read_history(tmp_path)[0].points[-1].hosts[Status.ERROR] == 1
