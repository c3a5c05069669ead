"""Network namespaces that hide, on a host with systemd: found, named, judged and remediated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from planned import value_steps
from remedied import VALUE, Remedied

from ipvs_audit.model.verdict import Verdict
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.guest import Guest

SERVICE = "ipvsadm -A -t 10.9.9.9:80 -s rr"
HOLD = "</dev/null >/dev/null 2>&1 &"
READY = "until [ -e /run/ready ]; do sleep 0.2; done; rm /run/ready"


def holding(name: str) -> str:
    return f"ip netns add {name} && ip netns exec {name} {SERVICE} && touch /run/ready && sleep 900"


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def host(request: pytest.FixtureRequest, _qemu_works: None) -> Iterator[Remedied]:
    folder = lab_fleet.own_folder() / f"census-{request.param}"
    guest = lab_fleet.boot(request.param, folder, name="census", states=["recipe"])
    yield Remedied(guest)
    guest.stop()


def test_units_with_mounts_of_their_own_hide_nothing(host: Remedied) -> None:
    """An ordinary host has several mount namespaces, and a census without gaps."""
    evidence = host.collect()
    told = host.guest.ssh("stat -Lc %i /proc/[0-9]*/ns/mnt 2>/dev/null | sort -u | wc -l").stdout
    assert int(told) > 1
    assert (evidence.census.gaps, evidence.census.hidden) == ((), ())
    assert host.verdicts(evidence)["EST-5"] == "not_applicable"


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (
            "systemd-run --unit=hid -p PrivateTmp=yes sh -c",
            "systemctl stop hid",
            r"ip netns hid \(mount namespace of pid [0-9]+, hid.service\)",
        ),
        (
            "setsid unshare -m sh -c",
            "pkill -f 'sleep 900'",
            r"ip netns hid \(mount namespace of pid [0-9]+, .*\)",
        ),
    ],
    ids=["unit", "unshare"],
)
def test_rules_in_a_hidden_namespace_fail_and_are_remediated(
    host: Remedied, start: str, end: str, name: str
) -> None:
    behind = ";" if start.startswith("systemd") else HOLD
    host.guest.ssh(f"{start} '{holding('hid')}' {behind} {READY}")
    try:
        evidence = host.collect()
        result = host.results(evidence)["EST-5"]
        assert result.verdict is Verdict.FAIL, result
        (hidden,) = [one for one in evidence.census.others if one.holds_rules]
        assert hidden.raw == "1"
        assert re.fullmatch(name, hidden.name), hidden.name
        made = host.plan(evidence)
        assert [step.inode for step in value_steps(made)] == [hidden.inode]
        report = host.apply(made)
        assert not report.unsettled, report.problem
        assert host.verdicts(host.collect())["EST-5"] == "pass"
        assert host.undo().undo_complete
        assert host.verdicts(host.collect())["EST-5"] == "fail"
    finally:
        host.guest.ssh(f"{end}; umount /run/netns/hid; rm -f /run/netns/hid; true", check=False)
    assert host.verdicts(host.collect())["EST-5"] == "not_applicable"


def test_one_whose_path_is_hidden_is_a_gap_and_several_keep_their_names(host: Remedied) -> None:
    make = "".join(f"ip netns add {name}; " for name in ("a", "b", "late"))
    host.guest.ssh(
        f"{make} ip netns exec late {SERVICE}; ip netns exec late sh -c 'echo 0 >{VALUE}'"
    )
    evidence = host.collect()
    assert [one.name for one in evidence.census.others] == [
        "ip netns a",
        "ip netns b",
        "ip netns late",
    ]
    assert host.verdicts(evidence)["EST-5"] == "pass"
    host.guest.ssh("mount -t tmpfs none /run/netns")
    try:
        result = host.results(host.collect())["EST-5"]
        assert result.verdict is Verdict.INCONCLUSIVE, result
        assert "ip netns late" in result.message
    finally:
        host.guest.ssh("umount /run/netns; ip -all netns delete")


def test_one_that_only_an_open_file_keeps_shows_by_its_thread(host: Remedied) -> None:
    """The estimator's thread proves that one runs, where no list names the namespace."""
    host.guest.ssh(
        f"ip netns add gone; ip netns exec gone {SERVICE};"
        f" setsid sh -c 'exec 9</run/netns/gone; ip netns del gone; sleep 900' {HOLD} sleep 4"
    )
    try:
        evidence = host.collect()
        verdicts = host.verdicts(evidence)
        if evidence.census.host.est_cpulist is None:
            pytest.skip("a kernel without threads: see docs/known-limitations.md")
        assert evidence.census.other_threads
        assert verdicts["EST-5"] == "inconclusive"
        assert verdicts["EST-6"] == "inconclusive"
    finally:
        host.guest.ssh("pkill -f 'sleep 900'; true", check=False)


def test_the_initial_namespaces_thread_is_number_0_after_any_reload(
    boot: Callable[..., Guest],
) -> None:
    guest = boot("6.12", name="numbers", states=[])
    threads = "sleep 4; cat /proc/[0-9]*/comm | grep ^ipvs-e: | sort"
    for names in (["a", "b"], ["b", "c"]):
        # Namespaces that are there before ip_vs is loaded, from within one of them.
        make = "; ".join(f"ip netns add {name}" for name in names)
        guest.ssh(
            f"modprobe -r ip_vs_rr ip_vs; {make}; ip netns exec {names[1]} modprobe ip_vs_rr; true"
        )
        inside = "; ".join(f"ip netns exec {name} {SERVICE}" for name in names)
        others = guest.ssh(f"{inside}; {threads}").stdout.split()
        assert others
        assert "ipvs-e:0:0" not in others
        assert guest.ssh(f"{SERVICE}; {threads}").stdout.split() == ["ipvs-e:0:0", *others]
        clear = "; ".join(f"ip netns exec {name} ipvsadm -C" for name in names)
        guest.ssh(f"ipvsadm -C; {clear}; ip netns del {names[0]}; true")
