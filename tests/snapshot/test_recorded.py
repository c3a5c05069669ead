"""The parsers on what the probe brought from real kernels, against what other commands said."""

import re
from datetime import datetime

import pytest
from recorded import FACTS, NAMES, snapshot

from ipvs_audit.snapshot.config_files import Line
from ipvs_audit.snapshot.counters import Counts, Movement

LOADED = [name for name in NAMES if not name.endswith("-unloaded")]
UNLOADED = [name for name in NAMES if name.endswith("-unloaded")]
KEY = "net.ipv4.vs.run_estimation"


def rules(listing: str) -> tuple[int, int]:
    """Services and destinations, of `ipvsadm -Ln` without its head."""
    lines = listing.splitlines()
    destinations = sum(line.startswith("  ->") for line in lines)
    return len(lines) - destinations, destinations


def test_the_three_generations_are_there() -> None:
    assert {".".join(FACTS[name]["release"].split(".")[:2]) for name in NAMES} == {
        "5.10", "6.1", "6.12",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_who_the_host_is(name: str) -> None:
    evidence, facts = snapshot(name), FACTS[name]
    assert evidence.kernel.release == facts["release"]
    assert evidence.host.arch == "x86_64"
    assert evidence.host.machine_id == facts["machine_id"]
    assert evidence.host.os_id == "debian"
    assert evidence.host.os_version == "12"
    assert evidence.host.possible_cpus == 1
    assert evidence.account.root is (name != "namespaced-unprivileged")


@pytest.mark.parametrize("name", NAMES)
def test_its_loaders(name: str) -> None:
    loaders, facts = snapshot(name).loaders, FACTS[name]
    assert loaders.init == "systemd"
    assert f"kmod version {loaders.kmod}" == facts["kmod"]
    assert loaders.procps is not None
    assert "sysctl from procps-ng " + ".".join(map(str, loaders.procps)) == facts["procps"]
    assert facts["systemd"].startswith(f"systemd {loaders.systemd_version} ")
    assert loaders.systemd_sysctl == "/usr/lib/systemd/systemd-sysctl"
    assert loaders.systemd_modules_load == "/usr/lib/systemd/systemd-modules-load"


@pytest.mark.parametrize("name", LOADED)
def test_the_loaded_module_and_its_value(name: str) -> None:
    evidence, facts = snapshot(name), FACTS[name]
    assert evidence.module.state == "loaded"
    assert evidence.module.refcount is not None
    assert evidence.census.host.inode == int(facts["inode"])
    assert (evidence.census.host.raw or "") == facts["value"]
    assert evidence.census.host.why_unread == ("" if facts["value"] else "absent")
    assert (evidence.census.host.services, evidence.census.host.destinations) == rules(
        facts["rules"]
    )
    if name != "namespaced-more":
        assert evidence.module.refcount == int(facts["refcount"])


@pytest.mark.parametrize("name", UNLOADED)
def test_an_unloaded_module_tells_by_its_file(name: str) -> None:
    evidence = snapshot(name)
    assert evidence.module.state == "available"
    assert evidence.module.refcount is None
    assert evidence.module.file is not None
    assert FACTS[name]["release"] in evidence.module.file
    assert evidence.module.knows_switch is (not FACTS[name]["release"].startswith("5.10"))
    assert evidence.census.host.why_unread == "absent"
    assert evidence.census.host.holds_rules is False
    assert evidence.counters == {}
    assert "counters" not in evidence.sections


@pytest.mark.parametrize(("name", "generation"), [
    ("compliant", "timer"), ("drifted", "timer"), ("legacy", "none"), ("namespaced", "kthread"),
    ("idle", "kthread"), ("legacy-unloaded", "none"), ("idle-unloaded", "kthread"),
    ("drifted-unloaded", "timer"),
])  # fmt: skip
def test_the_generation(name: str, generation: str) -> None:
    assert snapshot(name).exposure.generation == generation


@pytest.mark.parametrize(("name", "movement"), [
    ("compliant", Movement.FROZEN), ("drifted", Movement.RUNNING), ("trap", Movement.FROZEN),
    ("legacy", Movement.RUNNING), ("idle", Movement.NO_TRAFFIC), ("namespaced", Movement.FROZEN),
    ("namespaced-unprivileged", Movement.FROZEN),
])  # fmt: skip
def test_what_the_counters_of_the_host_prove(name: str, movement: Movement) -> None:
    evidence = snapshot(name)
    series = evidence.counters[int(FACTS[name]["inode"])]
    assert series.movement is movement
    assert len(series.samples) == 3
    assert series.samples[-1].at - series.samples[0].at >= 5
    assert series.samples[-1].at - series.samples[1].at >= 3


@pytest.mark.parametrize("name", LOADED)
@pytest.mark.parametrize(("section", "which"), [("stats.0", 0), ("stats.2", -1)])
def test_the_sums_are_those_of_the_raw_text(name: str, section: str, which: int) -> None:
    evidence = snapshot(name)
    text = evidence.section(section).output
    rows = re.findall(r"^ +([0-9A-F]+|~)((?: +[0-9A-F]+){5})$", text.split("CPU ")[1], re.MULTILINE)
    columns = [[int(word, 16) for word in row.split()] for cpu, row in rows if cpu != "~"]
    tilde = next([int(word, 16) for word in row.split()] for cpu, row in rows if cpu == "~")
    total = [int(word, 16) for word in text.splitlines()[2].split()]
    sample = evidence.counters[evidence.census.host.inode].samples[which]
    assert sample.raw == Counts(*map(sum, zip(*columns, strict=True)))
    assert sample.tilde == Counts(*tilde)
    assert sample.total == Counts(*total)
    assert sample.cpus == len(columns)


def netns(name: str) -> dict[int, str]:
    """Inode -> name of `ip netns`, as stat saw it."""
    found = (line.split(" ", 1) for line in FACTS[name]["netns"].splitlines())
    return {int(inode): path.rpartition("/")[2] for inode, path in found}


def test_every_namespace_with_its_value_and_rules() -> None:
    census = snapshot("namespaced").census
    inodes = {name: inode for inode, name in netns("namespaced").items()}
    assert {(one.inode, one.name, one.value, one.services) for one in census.others} == {
        (inodes["blue"], "ip netns blue", 0, 1),
        (inodes["green"], "ip netns green", 1, 1),
        (inodes["empty"], "ip netns empty", 1, 0),
    }
    assert census.complete
    movements = {inode: one.movement for inode, one in snapshot("namespaced").counters.items()}
    assert movements[inodes["blue"]] is Movement.FROZEN
    assert movements[inodes["green"]] is Movement.RUNNING
    assert inodes["empty"] not in movements


def test_namespaces_of_processes_and_of_odd_names() -> None:
    census = snapshot("namespaced-more").census
    found = {one.name: one for one in census.others}
    assert (found["ip netns a\\040b"].services, found["ip netns a\\040b"].destinations) == (1, 0)
    sleeping = [one for one in census.others if re.fullmatch(r"pid \d+ \(sleep\)", one.name)]
    assert sorted((one.services, one.destinations, one.value) for one in sleeping) == [
        (0, 0, 1), (2, 1, 1),
    ]  # fmt: skip
    assert set(netns("namespaced-more")) < {one.inode for one in census.others}
    threads = FACTS["namespaced-more"]["threads"].split()
    assert sorted(threads) == sorted(snapshot("namespaced-more").module.kthreads)
    assert census.complete


def test_an_ordinary_user_sees_that_it_does_not_see() -> None:
    census = snapshot("namespaced-unprivileged").census
    assert not census.complete
    assert {one.why_unread for one in census.others} == {"unentered"}
    assert {one.holds_rules for one in census.others} == {None}
    assert {one.inode for one in census.others} == set(netns("namespaced-unprivileged"))


@pytest.mark.parametrize("name", [name for name in NAMES if FACTS[name]["conf"]])
def test_files_have_the_digests_that_sha256sum_gives(name: str) -> None:
    files = snapshot(name).config.files
    for line in FACTS[name]["conf"].splitlines():
        digest, path = line.split()
        assert files[path].sha256 == digest


def test_the_recipe() -> None:
    config = snapshot("compliant").config
    hook = config.files["/etc/modprobe.d/ipvs.conf"].lines
    assert hook is not None
    assert [line.text for line in hook] == [
        "install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p"
    ]
    value = config.files["/etc/sysctl.conf"].lines
    assert value is not None
    assert [line.text for line in value if "run_estimation" in line.text] == [f"{KEY} = 0"]
    assert config.files["/etc/sysctl.d/99-sysctl.conf"].real == "/etc/sysctl.conf"
    assert config.keys[KEY] is True
    assert config.unreadable == ()
    assert "/lib/sysctl.d/99-protect-links.conf" in config.files
    assert snapshot("legacy").config.keys[KEY] is False


def test_the_trap_has_its_value_in_a_drop_in() -> None:
    config = snapshot("trap").config
    found = {
        path: line
        for path, file in config.files.items()
        for line in file.lines or ()
        if path.startswith("/etc/sysctl") and "run_estimation" in line.text
    }
    assert len(found) == 1
    ((path, line),) = found.items()
    assert path.startswith("/etc/sysctl.d/")
    assert isinstance(line, Line)


@pytest.mark.parametrize("name", NAMES)
def test_evidence_names_who_and_when(name: str) -> None:
    evidence = snapshot(name)
    shown = evidence.evidence("netns")
    assert shown is not None
    assert shown.output == evidence.section("netns").output
    assert shown.cut == 0
    start, end = (
        datetime.fromisoformat(at)
        for at in (evidence.collection.started, evidence.collection.finished)
    )
    assert start <= datetime.fromisoformat(shown.at) <= end
    assert shown.user == ("nobody (uid 65534)" if "unpriv" in name else "root (uid 0)")
    assert evidence.evidence("nothing") is None


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_small(name: str) -> None:
    assert sum(len(one.output) for one in snapshot(name).sections.values()) < 16 * 1024
