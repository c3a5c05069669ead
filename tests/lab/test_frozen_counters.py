"""EST-6 on real kernels, attacked: nothing done between the samples makes it pass falsely.

Namespaces are independent of each other, so one run of the probe judges a namespace for each case:
each is looked at as if it were the host's own. The probe is the real one; commands are put in
between its samples. What is expected follows from what was done, not from what was printed.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from made import verdict

from ipvs_audit.model.policy import Policy
from ipvs_audit.probe import framing, script
from ipvs_audit.snapshot import CollectionInfo, Snapshot
from ipvs_audit.snapshot.namespaces import Census, Netns
from lab import fleet as lab_fleet
from lab import qemu

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.guest import Guest

VS = "/proc/sys/net/ipv4/vs"
ON, OFF = f"echo 1 >{VS}/run_estimation", f"echo 0 >{VS}/run_estimation"
EMPTY, FILLED = f"echo >{VS}/est_cpulist", f"echo 0 >{VS}/est_cpulist"
PACKET = "echo x >/dev/udp/10.99.0.1/80"
PACKETS = f"{PACKET}; {PACKET}; {PACKET}"
SERVICE = "ipvsadm -A -u 10.99.0.1:80 -s rr; ipvsadm -a -u 10.99.0.1:80 -r 127.0.0.1:8080 -m"
NONCE = "0123456789abcdef" * 2
DISABLED, ENABLED = Policy(), Policy(estimation="enabled")


@dataclass(frozen=True)
class Case:
    """What is done in a namespace, and what EST-6 may say.

    Attributes:
        setup: once the namespace is there; the service of this module unless it adds one itself.
        first: after the first sample, and some seconds before the second.
        second: right after the second sample, at least 3 s before the last.
        last: right before the last sample.
        off, on: what EST-6 may say where the policy wants estimation disabled, and enabled.
        kernels: where there is such a thing.
    """

    setup: str
    first: str = PACKETS
    second: str = ":"
    last: str = ":"
    off: tuple[str, ...] = ("inconclusive",)
    on: tuple[str, ...] = ("inconclusive",)
    kernels: tuple[str, ...] = ("6.1", "6.12")


IS_OFF: dict[str, tuple[str, ...]] = {"off": ("pass",), "on": ("fail",)}
IS_ON: dict[str, tuple[str, ...]] = {"off": ("fail",), "on": ("pass",)}
NOT_KNOWN: dict[str, tuple[str, ...]] = {"off": ("inconclusive",), "on": ("inconclusive",)}
NO_PASS: dict[str, tuple[str, ...]] = {
    "off": ("fail", "inconclusive"),
    "on": ("fail", "inconclusive"),
}
MAYBE_ON: dict[str, tuple[str, ...]] = NO_PASS | {"on": ("pass", "inconclusive")}
THREADS = {"kernels": ("6.12",)}

_FAR = "ip link add far type dummy; ip link set far up; ip addr add 10.98.0.1/24 dev far"
_ADD = "ipvsadm -A -u 10.99.0.1:80 -s rr; ipvsadm -a -u 10.99.0.1:80 -r 10.98.0.2:80"
_TCP = "ipvsadm -A -t 10.99.0.1:80 -s rr; ipvsadm -a -t 10.99.0.1:80 -r 127.0.0.1:8080 -m"
_IP6 = "ipvsadm -A -u [fd00::1]:80 -s rr; ipvsadm -a -u [fd00::1]:80 -r [::1]:8080 -m"
#: A service by each way of forwarding and protocol, and how to send it a packet.
TRAFFIC = {
    "tcp": (_TCP, "(: >/dev/tcp/10.99.0.1/80)"),
    "ipv6": (f"ip -6 addr add fd00::1/128 dev lo nodad; {_IP6}", "echo x >/dev/udp/fd00::1/80"),
    "tunnel": (f"{_FAR}; {_ADD} -i", PACKET),
    "direct": (f"{_FAR}; {_ADD} -g", PACKET),
}

CASES = {
    "off": Case(OFF, **IS_OFF),
    "on": Case(ON, **IS_ON),
    **{f"{name}-off": Case(f"{made}; {OFF}", packet, **IS_OFF)
       for name, (made, packet) in TRAFFIC.items()},
    **{f"{name}-on": Case(f"{made}; {ON}", packet, **IS_ON)
       for name, (made, packet) in TRAFFIC.items() if name in ("ipv6", "tunnel")},
    "one-packet-off": Case(OFF, PACKET, **IS_OFF),
    "one-packet-on": Case(ON, PACKET, **IS_ON),
    "silent-off": Case(OFF, ":", **NOT_KNOWN),
    "silent-on": Case(ON, ":", **NOT_KNOWN),
    "late-off": Case(OFF, ":", last=PACKETS, **NOT_KNOWN),
    "late-on": Case(ON, ":", last=PACKETS, **MAYBE_ON),
    # Switched: what the totals show is what ran; what they do not show yet, the switch tells.
    "on-and-off": Case(OFF, f"{ON}; {PACKETS}", OFF, off=("fail",), on=("inconclusive",)),
    "on-at-the-end": Case(OFF, PACKETS, last=ON, **NO_PASS),
    "off-at-the-end": Case(ON, PACKETS, last=OFF, off=("fail",), on=("inconclusive",)),
    # Zeroed: once with totals that then read lower; and so often that they always read 0.
    "zeroed-off": Case(f"{PACKETS}; sleep 5; {OFF}", f"{PACKETS}; ipvsadm -Z",
                       off=("inconclusive",), on=("fail", "inconclusive")),
    "zeroed-on": Case(ON, f"{PACKETS}; ipvsadm -Z", **MAYBE_ON),
    "zeroed-all-the-time": Case(f"{ON}; (until [ -e /run/over ]; do ipvsadm -Z; sleep 0.2; done)"
                                " </dev/null >/dev/null 2>&1 &",
                                **MAYBE_ON),
    # Rules come and go: the totals have an estimator of their own.
    "rules-anew-off": Case(OFF, f"{PACKETS}; ipvsadm -C; {SERVICE}; {PACKETS}", **IS_OFF),
    "rules-go-off": Case(OFF, f"{PACKETS}; ipvsadm -C", **IS_OFF),
    "rules-go-on": Case(ON, f"{PACKETS}; ipvsadm -C", **IS_ON),
    "daemon": Case("ipvsadm -C; ipvsadm --start-daemon master --mcast-interface lo", ":",
                   **NOT_KNOWN),
    # The threads' own settings.
    "cpulist-empty": Case(f"{ON}; {EMPTY}", off=("pass",), on=("fail",), **THREADS),
    "cpulist-back": Case(f"{ON}; {EMPTY}", last=FILLED, **NO_PASS, **THREADS),
    "cpulist-for-a-while": Case(ON, f"{EMPTY}; {PACKETS}", last=FILLED, **MAYBE_ON, **THREADS),
    "nice-on": Case(f"echo 19 >{VS}/est_nice; {ON}", **IS_ON, **THREADS),
}  # fmt: skip

#: Where the probe's own script goes on after a step, and commands can be put in.
_AFTER_VALUES = "\nvalues\n"
_AFTER_SAMPLE_1 = "\nsample 1\n"
_BEFORE_SAMPLE_2 = "\nsample 2\n"


def probe(guest: Guest, first: str = ":", second: str = ":", last: str = ":") -> Snapshot:
    """What the probe brings, with commands between its samples."""
    text = script.render(NONCE).decode()
    quiet = "{{ {}; }} </dev/null >/dev/null 2>&1\n"
    for place, command in (
        (_AFTER_VALUES, _AFTER_VALUES + quiet.format(first)),
        (_AFTER_SAMPLE_1, _AFTER_SAMPLE_1 + quiet.format(second)),
        (_BEFORE_SAMPLE_2, "\n" + quiet.format(last) + _BEFORE_SAMPLE_2.lstrip("\n")),
    ):
        assert text.count(place) == 1, place
        text = text.replace(place, command)
    told = guest.ssh("sh -s", stdin=text.encode(), timeout=300).stdout
    about = CollectionInfo("", "", "ssh", "", "")
    return Snapshot(guest.name, about, framing.parse(told.encode(), NONCE))


def in_each(cases: dict[str, Case], step: str) -> str:
    """A command that runs a step of each case in its namespace."""
    return "; ".join(
        f"nsenter --net=/run/netns/{name} bash -c {shlex.quote(getattr(case, step))}"
        for name, case in cases.items()
        if getattr(case, step) != ":"
    )


def made_namespace(name: str, case: Case) -> str:
    service = "" if "ipvsadm -A" in case.setup else f"{SERVICE}; "
    inside = f"ip link set lo up; ip addr add 10.99.0.1/32 dev lo; {service}{case.setup}"
    return (
        f"ip netns add {name}; ip netns exec {name} bash -c {shlex.quote(inside)}\n"
        f"ip netns exec {name} sleep 3000 </dev/null >/dev/null 2>&1 &\n"
    )


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def guest(request: pytest.FixtureRequest, _qemu_works: None) -> Iterator[Guest]:
    """A host with two CPUs and a service of its own, estimation off."""
    folder = lab_fleet.own_folder() / f"frozen-{request.param}"
    machine = qemu.Machine(request.param, smp="2")
    host = lab_fleet.boot(request.param, folder, name="frozen", states=["unset"], machine=machine)
    host.ssh(f"ip addr add 10.99.0.1/32 dev lo; {SERVICE}; {OFF}")
    yield host
    host.stop()


@pytest.fixture(scope="module")
def evidence(guest: Guest) -> Snapshot:
    """One run of the probe, with a namespace for each case."""
    cases = {name: case for name, case in CASES.items() if guest.series in case.kernels}
    guest.ssh("".join(made_namespace(*one) for one in cases.items()) + "sleep 3", timeout=300)
    brought = probe(
        guest,
        in_each(cases, "first") + "; sleep 6",
        in_each(cases, "second"),
        in_each(cases, "last"),
    )
    guest.ssh(
        "touch /run/over; sleep 1; pkill -x sleep; ip -all netns delete; ipvsadm -C; sleep 1; "
        + SERVICE
    )
    return brought


def alone(brought: Snapshot, name: str) -> Snapshot:
    """The evidence, as if the namespace of that name were all that the host has."""
    (netns,) = (one for one in brought.census.others if one.name == f"ip netns {name}")
    return own(brought, netns)


def own(brought: Snapshot, netns: Netns) -> Snapshot:
    view = replace(brought)
    view.__dict__["census"] = Census(netns, (), complete=True, gaps=())
    return view


@pytest.mark.parametrize("name", CASES)
def test_what_est_6_says_of_a_namespace(evidence: Snapshot, guest: Guest, name: str) -> None:
    case = CASES[name]
    if guest.series not in case.kernels:
        pytest.skip(f"not on Linux {guest.series}")
    view = alone(evidence, name)
    for policy, expected in ((DISABLED, case.off), (ENABLED, case.on)):
        result = verdict("EST-6", view, policy)
        assert result.verdict.value in expected, f"{policy.estimation}: {result.message}"


def test_an_empty_cpulist_passes_no_policy_in_est_4(evidence: Snapshot, guest: Guest) -> None:
    if guest.series != "6.12":
        pytest.skip(f"not on Linux {guest.series}")
    view = alone(evidence, "cpulist-empty")
    for policy in (DISABLED, ENABLED):
        assert verdict("EST-4", view, policy).verdict.value == "fail"


OFFLINE, ONLINE = (f"echo {n} >/sys/devices/system/cpu/cpu1/online" for n in (0, 1))


@pytest.mark.usefixtures("evidence")
@pytest.mark.parametrize(("switch", "off", "on"), [(OFF, "pass", "fail"), (ON, "fail", "pass")])
def test_a_cpu_that_goes_offline_changes_nothing(
    guest: Guest, switch: str, off: str, on: str
) -> None:
    guest.ssh(f"{switch}; sleep 3")
    packets = f"bash -c {shlex.quote(PACKETS)}"
    try:
        found = probe(guest, f"{packets}; {OFFLINE}; {packets}; sleep 4")
    finally:
        guest.ssh(f"{ONLINE}; {OFF}")
    view = own(found, found.census.host)
    assert found.counters[found.census.host.inode].samples[-1].cpus == 2
    assert verdict("EST-6", view, DISABLED).verdict.value == off
    assert verdict("EST-6", view, ENABLED).verdict.value == on


@pytest.mark.usefixtures("evidence")
def test_a_module_that_is_loaded_anew_is_noticed(guest: Guest) -> None:
    """With the value 0 before and after, and counters that grow from 0 again."""
    unload = "for _ in $(seq 20); do modprobe -r ip_vs_rr ip_vs && break; sleep 0.5; done"
    again = f"ipvsadm -C; {unload}; modprobe ip_vs; {OFF}; {SERVICE}"
    packets = f"bash -c {shlex.quote(PACKETS)}"
    guest.ssh(again)
    found = probe(guest, f"{again}; {packets}; {packets}")
    for policy in (DISABLED, ENABLED):
        result = verdict("EST-6", own(found, found.census.host), policy)
        assert result.verdict.value == "inconclusive", result.message
        assert "loaded anew" in result.message


@pytest.mark.usefixtures("evidence")
def test_a_namespace_that_is_made_anew_under_its_name_is_noticed(guest: Guest) -> None:
    """The new one may get the number of the old one; nobody has switched it off."""
    inside = f"ip link set lo up; ip addr add 10.99.0.1/32 dev lo; {SERVICE}; {PACKETS}"
    make = f"ip netns add anew; ip netns exec anew bash -c {shlex.quote(inside)}"
    guest.ssh(f"{make}; ip netns exec anew sh -c '{OFF}'")
    try:
        found = probe(guest, f"ip netns delete anew; {make}; ip netns exec anew bash -c '{PACKET}'")
    finally:
        guest.ssh("ip -all netns delete")
    (netns,) = found.census.others
    assert netns.value == 0
    result = verdict("EST-6", own(found, netns))
    assert result.verdict.value in ("fail", "inconclusive"), result.message
