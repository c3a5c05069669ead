"""Whatever text a section holds, a parser reads it or says that it is garbled; it never breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import verdict
from recorded import NAMES, snapshot

from ipvs_audit.audit.host_facts import facts_of
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.host_config import host_config_of
from ipvs_audit.snapshot import GarbledEvidenceError, Section, Snapshot
from ipvs_audit.snapshot.host import Host
from ipvs_audit.snapshot.kernel import parse_module
from ipvs_audit.snapshot.namespaces import parse_census

PARTS = (
    "host",
    "account",
    "kernel",
    "module",
    "loaders",
    "programs",
    "host_answers",
    "readers",
    "census",
    "counters",
    "config",
    "boot_files",
    "exposure",
)
#: Read from sections when they are asked for.
LAZY = (
    *("arch", "hostname", "machine_id", "boot_id", "uptime", "clock", "os_id", "os_version"),
    *("os_name", "possible_cpus", "root", "user", "cpu_seconds", "blind"),
)
CONTROLS = tuple(f"EST-{number}" for number in range(1, 8))
RECORDED = {name: snapshot(name) for name in NAMES}
OWN = "host 4026531840 run_estimation=0 services=1 destinations=2 name=host\n"


def read(evidence: Snapshot) -> list[object]:
    """Every part that can be read."""
    found: list[object] = []
    for part in PARTS:
        try:
            found.append(getattr(evidence, part))
        except GarbledEvidenceError as garbled:
            assert str(garbled)  # noqa: PT017
    for fact in LAZY:
        try:
            whole = evidence.host if hasattr(Host, fact) else evidence.account
            found.append(getattr(whole, fact))
        except GarbledEvidenceError as garbled:
            assert str(garbled)  # noqa: PT017
    for name in evidence.sections:
        assert evidence.evidence(name) is not None
    return found


def changed(evidence: Snapshot, section: str, output: str) -> Snapshot:
    sections = dict(evidence.sections)
    sections[section] = replace(sections[section], output=output)
    return replace(evidence, sections=sections)


@given(st.data(), st.sampled_from(NAMES))
def test_any_text_in_any_section(data: st.DataObject, name: str) -> None:
    evidence = RECORDED[name]
    section = data.draw(st.sampled_from(sorted(evidence.sections)))
    text = data.draw(st.text(max_size=80))
    read(changed(evidence, section, data.draw(st.sampled_from([text, text + "\nend\n"]))))


@given(st.data(), st.sampled_from(NAMES))
def test_any_small_change_of_what_really_came(data: st.DataObject, name: str) -> None:
    evidence = RECORDED[name]
    section = data.draw(st.sampled_from(sorted(evidence.sections)))
    output = evidence.sections[section].output
    at = data.draw(st.integers(0, len(output)))
    gone = data.draw(st.integers(0, 12))
    put = data.draw(
        st.text(st.sampled_from("0123456789 -=:.\n\t\\~xA\x1b\u0661\u2028e"), max_size=6)
    )
    read(changed(evidence, section, output[:at] + put + output[at + gone :]))


@given(st.sampled_from(NAMES), st.data())
def test_any_section_may_be_missing(name: str, data: st.DataObject) -> None:
    evidence = RECORDED[name]
    gone = data.draw(st.sets(st.sampled_from(sorted(evidence.sections))))
    left = {key: one for key, one in evidence.sections.items() if key not in gone}
    read(replace(evidence, sections=left))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "section",
    ["netns", "counters", "sysctl", "modprobe", "udev", "keys", "cmdline", "running-values"],
)
def test_no_verdict_rests_on_half_a_section(name: str, section: str) -> None:
    evidence = RECORDED[name]
    if section not in evidence.sections:
        return
    output = evidence.sections[section].output
    part = {"netns": "census", "counters": "counters"}.get(section, "config")
    for cut in range(0, len(output) - 1, max(1, len(output) // 40)):
        with pytest.raises(GarbledEvidenceError):
            getattr(changed(evidence, section, output[:cut]), part)


def census(text: str, *kthreads: str) -> object:
    return parse_census(Section("netns", "", text + "end\n", None, 1.0), kthreads)


@pytest.mark.parametrize(
    "value", ["", "x", "0 ", "0x0", "1e3", "+1", "--1", "\u0661", "0\t", "9" * 11]
)
def test_a_value_that_is_no_number_is_garbled(value: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        census(OWN.replace("run_estimation=0", f"run_estimation={value}"))


@pytest.mark.parametrize("text", [
    "", OWN + OWN, OWN + OWN.replace("host ", "netns ", 1),
    OWN.replace("services=1", "services=x"), OWN.replace("services=1", "services=-1"),
    OWN.replace("run_estimation=0 ", ""), OWN.replace("run_estimation=0", "unread=why"),
    OWN.replace("run_estimation=0", "run_estimation=0 unread=gone"),
])  # fmt: skip
def test_a_census_that_contradicts_itself_is_garbled(text: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        census(text)


def test_values_beside_0_and_1_are_kept() -> None:
    for raw, value in (("-1", -1), ("2", 2), ("00", 0)):
        found = census(OWN.replace("run_estimation=0", f"run_estimation={raw}"))
        assert (found.host.raw, found.host.value) == (raw, value)  # type: ignore[attr-defined]


def test_rules_that_could_not_be_seen_are_not_none_at_all() -> None:
    found = census(OWN.replace("services=1 destinations=2", "services=- destinations=-"))
    assert found.host.holds_rules is None  # type: ignore[attr-defined]


def test_estimator_threads_of_a_namespace_that_was_not_seen_are_a_gap() -> None:
    one = "netns 5 run_estimation=1 services=1 destinations=1 name=ip netns a\n"
    assert census(OWN + one, "ipvs-e:3:0", "ipvs-e:3:1").complete  # type: ignore[attr-defined]
    two = census(OWN + one, "ipvs-e:3:0", "ipvs-e:4:0")
    assert not two.complete  # type: ignore[attr-defined]
    assert "(ipvs-e:3:0, ipvs-e:4:0) run for 2 namespaces" in two.gaps[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", [
    "unread=gone services=1 destinations=1", "unread=gone",
    "run_estimation=0 services=1 destinations=1", "run_estimation=1 services=0 destinations=0",
    "run_estimation=1 est_cpulist= services=1 destinations=1",
])  # fmt: skip
def test_a_thread_is_not_explained_by_a_namespace_in_which_nothing_estimates(line: str) -> None:
    found = census(f"{OWN}netns 5 {line} name=ip netns a\n", "ipvs-e:3:0")
    (gap,) = found.gaps  # type: ignore[attr-defined]
    assert "(ipvs-e:3:0) run for 1 namespace other than the host's" in gap


def test_a_thread_of_the_host_is_not_explained_by_another_namespace_nor_by_its_own_0() -> None:
    one = "netns 5 run_estimation=1 services=1 destinations=1 name=ip netns a\n"
    found = census(OWN + one, "ipvs-e:0:0")
    assert found.contradicting_threads == ("ipvs-e:0:0",)  # type: ignore[attr-defined]
    assert found.gaps == (  # type: ignore[attr-defined]
        "the host's namespace reads as switched off, but ipvs-e:0:0 runs",
    )
    on = census(OWN.replace("run_estimation=0", "run_estimation=1"), "ipvs-e:0:0")
    assert on.complete  # type: ignore[attr-defined]
    assert on.contradicting_threads == ()  # type: ignore[attr-defined]


def test_a_place_that_could_not_be_looked_into_is_kept_apart_from_gaps() -> None:
    found = census(f"{OWN}hidden the mount namespace at /run/x has no process to look through\n")
    assert found.complete  # type: ignore[attr-defined]
    assert found.hidden == (  # type: ignore[attr-defined]
        "the mount namespace at /run/x has no process to look through",
    )


@pytest.mark.parametrize("unread", ["unentered", "denied"])
def test_a_namespace_that_is_there_and_cannot_be_looked_into_is_a_gap(unread: str) -> None:
    found = census(f"{OWN}netns 5 unread={unread} name=ip netns a\n")
    assert found.gaps == ("could not be inspected: ip netns a",)  # type: ignore[attr-defined]
    gone = census(f"{OWN}netns 5 unread=gone name=ip netns a\n")
    assert gone.complete  # type: ignore[attr-defined]


@pytest.mark.parametrize(("text", "state"), [
    ("initstate=live\nrefcnt=1\nexists=/sys/module/ip_vs\n", "loaded"),
    ("exists=/sys/module/ip_vs\nbuiltin=0\n", "builtin"),
    ("builtin=1\n", "builtin"),
    ("exists=/proc/net/ip_vs\nbuiltin=0\n", "loaded"),
    ("exists=/proc/net/ip_vs\nmonolithic=1\nbuiltin=0\n", "builtin"),
    ("builtin=0\ntree=/lib/modules/6.1\nfile=/lib/modules/6.1/ip_vs.ko\nswitch=yes\n", "available"),
    ("builtin=0\ntree=/lib/modules/6.1\n", "absent"),
    ("builtin=0\nmonolithic=1\n", "absent"),
    ("builtin=0\n", "unknown"),
    ("", "unknown"),
])  # fmt: skip
def test_the_state_of_the_module(text: str, state: str) -> None:
    module = parse_module(Section("module", "", text, None, 1.0))
    assert module.state == state
    assert module.loaded is (state in ("loaded", "builtin"))


@pytest.mark.parametrize("name", [
    "unit run_estimation=0 services=0 name=q.service", "unit run_estimation=zz name=q.service",
    "ip netns name= run_estimation=0 services=0 name=host", "mount /srv/name=x/services=0",
    "pid 7 (services=0 name=x)", "name=run_estimation=0 name=", "services=0 name=x",
])  # fmt: skip
def test_a_name_is_never_read_as_a_value(name: str) -> None:
    one = f"netns 5 run_estimation=1 services=3 destinations=1 name={name}\n"
    found = census(OWN + one).others[0]  # type: ignore[attr-defined]
    assert (found.name, found.value, found.services) == (name, 1, 3)


@pytest.mark.parametrize("words", [
    "run_estimation=1 run_estimation=0", "run_estimation=1 services=1 services=0",
    "run_estimation=1 colour=red",
])  # fmt: skip
def test_a_word_that_is_there_twice_or_not_known_is_garbled(words: str) -> None:
    found = census(f"{OWN}netns 5 {words} name=ip netns a\n")
    assert len(found.garbled) == 1  # type: ignore[attr-defined]
    with pytest.raises(GarbledEvidenceError):
        census(f"host 5 {words} name=host\n")


def test_what_is_garbled_of_another_namespace_leaves_the_host_and_a_gap() -> None:
    one = "netns 5 run_estimation=1 services=1 destinations=1 name=ip netns a\n"
    for odd in ("netns\n", "netns 6 run_estimation=x name=b\n", f"{one}{one}"):
        found = census(OWN + odd)
        assert found.host.raw == "0"  # type: ignore[attr-defined]
        assert found.others == ()  # type: ignore[attr-defined]
        assert not found.complete  # type: ignore[attr-defined]
        assert len(found.garbled) == len(found.gaps) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line",
    [
        "initstate=lve", "refcnt=x", "taint=oe", "livepatch=", "exists=/sys/module/ip_vs_rr",
        "builtin=2", "switch=maybe", "softdep=ip_vs pre: nf_nat", "kthread=kworker/0:1",
        "symbol=other_timer", "nonsense", "livepatched=kpatch_1", "file=", "tree",
        "builtin=0\nbuiltin=1", "switch=no\nswitch=yes",
    ],
)  # fmt: skip
def test_a_line_of_the_module_that_is_not_of_its_form_is_not_passed_over(line: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        parse_module(Section("module", "", f"tree=/lib/modules/6.1\n{line}\n", None, 1.0))


def test_a_module_that_is_being_removed_has_fewer_users_than_none() -> None:
    text = "initstate=going\nrefcnt=-1\nexists=/sys/module/ip_vs\n"
    assert parse_module(Section("module", "", text, None, 1.0)).refcount == -1


RESTS = {control: verdict(control, RECORDED["compliant"]) for control in CONTROLS}


@pytest.mark.parametrize(
    ("section", "old", "new", "spoilt"),
    [
        ("host", "uptime=", "uptime=x", ()),
        ("host", "clock=", "clock=x", ()),
        ("host", "possible=", "possible=x", ()),
        ("host", "hostname=", "hostname", ()),
        ("host", "os ID=", "os 1D=", ("EST-1", "EST-2", "EST-3")),
        ("host", "release=", "release= ", ("EST-1", "EST-2", "EST-3")),
        ("identity", "user=", "us\ter=", ()),
        ("identity", "ticks=", "ticks=-", ()),
        ("module", "refcnt=", "refcount=", CONTROLS[:6]),
    ],
)
def test_a_garbled_line_spoils_only_the_controls_that_rest_on_it(
    section: str, old: str, new: str, spoilt: tuple[str, ...]
) -> None:
    output = RECORDED["compliant"].sections[section].output
    assert old in output
    garbled = changed(RECORDED["compliant"], section, output.replace(old, new, 1))
    for control in CONTROLS:
        found = verdict(control, garbled).verdict
        expected = Verdict.ERROR if control in spoilt else RESTS[control].verdict
        assert found is expected, control


def test_where_who_probed_cannot_be_read_the_hosts_answers_settle_no_doubt() -> None:
    evidence = RECORDED["compliant"]
    output = evidence.sections["identity"].output.replace("uid=0", "uid=root")
    config = host_config_of(changed(evidence, "identity", output))
    assert config.asked is not None
    assert not config.asked.root
    assert facts_of(changed(evidence, "identity", output))["probed as"].startswith("unreadable")
