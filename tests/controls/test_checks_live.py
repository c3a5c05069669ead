"""EST-4, EST-5 and EST-6 on snapshots made by hand: one line a state of the world."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import made
import pytest
from made import (
    ABSENT,
    LOADED,
    NO_KEY,
    OFF,
    ON,
    SILENT,
    available,
    census,
    netns,
    series,
    snapshot,
    verdict,
)

from ipvs_audit.controls.control import judge
from ipvs_audit.model.policy import Policy
from ipvs_audit.snapshot import Failure
from ipvs_audit.snapshot.counters import Movement, Series
from ipvs_audit.snapshot.namespaces import Census, parse_census
from ipvs_audit.snapshot.section import Section

if TYPE_CHECKING:
    from ipvs_audit.snapshot.kernel import Module

ENABLED = Policy(estimation="enabled")


@pytest.mark.parametrize(
    ("host", "policy", "expected"),
    [
        (netns(raw="0"), Policy(), "pass"),
        (netns(raw="1"), Policy(), "fail"),
        (netns(raw="2"), Policy(), "fail"),
        (netns(raw="-1"), Policy(), "fail"),
        (netns(raw="1", est_cpulist=""), Policy(), "fail"),
        (netns(raw="0"), ENABLED, "fail"),
        (netns(raw="1"), ENABLED, "pass"),
        (netns(raw="1", est_cpulist="0-3"), ENABLED, "pass"),
        (netns(raw="1", est_cpulist=""), ENABLED, "fail"),
        (netns(raw="1", est_cpulist="\n"), ENABLED, "fail"),
        (NO_KEY, Policy(), "not_applicable"),
        (netns(raw=None, why_unread="denied"), Policy(), "error"),
    ],
)
def test_est_4(host: made.Netns, policy: Policy, expected: str) -> None:
    assert verdict("EST-4", snapshot(census=census(host)), policy).verdict.value == expected


def test_the_value_in_a_container_does_not_prove_the_hosts() -> None:
    gap = "the probe ran inside a container (pid namespace 4026532001): it sees only its processes"
    off = verdict("EST-4", snapshot(census=census(netns(raw="0"), gaps=(gap,))))
    assert off.verdict.value == "inconclusive"
    assert "in the container's network namespace, but the probe ran inside a container" in (
        off.message
    )
    on = verdict("EST-4", snapshot(census=census(netns(raw="1"), gaps=(gap,))))
    assert on.verdict.value == "fail"


@pytest.mark.parametrize("control", ["EST-4", "EST-5", "EST-6"])
@pytest.mark.parametrize("module", [ABSENT, available(True)])
def test_nothing_runs_while_ip_vs_is_not_loaded(control: str, module: Module) -> None:
    result = verdict(control, snapshot(module=module, census=census(NO_KEY)))
    assert result.verdict.value == "not_applicable"


BLUE = netns(2, "ip netns blue", "0")
GREEN = netns(3, "ip netns green", "1")
EMPTY = netns(4, "ip netns empty", "1", services=0)
HIDDEN = netns(5, "pid 9 (sh)", None, why_unread="absent")
GONE = netns(6, "pid 10 (sh)", None, services=None, why_unread="gone")
UNSEEN = netns(7, "pid 11 (sh)", None, services=None, why_unread="unentered")
UNREAD = netns(8, "pid 12 (sh)", None, why_unread="unentered")
STOPPED = netns(9, "ip netns idle", "1", est_cpulist="")
GAP = ("not root",)
ACK = "exempt as an ACK host, but "


@pytest.mark.parametrize(
    ("others", "gaps", "policy", "expected", "says"),
    [
        ((), (), Policy(), "not_applicable", "no other network namespace that holds IPVS rules"),
        ((EMPTY,), (), Policy(), "not_applicable", ""),
        ((EMPTY,), (), Policy(namespaces="every"), "fail", "ip netns empty"),
        ((BLUE, EMPTY), (), Policy(), "pass", "ip netns blue"),
        ((BLUE, GREEN, EMPTY), (), Policy(), "fail", "ip netns green"),
        ((BLUE, GREEN), (), ENABLED, "fail", "ip netns blue"),
        ((), (), Policy(ack=True), "not_applicable", "exempt: an ACK host"),
        ((EMPTY,), (), Policy(ack=True), "not_applicable", "exempt: an ACK host"),
        ((GONE,), (), Policy(ack=True), "not_applicable", "exempt: an ACK host"),
        ((), GAP, Policy(ack=True), "not_applicable", "the census is incomplete: not root"),
        ((GREEN,), (), Policy(ack=True), "fail", f"{ACK}ip netns green holds IPVS rules; est"),
        ((BLUE, GREEN), (), Policy(ack=True), "fail", f"{ACK}ip netns blue and 1 more hold IPVS"),
        ((BLUE,), (), Policy(ack=True), "pass", f"{ACK}ip netns blue holds IPVS rules; 1 other"),
        ((BLUE,), GAP, Policy(ack=True), "inconclusive", f"{ACK}ip netns blue holds"),
        ((BLUE, UNSEEN), (), Policy(ack=True), "inconclusive", f"{ACK}ip netns blue holds"),
        ((HIDDEN,), (), Policy(ack=True), "inconclusive", f"{ACK}pid 9 (sh) holds"),
        ((STOPPED,), (), ENABLED, "fail", "= 1, est_cpulist is empty"),
        ((STOPPED,), (), Policy(), "fail", "= 1, est_cpulist is empty"),
        ((BLUE,), GAP, Policy(), "inconclusive", "not root"),
        ((), GAP, Policy(), "inconclusive", "not root"),
        ((GREEN,), GAP, Policy(), "fail", "green"),
        ((BLUE, GONE), (), Policy(), "pass", ""),
        ((GONE,), (), Policy(namespaces="every"), "not_applicable", ""),
        ((BLUE, UNSEEN), (), Policy(), "inconclusive", "pid 11"),
        ((BLUE, UNREAD), (), Policy(), "inconclusive", "pid 12"),
        ((HIDDEN,), (), Policy(), "inconclusive", "pid 9"),
    ],
)
def test_est_5(
    others: tuple[made.Netns, ...], gaps: tuple[str, ...], policy: Policy, expected: str, says: str
) -> None:
    result = verdict("EST-5", snapshot(census=census(None, *others, gaps=gaps)), policy)
    assert (result.verdict.value, says in result.message) == (expected, True), result.message
    if expected == "fail":
        assert "pid 10" not in result.message


THREADS = netns(est_cpulist="0-1")
PLACE = ("the mount namespace of pid 9, sh is seen from a chroot only",)


@pytest.mark.parametrize(
    ("host", "policy", "expected"),
    [
        (netns(), Policy(), "inconclusive"),
        # A namespace there that estimates would have a thread.
        (THREADS, Policy(), "pass"),
        (THREADS, Policy(namespaces="every"), "inconclusive"),
        (replace(THREADS, raw="1"), ENABLED, "inconclusive"),
    ],
)
def test_est_5_and_est_6_name_a_place_that_may_keep_a_namespace(
    host: made.Netns, policy: Policy, expected: str
) -> None:
    other = replace(BLUE, raw=host.raw)
    moving = OFF if host.value == 0 else ON
    evidence = snapshot(
        census=replace(census(host, other), hidden=PLACE),
        counters={one: series(one, *moving, switch=host.raw) for one in (1, other.inode)},
    )
    for control in ("EST-5", "EST-6"):
        result = verdict(control, evidence, policy)
        assert result.verdict.value == expected, (control, result.message)
        assert (PLACE[0] in result.message) == (expected == "inconclusive")


def test_est_5_does_not_accuse_a_namespace_that_is_right() -> None:
    result = verdict("EST-5", snapshot(census=census(None, BLUE, GREEN)))
    assert "blue" not in result.message


def test_est_5_lets_the_counters_speak_where_the_key_is_hidden() -> None:
    hidden_and_running = snapshot(census=census(None, HIDDEN), counters={5: series(5, *ON)})
    assert verdict("EST-5", hidden_and_running).verdict.value == "fail"


@pytest.mark.parametrize(
    ("others", "counters", "policy", "expected"),
    [
        ((), {1: OFF}, Policy(), "pass"),
        ((), {1: ON}, Policy(), "fail"),
        ((), {1: SILENT}, Policy(), "inconclusive"),
        ((), {}, Policy(), "inconclusive"),
        ((), {1: OFF}, ENABLED, "fail"),
        ((BLUE,), {1: OFF, 2: OFF}, Policy(), "pass"),
        ((BLUE,), {1: OFF, 2: SILENT}, Policy(), "inconclusive"),
        ((BLUE,), {1: OFF}, Policy(), "inconclusive"),
        ((BLUE,), {1: OFF, 2: ON}, Policy(), "fail"),
        ((), {1: OFF}, Policy(ack=True), "pass"),
        ((BLUE,), {1: OFF}, Policy(ack=True), "inconclusive"),
        ((BLUE,), {1: OFF, 2: OFF}, Policy(ack=True), "pass"),
        ((BLUE,), {1: OFF, 2: ON}, Policy(ack=True), "fail"),
        # EST-5 has disproven green by its value; the counters of the rest stand for themselves.
        ((GREEN,), {1: OFF, 3: ON}, Policy(), "pass"),
        ((HIDDEN,), {1: OFF, 5: ON}, Policy(), "fail"),
        ((EMPTY,), {1: OFF}, Policy(namespaces="every"), "pass"),
    ],
)
def test_est_6(
    others: tuple[made.Netns, ...],
    counters: dict[int, tuple[tuple[float, int, int], ...]],
    policy: Policy,
    expected: str,
) -> None:
    evidence = snapshot(
        census=census(None, *others),
        counters={inode: series(inode, *samples) for inode, samples in counters.items()},
    )
    assert verdict("EST-6", evidence, policy).verdict.value == expected


@pytest.mark.parametrize(
    ("cpulist", "expected"), [(None, "inconclusive"), ("0-3", "inconclusive"), ("", "pass")]
)
def test_est_6_does_not_pass_against_the_switch(cpulist: str | None, expected: str) -> None:
    """Totals that were zeroed in between may stand still by chance."""
    counters = {1: series(1, *OFF, switch="1", est_cpulist=cpulist)}
    evidence = snapshot(census=census(netns(raw="1", est_cpulist=cpulist)), counters=counters)
    assert verdict("EST-6", evidence).verdict.value == expected


ON_AFTER = series(1, *OFF, switch="1")


@pytest.mark.parametrize(
    ("before", "found", "expected", "said"),
    [
        ("0", series(1, *OFF), "pass", ""),
        # Switched on after the last tick that the samples cover, or only for the first reading.
        ("0", ON_AFTER, "inconclusive", "reads 0 at first and reads 1 at the end"),
        ("1", series(1, *OFF), "inconclusive", "reads 1 at first and reads 0 at the end"),
        # An est_cpulist that was empty for a while, with the switch on all the time.
        ("1", ON_AFTER, "inconclusive", "it reads 1"),
        ("0", replace(ON_AFTER, switch=None), "inconclusive", "was not read again"),
        ("0", series(1, *OFF, switch=None), "inconclusive", "could not be read at the end"),
        # Loaded anew, or not known whether it was.
        ("0", replace(series(1, *OFF), same_module=False), "inconclusive", "loaded anew"),
        ("0", replace(series(1, *OFF), same_module=None), "inconclusive", "/sys/module/ip_vs"),
        ("0", replace(series(1, *OFF), moved=True), "inconclusive", "ended or left it"),
        ("0", replace(series(1, *ON), moved=True), "inconclusive", "ended or left it"),
        # The totals grew although the switch reads 0 both times: a fail that names the oddity.
        ("0", series(1, *ON), "fail", "but the switch says off there"),
        ("1", series(1, *ON, switch="1"), "fail", ""),
    ],
)
def test_est_6_passes_only_where_the_switch_reads_off_before_and_after(
    before: str, found: Series, expected: str, said: str
) -> None:
    evidence = snapshot(census=census(netns(raw=before)), counters={1: found})
    result = verdict("EST-6", evidence)
    assert result.verdict.value == expected, result.message
    assert said in result.message


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (series(1, *ON, switch="1"), "pass"),
        (series(1, *ON, switch="0"), "inconclusive"),
        (series(1, *ON, switch="1", est_cpulist=""), "inconclusive"),
        # Not a fail: the estimator starts some seconds after the first service is added.
        (series(1, *OFF, switch="1"), "inconclusive"),
    ],
)
def test_est_6_where_estimation_is_wanted_and_the_switch_is_on_at_first(
    found: Series, expected: str
) -> None:
    evidence = snapshot(census=census(netns(raw="1")), counters={1: found})
    assert verdict("EST-6", evidence, ENABLED).verdict.value == expected


def test_a_built_in_ip_vs_cannot_be_loaded_anew() -> None:
    found = replace(series(1, *OFF), same_module=None)
    evidence = snapshot(module=replace(LOADED, state="builtin"), counters={1: found})
    assert verdict("EST-6", evidence).verdict.value == "pass"


def test_est_6_never_passes_on_an_incomplete_census() -> None:
    evidence = snapshot(census=census(None, gaps=GAP))
    assert verdict("EST-6", evidence).verdict.value == "inconclusive"
    assert verdict("EST-6", evidence, Policy(ack=True)).verdict.value == "pass"


def test_est_6_never_passes_without_rules_anywhere() -> None:
    evidence = snapshot(census=census(netns(services=0)), counters={})
    assert verdict("EST-6", evidence).verdict.value == "inconclusive"


#: Samples (time, raw, totals) that show each movement.
MOVEMENTS: dict[Movement, tuple[tuple[float, int, int], ...]] = {
    Movement.FROZEN: OFF,
    Movement.RUNNING: ON,
    Movement.NO_TRAFFIC: SILENT,
    Movement.TOO_LATE: ((0.0, 10, 3), (2.0, 10, 3), (5.2, 20, 3)),
    Movement.WENT_DOWN: ((0.0, 10, 3), (2.0, 14, 0), (5.2, 20, 0)),
    Movement.RELOADED: OFF,
    Movement.MOVED: OFF,
    Movement.TOO_FEW: ((0.0, 10, 3),),
    Movement.GARBLED: OFF,
}


@pytest.mark.parametrize("cpulist", [None, "0-3", ""])
@pytest.mark.parametrize("raw", ["0", "1", None])
@pytest.mark.parametrize("policy", [Policy(), ENABLED], ids=["disabled", "enabled"])
@pytest.mark.parametrize("movement", Movement)
def test_est_6_passes_only_where_counters_and_switch_prove_the_same(
    movement: Movement, policy: Policy, raw: str | None, cpulist: str | None
) -> None:
    host = netns(raw=raw, why_unread="" if raw else "absent", est_cpulist=cpulist)
    found = series(1, *MOVEMENTS[movement], switch=raw, est_cpulist=cpulist)
    found = replace(
        found,
        moved=movement is Movement.MOVED,
        same_module=movement is not Movement.RELOADED,
        garbled="line 'x' is not of its form" if movement is Movement.GARBLED else "",
    )
    assert found.movement is movement
    result = verdict("EST-6", snapshot(census=census(host), counters={1: found}), policy)
    off = raw == "0" or cpulist == ""
    proven, disproven = Movement.FROZEN, Movement.RUNNING
    if policy is ENABLED:
        proven, disproven = disproven, proven
    agrees = off == (policy is not ENABLED)
    # Frozen totals against a switch that says on may be an estimator that is about to start.
    late = policy is ENABLED and agrees
    expected = {
        proven: "pass" if agrees else "inconclusive",
        disproven: "inconclusive" if late else "fail",
        Movement.GARBLED: "error",
    }
    assert result.verdict.value == expected.get(movement, "inconclusive"), result.message


def read_census(text: str, *threads: str) -> Census:
    """The census as the probe tells it."""
    return parse_census(Section("netns", "", f"{text}end\n", None, 1.0), threads)


OWN_0 = "host 1 run_estimation=0 est_cpulist=0-3 services=1 destinations=1 name=host\n"
BLUE_0 = OWN_0.replace("host 1", "netns 2").replace("name=host", "name=ip netns blue")
WENT = "netns 3 unread=gone name=ip netns late\n"


@pytest.mark.parametrize(
    ("text", "threads", "policy", "expected"),
    [
        (OWN_0 + BLUE_0, (), Policy(), ("pass", "pass", "pass")),
        (OWN_0 + BLUE_0 + WENT, (), Policy(), ("pass", "pass", "pass")),
        (OWN_0 + BLUE_0 + WENT, ("ipvs-e:3:0",), Policy(), ("pass", *["inconclusive"] * 2)),
        (OWN_0 + BLUE_0, ("ipvs-e:3:0",), Policy(), ("pass", *["inconclusive"] * 2)),
        (OWN_0, ("ipvs-e:3:0",), Policy(), ("pass", *["inconclusive"] * 2)),
        (OWN_0, ("ipvs-e:3:0",), Policy(ack=True), ("pass", *["inconclusive"] * 2)),
        (OWN_0 + BLUE_0, ("ipvs-e:0:0",), Policy(), ("inconclusive",) * 3),
        (OWN_0, ("ipvs-e:0:0",), Policy(ack=True), ("inconclusive", "not_applicable",
                                                     "inconclusive")),
    ],
)  # fmt: skip
def test_a_thread_of_the_estimator_that_nothing_explains_lets_nothing_pass(
    text: str, threads: tuple[str, ...], policy: Policy, expected: tuple[str, ...]
) -> None:
    evidence = snapshot(
        census=read_census(text, *threads), counters={1: series(1, *OFF), 2: series(2, *OFF)}
    )
    for control, word in zip(("EST-4", "EST-5", "EST-6"), expected, strict=True):
        result = verdict(control, evidence, policy)
        assert result.verdict.value == word, f"{control}: {result.message}"
        if word == "inconclusive":
            assert threads[0] in result.message


@pytest.mark.parametrize("control", ["EST-1", "EST-4", "EST-5", "EST-6"])
def test_a_host_that_was_not_collected_is_an_error_with_its_reason(control: str) -> None:
    failed = Failure("web1", "unreachable", "web1:22 refused the connection", "", "")
    result = judge(made.check(control), failed, Policy())
    assert result.verdict.value == "error"
    assert "refused" in result.message


@pytest.mark.parametrize("control", ["EST-1", "EST-4", "EST-5", "EST-6"])
def test_a_probe_that_brought_nothing_is_an_error_never_a_pass(control: str) -> None:
    empty = made.Snapshot("web1", made.COLLECTED, {})
    assert verdict(control, empty).verdict.value == "error"


@pytest.mark.parametrize("control", ["EST-1", "EST-4", "EST-5", "EST-6"])
def test_every_verdict_says_what_was_expected(control: str) -> None:
    assert verdict(control, snapshot(module=replace(LOADED))).expected
