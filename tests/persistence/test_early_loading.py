"""What loads ip_vs before systemd-sysctl runs: modules-load.d and the kernel command line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, RECIPE, config, off

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.early_loading import find_early_load
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.kernel import upstream_version

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig

LOAD = "/etc/modules-load.d/ipvs.conf"


def with_cmdline(files: dict[str, str], *words: str, **more: object) -> HostConfig:
    about = config(files, **more)
    return replace(about, tree=replace(about.tree, cmdline=words))


@pytest.mark.parametrize(
    "line",
    ["ip_vs", "  ip_vs\t", "ip-vs", "ip_vs\r", "ip_vs_rr", "ip-vs-wlc", "xt_ipvs"],
)
def test_a_line_with_one_name_loads_it(line: str) -> None:
    found = after_boot(config({DROP_IN: OFF, LOAD: f"{line}\n"}), off)
    assert found.holds(off) is True
    assert f"{LOAD}:1" in found.because


@pytest.mark.parametrize(
    "line",
    ["ip_vs_rr  # round robin", "ip_vs ip_vs_rr", "modprobe ip_vs", "ip_vs, ip_vs_rr", "ip_vs;"],
)
def test_a_line_with_more_than_a_name_loads_nothing(line: str) -> None:
    found = after_boot(config({DROP_IN: OFF, LOAD: f"{line}\n"}), off)
    assert found.holds(off) is False
    assert (f"{LOAD}:1 loads nothing" in found.reason) is (" " in line)
    another = after_boot(config({DROP_IN: OFF, LOAD: f"{line}\nip_vs\n"}), off)
    assert another.holds(off) is True


def test_comments_load_nothing_and_are_not_mentioned() -> None:
    found = after_boot(config({DROP_IN: OFF, LOAD: "# ip_vs ip_vs_rr\n; ip_vs rr\n"}), off)
    assert "loads nothing" not in found.reason


def test_the_hook_of_another_module_that_is_loaded_early_may_put_the_value_right() -> None:
    """As on Debian 11, where systemd-modules-load ran the hook once ip_vs was there."""
    hook = f"install ip_vs_rr /sbin/sysctl -p {CONF} && /sbin/modprobe -i ip_vs_rr\n"
    files = {CONF: OFF, HOOK: hook, LOAD: "ip_vs\nip-vs-rr\n"}
    found = after_boot(config(files), off)
    assert found.holds(off) is None
    assert "ip_vs_rr, which is loaded early as well, sets 0" in found.doubt
    # Where it is not loaded, or sets nothing right, the boot leaves 1.
    assert after_boot(config({**files, LOAD: "ip_vs\n"}), off).holds(off) is False
    assert after_boot(config({**files, CONF: "vm.swappiness = 7\n"}), off).holds(off) is False


def test_a_name_that_may_be_a_module_or_an_alias_is_a_doubt() -> None:
    assert find_early_load(config({LOAD: "ip_vs_other\n"})).doubt
    assert find_early_load(config({LOAD: "ipvs\n", HOOK: "alias ipvs ip_vs_mine\n"})).doubt
    assert not find_early_load(config({LOAD: "ipvs\n"})).doubt


@pytest.mark.parametrize("blank", ["\u00a0", "\u2028", "\u0085", "\f", "\v", "\x1c", "\ufeff"])
def test_what_systemd_takes_for_no_blank_is_part_of_the_name(blank: str) -> None:
    """Seen of systemd 247, 252 and 257; systemd strips spaces, tabs and line ends only."""
    for line in (f"ip_vs{blank}", f"{blank}ip_vs"):
        found = after_boot(config({DROP_IN: OFF, LOAD: f"{line}\n"}), off)
        assert found.holds(off) is False
        assert (f"{LOAD}:1 loads nothing" in found.reason) is (blank != "\ufeff")


@pytest.mark.parametrize(("line", "early"), [
    ("ip_vs\rnf_nat", True), ("nf_nat\rip_vs", True), ("ip_vs\0", True), ("#\rip_vs", True),
    ("ip_vs\r#", True), ("nf_nat\r# ip_vs", False),
])  # fmt: skip
def test_a_carriage_return_ends_a_line(line: str, early: bool) -> None:
    found = after_boot(config({DROP_IN: OFF, LOAD: f"{line}\n"}), off)
    assert found.holds(off) is early


@pytest.mark.parametrize(("name", "alias"), [
    ("ip_vs_rr", "ip_vs_rr off"), ("ip_vs_rr", "ip-vs-rr nf_nat"), ("ip_vs_rr", "ip_vs_r? nf_nat"),
    ("ip_vs", "ip_vs nf_nat"), ("ip_vs", "ip_v[s] off"),
])  # fmt: skip
def test_an_alias_in_place_of_the_module_does_not_load_it(name: str, alias: str) -> None:
    """Seen of kmod 28, 30 and 34: modprobe looks for an alias first."""
    found = after_boot(config({DROP_IN: OFF, LOAD: f"{name}\n", HOOK: f"alias {alias}\n"}), off)
    assert found.holds(off) is not True


@pytest.mark.parametrize("alias", ["ipvs ip_vs", "ipvs ip-vs-rr  # local", "ip?s ip_vs"])
def test_an_alias_of_ip_vs_loads_it(alias: str) -> None:
    found = after_boot(config({DROP_IN: OFF, LOAD: "ipvs\n", HOOK: f"alias {alias}\n"}), off)
    assert found.holds(off) is True


@pytest.mark.parametrize(("kernel", "loads"), [
    ("4.18.0-553.el8.x86_64", True), ("6.1.0-18-amd64", True), ("3.10.0-1160.el7.x86_64", None),
    ("", None),
])  # fmt: skip
def test_a_scheduler_that_came_later_is_not_taken_for_granted(kernel: str, loads: bool) -> None:
    """Maglev hashing came with Linux 4.18 (net/netfilter/ipvs/ip_vs_mh.c)."""
    found = after_boot(config({DROP_IN: OFF, LOAD: "ip_vs_mh\n"}, kernel=kernel), off)
    assert found.holds(off) is loads


@pytest.mark.parametrize(
    ("words", "early"),
    [
        (("modules_load=ip_vs",), True),
        (("modules-load=nf_conntrack,ip_vs_rr",), True),
        (("rd.modules_load=ip_vs",), False),
        (("modules_load=ip_vs", "modprobe.blacklist=ip_vs"), False),
        (("modules_load=ip_vs", "modprobe.blacklist=floppy"), True),
        (("modules_load=ip_vs_rr", "module_blacklist=ip_vs_rr"), False),
    ],
)
def test_the_kernel_command_line_loads_and_blacklists(words: tuple[str, ...], early: bool) -> None:
    found = after_boot(with_cmdline({DROP_IN: OFF}, *words), off)
    assert found.holds(off) is early


@pytest.mark.parametrize("command", [
    "systemctl restart systemd-sysctl", "/usr/bin/systemctl start systemd-sysctl",
    "sh -c 'systemctl restart systemd-sysctl'",
])  # fmt: skip
def test_a_hook_that_waits_for_what_waits_for_it_is_a_doubt(command: str) -> None:
    """systemd-sysctl starts after systemd-modules-load, which waits for the hook."""
    files = {HOOK: f"install ip_vs /sbin/modprobe -i ip_vs && {command}\n", DROP_IN: OFF}
    early = after_boot(config({**files, LOAD: "ip_vs\n"}), off)
    assert early.holds(off) is None
    assert f"{HOOK}:1 runs systemctl" in early.doubt
    assert f"{LOAD}:1 makes that load ip_vs" in early.doubt
    skipped = {
        **files,
        LOAD: "ip_vs\n",
        "/etc/modprobe.d/z.conf": "softdep ip_vs pre: nf_conntrack\n",
    }
    assert after_boot(config(skipped), off).holds(off) is True  # the hook does not run
    assert "runs systemctl" not in after_boot(config(files), off).doubt  # on demand


def test_a_kernel_that_refuses_ip_vs_runs_no_estimation() -> None:
    refused = with_cmdline({}, "module_blacklist=floppy,ip_vs")
    for found in (after_reload(refused, off), after_boot(refused, off)):
        assert found.holds(off) is True
        assert "module_blacklist=" in found.because
    only_by_alias = with_cmdline({}, "modprobe.blacklist=ip_vs")
    assert after_boot(only_by_alias, off).holds(off) is False


def test_a_sysctl_on_the_command_line_needs_a_kernel_that_knows_it() -> None:
    word = "sysctl.net.ipv4.vs.run_estimation=0"
    for kernel, holds in (("5.10.134-16.al8.x86_64", True), ("4.18.0-553.el8.x86_64", False)):
        about = with_cmdline({}, word, module="builtin", kernel=kernel)
        assert after_boot(about, off).holds(off) is holds
    assert after_boot(with_cmdline({}, word), off).holds(off) is False  # a module has no key yet


def test_a_hook_that_systemd_runs_and_busybox_cannot_is_a_doubt() -> None:
    """Seen: systemd-modules-load runs the hook, and busybox's modprobe knows no such option."""
    loaders = replace(LOADERS, modprobe="/sbin/modprobe", modprobe_kind="busybox", kmod=None)
    files = {DROP_IN: OFF, LOAD: "ip_vs\n"}
    assert after_boot(config(files, loaders=loaders), off).holds(off) is True
    found = after_boot(config({**files, HOOK: RECIPE}, loaders=loaders), off)
    assert found.holds(off) is None
    assert f"{HOOK}:1" in found.doubt


