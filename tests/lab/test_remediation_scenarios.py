"""Files as operators leave them, places that cannot be written, namespaces that resist: on 6.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planned import value_steps
from remedied import Remedied

from ipvs_audit.model.policy import Policy
from ipvs_audit.remedy.plan import make_plan
from lab import fleet as lab_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.snapshot import Snapshot

CONF, HOOK = "/etc/sysctl.conf", "/etc/modprobe.d/ipvs.conf"
ON = "net.ipv4.vs.run_estimation = 1\n"
#: CRLF, another spelling, no final newline.
CRLF = "# kept\r\nkernel.panic = 0\r\nnet/ipv4/vs/run_estimation  = 1\r\nkernel.sysrq = 1"


@pytest.fixture(scope="module")
def guest(_qemu_works: None) -> Iterator[Remedied]:
    folder = lab_fleet.own_folder() / "remediation-scenarios"
    made = Remedied(lab_fleet.boot("6.12", folder, name="odd", states=["unset"]))
    yield made
    made.guest.stop()


@pytest.fixture
def host(guest: Remedied) -> Iterator[Remedied]:
    """The guest with its /etc and running value as they were."""
    guest.policy = Policy()
    guest.guest.ssh("rm -rf /root/etc && cp -a /etc /root/etc")
    yield guest
    guest.guest.ssh(
        "umount -q /etc/modprobe.d; umount -q /etc; "
        "for name in sysctl.conf sysctl.d modprobe.d; do "
        "rm -rf /etc/$name; cp -a /root/etc/$name /etc/$name; done; "
        "rm -f /usr/lib/sysctl.d/95-vendor.conf; echo 1 >/proc/sys/net/ipv4/vs/run_estimation"
    )


def persists(host: Remedied, evidence: Snapshot | None = None) -> bool:
    found = host.verdicts(evidence or host.collect())
    return {found[name] for name in ("EST-1", "EST-2", "EST-3", "EST-4")} == {"pass"}


def test_auto_keeps_forwarding_and_a_stale_line_breaks_no_load(host: Remedied) -> None:
    """What docker and kubelet switch on at run time, and a key of another kernel."""
    forwarding = "/proc/sys/net/ipv4/ip_forward"
    host.guest.put(CONF, "net.ipv4.ip_forward = 0\nnet.ipv4.nosuchkey = 1\n")
    host.guest.ssh(f"echo 1 >{forwarding}")
    before = host.etc()
    evidence = host.collect()
    recipe = make_plan(evidence, Policy(remedy="recipe"))
    assert f"ip_forward ({CONF}:1: differs from the running value)" in recipe.needs_approval
    assert f"nosuchkey ({CONF}:2: the kernel has no such key now)" in recipe.needs_approval
    made = host.plan(evidence)
    assert made.ready, made
    assert not host.apply(made).unsettled
    after = host.collect()
    assert persists(host, after)
    assert "also sets" not in host.results(after)["EST-3"].observed
    unload = "ipvsadm -C; modprobe -r ip_vs_rr ip_vs; test ! -e /sys/module/ip_vs"
    loaded = host.guest.ssh(f"{unload} && modprobe ip_vs_rr >/dev/null && cat {forwarding}")
    assert (loaded.stdout, host.value()) == ("1\n", "0")
    assert not host.undo().unsettled
    assert host.etc() == before
    # The recipe, as its plan says: forwarding ends, and the first load of ip_vs_rr fails.
    assert not host.apply(recipe).unsettled
    assert "ip_forward" in host.results(host.collect())["EST-3"].observed
    loaded = host.guest.ssh(
        f"{unload} && {{ modprobe ip_vs_rr >/dev/null; echo $?; cat {forwarding}; }}"
    )
    assert loaded.stdout == "1\n0\n"
    assert not host.undo().unsettled


def test_files_as_operators_leave_them_keep_what_is_theirs(host: Remedied) -> None:
    host.policy = Policy(remedy="recipe", accept_recipe_side_effects=True)
    host.guest.put(CONF, CRLF, 0o600)
    host.guest.put("/etc/sysctl.d/99-zz.conf", f"kernel.panic = 0\n{ON}")
    host.guest.put("/usr/lib/sysctl.d/95-vendor.conf", ON)
    host.guest.ssh(f"chown 12:34 {CONF}; ln -sf ../sysctl.conf /etc/sysctl.d/99-sysctl.conf")
    before = host.etc()
    made = host.plan()
    assert made.ready, made.blocked
    report = host.apply(made)
    assert report.complete, report
    assert not report.unsettled, report
    told = host.guest.ssh(f"stat -c '%a %u %g' {CONF}; readlink /etc/sysctl.d/99-sysctl.conf")
    assert told.stdout.split("\n")[:2] == ["600 12 34", "../sysctl.conf"]
    read = host.guest.ssh(f"od -An -c {CONF}").stdout
    assert read.count(r"\r") == 3
    zz = host.guest.ssh("cat /etc/sysctl.d/99-zz.conf").stdout
    assert zz == f"kernel.panic = 0\n# ipvs-audit: {ON}"
    assert host.guest.ssh("cat /usr/lib/sysctl.d/95-vendor.conf").stdout == ON
    assert persists(host)
    assert not host.undo().unsettled
    assert (host.etc(), host.value()) == (before, "1")


def test_a_missing_sysctl_conf_is_made_and_taken_away_again(host: Remedied) -> None:
    host.guest.ssh(f"rm {CONF}")
    before = host.etc()
    assert not host.apply(host.plan()).unsettled
    assert persists(host)
    assert not host.undo().unsettled
    assert host.etc() == before


def test_a_read_only_etc_is_said_and_nothing_is_done(host: Remedied) -> None:
    host.guest.ssh("mount --bind /etc /etc && mount -o remount,ro,bind /etc")
    made = host.plan()
    assert "read-only" in made.blocked
    assert not made.ready


def test_an_immutable_file_is_said_and_nothing_is_done(host: Remedied) -> None:
    host.guest.ssh(f"chattr +i {CONF}")
    try:
        before = host.etc()
        made = host.plan()
        assert "immutable" in made.blocked
        assert not made.ready
        assert host.etc() == before
    finally:
        host.guest.ssh(f"chattr -i {CONF}")


def test_the_documents_re_enable_holds_and_comes_back(host: Remedied) -> None:
    assert not host.apply(host.plan()).unsettled
    assert (host.value(), persists(host)) == ("0", True)
    before = host.etc()
    host.policy = Policy(estimation="enabled")
    made = host.plan()
    assert made.ready, made.blocked
    report = host.apply(made)
    assert report.complete, report
    assert not report.unsettled, report
    assert host.value() == "1"
    found = host.verdicts(host.collect())
    assert {found[name] for name in ("EST-2", "EST-3", "EST-4")} == {"pass"}
    assert host.plan().status == "already_compliant"
    assert host.reloaded() == "1"
    assert not host.undo().unsettled
    assert (host.etc(), host.value()) == (before, "0")


def test_a_full_disk_is_seen_before(host: Remedied) -> None:
    free = "$(df -k /etc | awk 'END { print $4 }')"
    host.guest.ssh(f"fallocate -l {free}k /root/full; cat /dev/zero >>/root/full 2>/dev/null; true")
    try:
        made = host.plan()
        assert "/etc has 0 KiB free" in made.blocked
        assert not made.ready
    finally:
        host.guest.ssh("rm /root/full")


def test_a_disk_that_fills_after_the_plan_is_survived(host: Remedied) -> None:
    before = host.etc()
    made = host.plan()
    small = "mount -t tmpfs -o size=4k,mode=755 none /etc/modprobe.d"
    host.guest.ssh(f"{small}; yes >/etc/modprobe.d/full 2>/dev/null; true")
    report = host.apply(made)
    assert {answer.number: answer.outcome for answer in report.steps} == {1: "written", 2: "failed"}
    assert "/etc/modprobe.d is a mount of its own" in host.plan().blocked
    assert not host.undo().unsettled
    host.guest.ssh("umount /etc/modprobe.d")
    assert host.etc() == before


def test_namespaces_that_resist_or_end_are_said_and_the_others_set(host: Remedied) -> None:
    host.policy = Policy(namespaces="every")
    hold = "sleep 900 </dev/null >/dev/null 2>&1 & echo $!; "
    started = host.guest.ssh(
        "sysctl -q user.max_user_namespaces=100; "
        f"setsid unshare -Un {hold} setsid unshare -n {hold} setsid unshare -n {hold} sleep 1"
    )
    _, ends, _ = processes = started.stdout.split()
    try:
        made = host.plan()
        assert len(value_steps(made)) == 4, [step.name for step in value_steps(made)]
        host.guest.ssh(f"kill {ends}; sleep 1")
        report = host.apply(made)
        assert report.complete, report
        words = sorted(answer.outcome for answer in report.steps[-4:])
        assert words == ["gone", "refused", "set", "set"], report
        assert not host.undo().unsettled or "user namespace" in report.problem
        assert host.value() == "1"
    finally:
        host.guest.ssh(f"kill {' '.join(processes)} 2>/dev/null; true")
