"""What a plan says for one state of a host at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, ON, RECIPE
from made import ABSENT, LOADED, account, census, netns, snapshot, verdict
from planned import (
    directories,
    editable_file,
    file_steps,
    host,
    planned,
    value_steps,
    with_editable_files,
)

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.remedy.plan import make_plan
from ipvs_audit.snapshot import Failure
from ipvs_audit.snapshot.kernel import Module
from ipvs_audit.snapshot.next_boot import BootKernel, NextBoot
from ipvs_audit.snapshot.statistics_readers import StatisticsReader, StatisticsReaders

if TYPE_CHECKING:
    from ipvs_audit.remedy.plan_steps import Plan

KEY = "net.ipv4.vs.run_estimation"
EXPORTER = StatisticsReader("node_exporter", 812, "exe", "always", "its ipvs collector reads")
ALLOY = StatisticsReader("alloy", 90, "comm", "maybe", "has node_exporter's ipvs collector")
PROXY = StatisticsReader("kube-proxy", 7, "comm", "never", "reads no statistics")

WITHOUT_KEY = BootKernel(
    "5.10.0", "the default entry", module="available", file="/x/ip_vs.ko", knows_switch=False
)
WRONG_VENDOR = {"/usr/lib/sysctl.d/95-vendor.conf": ON}


def contents(made: Plan) -> dict[str, bytes]:
    return {step.path: step.after for step in file_steps(made)}


def test_a_host_that_is_right_has_an_empty_plan() -> None:
    made = planned({CONF: OFF, HOOK: RECIPE}, census=census(netns(raw="0")))
    assert made.status == "already_compliant"
    assert made.steps == ()


@pytest.mark.parametrize(
    ("files", "status"),
    [({CONF: ""}, "cannot_be_remediated"), ({CONF: OFF, HOOK: RECIPE}, "already_compliant")],
)
def test_a_kernel_that_boots_next_and_has_ip_vs_is_booted_first(
    files: dict[str, str], status: str
) -> None:
    boot = NextBoot((replace(WITHOUT_KEY, release="6.12.0", knows_switch=True),))
    made = planned(files, module=ABSENT, census=census(), next_boot=boot)
    assert (made.status, made.steps) == (status, ())
    assert made.blocked.startswith("boot the kernel that boots next") == (
        status != "already_compliant"
    )


def test_the_recipe_is_the_documents() -> None:
    made = planned({CONF: "# mine\nkernel.x = 1\n"})
    assert contents(made) == {
        CONF: b"# mine\nkernel.x = 1\nnet.ipv4.vs.run_estimation = 0\n",
        HOOK: RECIPE.encode(),
    }
    assert [step.control for step in made.steps] == ["EST-2", "EST-3", "EST-4"]
    assert value_steps(made)[0].detail == "echo 0 >/proc/sys/net/ipv4/vs/run_estimation"


def test_the_drop_in_gets_a_hook_that_reads_just_it() -> None:
    made = planned({CONF: ""}, Policy(remedy="drop-in"))
    assert contents(made) == {
        DROP_IN: OFF.encode(),
        HOOK: RECIPE.replace("sysctl -p", f"sysctl -p {DROP_IN}").encode(),
    }


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (KEY + "=1", KEY + "=0"),
        (
            "a = 1\nnet/ipv4/vs/run_estimation  =  1  \n",
            "a = 1\nnet/ipv4/vs/run_estimation  =  0  \n",
        ),
        (f"-{ON}", f"-{OFF}"),
        (f"a = 1\r\n{KEY} = 1\r\n", f"a = 1\r\n{KEY} = 0\r\n"),
        (KEY + " = 1 # x\n", KEY + " = 0 # x\n"),
        ("kernel.x = 1", "kernel.x = 1\n" + OFF),
        ("a = 1\r\nb = 2", f"a = 1\r\nb = 2\r\n{KEY} = 0\r\n"),
        (ON + ON, "# ipvs-audit: " + ON + OFF),
        (OFF + ON, OFF + OFF),
        (KEY + ' = "0"\n', OFF),
    ],
    ids=[
        "no-end",
        "slashes",
        "dash",
        "crlf",
        "note",
        "append",
        "append-crlf",
        "twice",
        "both",
        "quoted",
    ],
)
def test_assignments_are_edited_in_place(text: str, after: str) -> None:
    assert contents(planned({CONF: text, HOOK: RECIPE}))[CONF] == after.encode()


def test_what_contradicts_under_etc_is_commented_and_vendor_files_are_overridden() -> None:
    made = planned({CONF: "", "/etc/sysctl.d/99-z.conf": "a = 1\n" + ON, **WRONG_VENDOR})
    after = contents(made)
    assert after["/etc/sysctl.d/99-z.conf"] == b"a = 1\n# ipvs-audit: " + ON.encode()
    assert not any(path.startswith("/usr") for path in after)
    assert after["/etc/sysctl.d/99-ipvs.conf"] == OFF.encode()


def test_a_linked_file_is_changed_at_its_real_place_once() -> None:
    made = planned({CONF: ON, "/etc/sysctl.d/99-sysctl.conf": f"->{CONF}"})
    assert sorted(contents(made)) == [HOOK, CONF]


def test_a_hook_that_cannot_be_judged_is_never_replaced() -> None:
    made = planned({CONF: "", HOOK: "install ip_vs /usr/local/bin/load-it\n"})
    assert made.status == "cannot_be_remediated"
    assert "cannot evaluate" in made.blocked
    assert not file_steps(made)


@pytest.mark.parametrize(
    ("there", "then"),
    [
        ("&& /sbin/sysctl -p", f"&& /sbin/sysctl -p && /sbin/sysctl -p {DROP_IN}"),
        ("&& logger loaded", f"&& logger loaded; /sbin/sysctl -p {DROP_IN}"),
        (
            "; ip link set lb0 up || true",
            f"; ip link set lb0 up || true && /sbin/sysctl -p {DROP_IN}",
        ),
        ("&& \\\n  sysctl -q -p", f"&& \\\n  sysctl -q -p && /sbin/sysctl -p {DROP_IN}"),
    ],
    ids=["sysctl-conf", "logger", "network", "continued"],
)
def test_what_a_hook_does_beside_is_not_lost(there: str, then: str) -> None:
    """It may apply other keys of ip_vs, which each load resets too."""
    load = "install ip_vs /sbin/modprobe --ignore-install ip_vs "
    files = {CONF: "kernel.x = 1\n", HOOK: f"{load}{there}\n"}
    made = planned(files, Policy(remedy="drop-in"))
    assert contents(made)[HOOK].decode() == f"{load}{then}\n"


def test_a_command_whose_success_is_not_known_does_not_hold_up_the_next() -> None:
    """Whether the key of another module is there at the next load is not known."""
    load = "install ip_vs /sbin/modprobe --ignore-install ip_vs "
    files = {CONF: "net.bridge.bridge-nf-call-iptables = 1\n", HOOK: f"{load}&& /sbin/sysctl -p\n"}
    made = planned(files, Policy(remedy="drop-in"))
    after = f"{load}&& /sbin/sysctl -p; /sbin/sysctl -p {DROP_IN}\n"
    assert contents(made)[HOOK].decode() == after


def test_a_hook_that_does_more_and_cannot_be_made_longer_is_left() -> None:
    load = "install ip_vs /sbin/modprobe --ignore-install ip_vs; "
    made = planned({CONF: "", HOOK: f"{load}ip link set lb0 up; exit 0\n"})
    assert "does more than load ip_vs and set the value" in made.blocked
    assert not file_steps(made)


def test_a_hook_that_only_gets_it_wrong_is_replaced() -> None:
    for wrong in (
        "/sbin/modprobe -i ip_vs",
        "/sbin/modprobe -i ip_vs; echo 1 >/proc/sys/net/ipv4/vs/run_estimation",
    ):
        made = planned({CONF: "", HOOK: f"install ip_vs {wrong}\n"})
        assert contents(made)[HOOK].decode() == f"# ipvs-audit: install ip_vs {wrong}\n{RECIPE}"


def test_readers_of_statistics_hold_a_host_back_unless_accepted() -> None:
    evidence = host({CONF: ""}, readers=StatisticsReaders((EXPORTER,)))
    made = make_plan(evidence, Policy())
    assert made.status == "needs_approval"
    assert made.needs_approval.startswith("node_exporter (pid 812) reads IPVS statistics, which")
    assert made.steps
    assert not made.ready
    assert make_plan(evidence, Policy(), accept_statistics_loss=True).ready
    assert make_plan(evidence, Policy(accept_statistics_loss=True)).ready


def test_what_only_may_read_is_said_to_and_needs_approval_too() -> None:
    made = make_plan(host({CONF: ""}, readers=StatisticsReaders((ALLOY, PROXY))), Policy())
    assert made.needs_approval.startswith("alloy (pid 90) may read IPVS statistics, which freeze")
    assert "kube-proxy" not in made.needs_approval
    assert make_plan(host({CONF: ""}, readers=StatisticsReaders((PROXY,))), Policy()).ready


def test_switching_estimation_on_again_follows_the_document() -> None:
    evidence = host(
        {CONF: OFF, HOOK: RECIPE},
        census=census(netns(raw="0")),
        readers=StatisticsReaders((EXPORTER,)),
    )
    made = make_plan(evidence, Policy(estimation="enabled"))
    assert made.ready
    assert contents(made) == {CONF: ON.encode()}
    assert [step.after for step in value_steps(made)] == [1]


def test_without_the_key_no_hook_is_written_and_a_breaking_one_is_taken_away() -> None:
    old = {"module": replace(LOADED), "census": census(netns(raw=None, why_unread="absent"))}
    made = planned({CONF: ""}, **old)
    assert made.status == "cannot_be_remediated"
    assert "update the kernel" in made.blocked
    made = planned({CONF: OFF, HOOK: RECIPE}, **old)
    assert contents(made) == {HOOK: b"# ipvs-audit: " + RECIPE.encode()}
    assert "update the kernel" in made.notes[0]


@pytest.mark.parametrize(("boot", "said"), [
    (NextBoot((WITHOUT_KEY,)), "kernel 5.10.0 boots next (the default entry): /x/ip_vs.ko"),
    (NextBoot((), untold="x", volatile="/ is a tmpfs"), "/ is a tmpfs"),
    (NextBoot((), untold="x", kexec="a kernel is loaded"), "a kernel is loaded"),
])  # fmt: skip
def test_what_the_next_boot_takes_away_cannot_be_remediated(boot: NextBoot, said: str) -> None:
    made = planned({CONF: ""}, next_boot=boot)
    assert made.status == "cannot_be_remediated"
    assert said in made.blocked


def test_a_drop_in_remedies_what_an_initramfs_loads_without_a_hook() -> None:
    boot = NextBoot((), untold="x", initramfs=("/etc/initramfs-tools/modules:3",))
    assert contents(planned({CONF: OFF, HOOK: RECIPE}, next_boot=boot)) == {DROP_IN: OFF.encode()}


def test_an_unknown_kernel_gets_no_hook() -> None:
    module = Module("available", None, None, None, ())
    made = planned({CONF: ""}, module=module, census=census(netns(raw=None, why_unread="absent")))
    assert "it is unknown whether" in made.blocked


@pytest.mark.parametrize(
    ("states", "more", "said"),
    [
        ({"modprobe_d": "readonly"}, [], "/etc/modprobe.d is on a read-only file system"),
        ({"etc": "denied"}, [], "ansible_become"),
        ({"modprobe_d": "absent"}, [], "/etc/modprobe.d does not exist"),
        ({"modprobe_d": "shared"}, [], "give /etc/modprobe.d to root alone"),
        ({}, ["attribute immutable"], "/etc/sysctl.conf is immutable"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_done_by_half(
    states: dict[str, str], more: list[str], said: str
) -> None:
    evidence = with_editable_files(
        host({CONF: ""}), [*editable_file(CONF, b"", *more), *directories(**states)]
    )
    made = make_plan(evidence, Policy())
    assert said in made.blocked
    assert not made.ready
    assert made.steps


def test_who_may_write_above_a_directory_or_on_a_links_way_is_named() -> None:
    shared = directories(modprobe_d="shared")
    shared.insert(shared.index("directory shared 999999 /etc/modprobe.d") + 1, "others /opt/conf")
    made = make_plan(
        with_editable_files(host({CONF: ""}), [*editable_file(CONF, b""), *shared]), Policy()
    )
    assert "give /opt/conf to root alone" in made.blocked
    assert "does not write to /etc/modprobe.d" in made.blocked
    kept = [*directories(), "directory shared 999999 /var/lib/ipvs-audit"]
    made = make_plan(
        with_editable_files(host({CONF: ""}), [*editable_file(CONF, b""), *kept]), Policy()
    )
    assert "give /var/lib/ipvs-audit to root alone" in made.blocked
    led = [f"file {CONF}", "real /etc/shadow", "others /home/ops"]
    made = make_plan(
        with_editable_files(host({CONF: "->/etc/shadow"}), [*led, *directories()]), Policy()
    )
    assert "give /home/ops to root alone" in made.blocked
    assert not made.ready


def test_a_full_disk_and_missing_rights_are_seen_before() -> None:
    full = [line.replace("999999", "12") for line in directories()]
    made = make_plan(
        with_editable_files(host({CONF: ""}), [*editable_file(CONF, b""), *full]), Policy()
    )
    assert "12 KiB free" in made.blocked
    made = planned({CONF: ""}, account=account(1000, "audit"))
    assert "audit (uid 1000)" in made.blocked


def test_evidence_without_editable_files_says_how_to_get_them() -> None:
    evidence = host({CONF: ""})
    bare = replace(evidence, sections={})
    bare.__dict__.update(
        {name: one for name, one in evidence.__dict__.items() if name != "sections"}
    )
    assert "--remediate-plan" in make_plan(bare, Policy()).blocked


def test_namespaces_are_those_that_est_5_judges() -> None:
    others = (
        netns(2, "ip netns blue", "1"),
        netns(3, "ip netns empty", "1", services=0),
        netns(4, "container x", None, why_unread="absent"),
        netns(5, "ip netns right", "0"),
    )
    right = {CONF: OFF, HOOK: RECIPE}
    made = planned(right, census=census(netns(raw="0"), *others))
    assert [step.inode for step in made.steps] == [2]
    assert "container x" in made.notes[0]
    made = planned(right, Policy(namespaces="every"), census=census(netns(raw="0"), *others))
    assert [step.inode for step in made.steps] == [2, 3]
    exempt = planned(right, Policy(ack=True), census=census(netns(raw="0"), others[1]))
    assert not exempt.steps
    contradicted = planned(right, Policy(ack=True), census=census(netns(raw="0"), *others))
    assert [step.name for step in contradicted.steps] == ["ip netns blue"]


def test_an_empty_est_cpulist_is_named_where_the_policy_wants_estimation() -> None:
    stopped = census(netns(raw="1", est_cpulist=""), netns(2, "ip netns blue", "1", est_cpulist=""))
    made = planned({}, Policy(estimation="enabled"), census=stopped)
    assert not made.steps
    assert "net.ipv4.vs.est_cpulist is empty in host, ip netns blue, so nothing" in made.blocked
    runs = census(netns(raw="1", est_cpulist="0-3"))
    assert not planned({}, Policy(estimation="enabled"), census=runs).blocked


def test_a_host_that_was_not_reached_or_has_no_ip_vs_has_no_steps() -> None:
    lost = Failure("down", "unreachable", "down: refused", "", "")
    assert make_plan(lost, Policy()).blocked == "down: refused"
    bare = make_plan(
        snapshot(module=Module("absent", None, None, None, ()), loaders=LOADERS), Policy()
    )
    assert bare.status == "already_compliant"


def test_without_the_files_of_the_host_nothing_is_compliant() -> None:
    other = replace(LOADERS, other_root="the probe sees another / than process 1 does")
    unseen = snapshot(module=Module("absent", None, None, None, ()), loaders=other)
    assert verdict("EST-1", unseen).verdict is Verdict.INCONCLUSIVE
    made = make_plan(unseen, Policy())
    assert (made.status, made.blocked) == ("cannot_be_remediated", other.other_root)