def test_another_init_is_a_doubt_that_names_it() -> None:
    loaders = replace(LOADERS, init="openrc-init", systemd_modules_load=None)
    found = after_boot(config({DROP_IN: OFF, CONF: OFF, LOAD: "ip_vs\n"}, loaders=loaders), off)
    assert found.holds(off) is not True
    hooked = {CONF: OFF, HOOK: RECIPE, LOAD: "ip_vs\n"}
    assert after_boot(config(hooked, loaders=loaders), off).holds(off) is True


@pytest.mark.parametrize(
    ("release", "numbers"),
    [("6.1.0-40-amd64", (6, 1, 0)), ("5.10", (5, 10)), ("odd", None), ("6", None), ("", None)],
)
def test_the_numbers_of_a_release(release: str, numbers: tuple[int, ...] | None) -> None:
    assert upstream_version(release) == numbers


FIREWALLD = (
    "/usr/sbin/modprobe --ignore-install nf_conntrack $CMDLINE_OPTS && /sbin/sysctl --quiet "
    "--pattern 'net[.]netfilter[.]nf_conntrack.*' --system"
)


@pytest.mark.parametrize(
    ("hook", "holds"),
    [
        (f"install nf_conntrack {FIREWALLD}", True),
        ("install nf-conntrack /sbin/modprobe -i nf-conntrack", True),
        (f"install nf_conntrack {FIREWALLD.replace('/sbin/sysctl', '/usr/bin/sysctl')}", None),
        ("install nf_conntrack /sbin/modprobe -i nf_conntrack && /sbin/sysctl -p", None),
        ("install nf_conntrack /sbin/modprobe -i nf_conntrack; /opt/unknown", None),
        ("install nf_conntrack /bin/false", None),
        ("install nf_conntrack /bin/true", None),
        # -n: modprobe only says what it would do.
        (f"install nf_conntrack {FIREWALLD.replace('--ignore-install', '-in')}", None),
        (f"install nf_conntrack modprobe -in nf_conntrack; {FIREWALLD}", True),
        ("install libcrc32c /bin/false", None),
        ("install nf_conntrack /bin/false\nsoftdep nf_conntrack pre: nf_defrag_ipv4", True),
        ("install dccp /bin/false", True),
        (f"install nf_conntrack modprobe nf_nat; {FIREWALLD}", None),
        (f"install nf_conntrack modprobe -i nf_nat || true; {FIREWALLD}", None),
        (f"install nf_conntrack {FIREWALLD}; modprobe -q nf_nat || true", True),
        (f"install nf_conntrack modprobe nf_defrag_ipv4; {FIREWALLD}", True),
    ],
)
def test_the_hook_of_a_module_that_ip_vs_needs_may_keep_it_from_an_early_load(
    hook: str, holds: bool | None
) -> None:
    """systemd-modules-load then fails, and a later load finds systemd-sysctl gone.

    With kmod 28, 30 and 34 (the oracle) ip_vs is not loaded in each case that is not True here.
    """
    files = {DROP_IN: OFF, LOAD: "ip_vs\n", "/etc/modprobe.d/firewalld.conf": f"{hook}\n"}
    found = after_boot(config(files), off)
    assert found.holds(off) is holds, found.summary
    assert holds or "/etc/modprobe.d/firewalld.conf:1" in found.doubt


@pytest.mark.parametrize(("kmod", "holds"), [(30, False), (34, True), (None, None)])
def test_whether_a_blacklist_in_an_alias_file_counts_depends_on_kmod(
    kmod: int | None, holds: bool | None
) -> None:
    """Busybox's modprobe tells no version of the libkmod that systemd-modules-load uses."""
    about = config({DROP_IN: OFF, LOAD: "ip_vs\n", "/etc/modprobe.d/a.alias": "blacklist ip_vs\n"})
    about = replace(about, loaders=replace(about.loaders, kmod=kmod))
    assert after_boot(about, off).holds(off) is holds
