"""What runs beside ip_vs's own hook: udev's rules, and the hooks of modules that need ip_vs."""

from __future__ import annotations

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, RECIPE, config, off

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.reload import after_reload

RULES = "/etc/udev/rules.d/90-some.rules"
EARLY = "/etc/modules-load.d/ipvs.conf"
SETS = "/sbin/sysctl -w net.ipv4.vs.run_estimation={}"
MODULE = 'ACTION=="add", SUBSYSTEM=="module", KERNEL=="{}", RUN+="{}"\n'


def test_at_boot_a_rule_that_sets_another_value_races_with_systemd_sysctl() -> None:
    files = {DROP_IN: OFF, EARLY: "ip_vs\n", RULES: MODULE.format("ip_vs", SETS.format(1))}
    prediction = after_boot(config(files), off)
    assert prediction.holds(off) is None
    assert f"{RULES}:1" in prediction.doubt


def test_at_boot_a_rule_that_sets_the_same_value_is_no_race() -> None:
    files = {DROP_IN: OFF, EARLY: "ip_vs\n", RULES: MODULE.format("ip_vs", SETS.format(0))}
    assert after_boot(config(files), off).holds(off) is True


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack"', None),
        ('ACTION=="add", SUBSYSTEM=="net", KERNEL=="veth*"', None),
        ('ACTION=="add"', None),
        ('ACTION=="add", SUBSYSTEM=="module", KERNEL!="ip_vs"', None),
        ('ACTION=="remove", SUBSYSTEM=="module", KERNEL=="ip_vs"', None),
        ('ACTION=="remove|unbind", SUBSYSTEM=="net"', None),
        ('ACTION=="remove|add", SUBSYSTEM=="net"', None),
    ],
)
def test_a_rule_of_another_event_that_switches_on_leaves_the_reload_open(
    condition: str, holds: bool | None
) -> None:
    rule = f'{condition}, RUN+="{SETS.format(1)}"\n'
    files = {CONF: OFF, HOOK: RECIPE, RULES: rule}
    assert after_reload(config(files), off).holds(off) is holds


def test_a_rule_of_another_event_that_sets_the_same_changes_nothing() -> None:
    files = {CONF: OFF, HOOK: RECIPE, RULES: MODULE.format("nf_conntrack", SETS.format(0))}
    assert after_reload(config(files), off).holds(off) is True


def test_a_rule_of_another_event_is_held_against_what_all_rules_of_ip_vs_leave() -> None:
    """Wherever it stands: before a rule of ip_vs it may still run after it."""
    own_event = MODULE.format("ip_vs", SETS.format(0))
    other = MODULE.format("nf_conntrack", SETS.format(1))
    for text in (own_event + other, other + own_event):
        assert after_reload(config({CONF: OFF, RULES: text}), off).holds(off) is None


def test_an_unknown_condition_does_not_matter_where_the_rule_sets_the_same() -> None:
    rule = f'ACTION=="add", KERNEL=="ip_vs", ATTR{{x}}=="y", RUN+="{SETS.format(0)}"\n'
    assert after_reload(config({CONF: OFF, HOOK: RECIPE, RULES: rule}), off).holds(off) is True
    assert after_reload(config({CONF: OFF, RULES: rule}), off).holds(off) is None


def test_a_rule_of_another_module_takes_no_earlier_program_away() -> None:
    """RUN= empties the list of the event that it matches, and of no other."""
    own_event = MODULE.format("ip_vs", SETS.format(0))
    other = own_event.replace('"ip_vs"', '"nf_conntrack"').replace("RUN+=", "RUN=")
    assert after_reload(config({CONF: OFF, RULES: own_event + other}), off).holds(off) is True
    emptied = own_event + own_event.replace("RUN+=", "RUN=").replace(SETS.format(0), "/bin/true")
    assert after_reload(config({CONF: OFF, RULES: emptied}), off).holds(off) is False


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("/sbin/modprobe -i ip_vs_rr", True),
        ("/bin/true", True),
        (f"/sbin/modprobe -i ip_vs_rr && {SETS.format(1)}", None),
        (f"/sbin/modprobe -i ip_vs_rr && {SETS.format(0)}", True),
        ("/opt/lb/after-load", None),
        ("/sbin/modprobe -i ip_vs_rr; /sbin/modprobe -r ip_vs", None),
    ],
)
def test_the_hook_of_a_scheduler_may_spoil_a_right_value(command: str, holds: bool | None) -> None:
    hooks = f"{RECIPE}install ip-vs-rr {command}\n"
    assert after_reload(config({CONF: OFF, HOOK: hooks}), off).holds(off) is holds


def test_the_hook_of_a_scheduler_does_not_put_a_wrong_value_right() -> None:
    hooks = f"install ip_vs_rr /sbin/modprobe -i ip_vs_rr && {SETS.format(0)}\n"
    assert after_reload(config({CONF: OFF, HOOK: hooks}), off).holds(off) is False


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("/sbin/modprobe -i br_netfilter && /sbin/sysctl --system", None),
        ("/sbin/modprobe -i br_netfilter && /sbin/sysctl -p", True),
        ("/sbin/modprobe -i br_netfilter && sysctl -q --pattern ^net.bridge --system", True),
        ("/sbin/modprobe -i br_netfilter && sysctl -q --system --pattern ^net.bridge", None),
        (f"/sbin/modprobe -i br_netfilter; {SETS.format(1)}", None),
        ("/opt/tune-bridges", True),
        ("/bin/true", True),
    ],
)
def test_the_hook_of_another_module_may_set_another_value_later(
    command: str, holds: bool | None
) -> None:
    """sysctl --system reads /usr/lib/sysctl.d too, which sysctl -p does not."""
    files = {
        CONF: OFF.replace("run_estimation", "conntrack"),
        DROP_IN: OFF.replace("0", "1"),
        HOOK: f"install ip_vs /sbin/modprobe -i ip_vs && {SETS.format(0)}\n"
        f"install br_netfilter {command}\n",
    }
    assert after_reload(config(files), off).holds(off) is holds


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("/sbin/modprobe -i ip_vs", None),
        ("/sbin/modprobe --ignore-install ip-vs", None),
        ("/sbin/modprobe -C /dev/null ip_vs", None),
        ("/sbin/insmod /lib/modules/6.1/kernel/net/netfilter/ipvs/ip_vs.ko", None),
        ("/bin/sh -c '/sbin/modprobe -r ip_vs; /sbin/modprobe -i ip_vs'", None),
        ("/opt/lb/load-ipvs", None),
        ("/sbin/modprobe ip_vs", True),
        ("/sbin/modprobe -q ip_vs_rr", True),
        ("/sbin/modprobe -i ip_vs_rr", True),
        ("/usr/bin/logger ip_vs is needed", True),
    ],
)
def test_a_rule_of_another_event_that_loads_ip_vs_past_its_hook_is_a_doubt(
    command: str, holds: bool | None
) -> None:
    """A real boot with `modprobe -i ip_vs` on a network device's event came up with 1."""
    rule = f'ACTION=="add", SUBSYSTEM=="net", RUN+="{command}"\n'
    found = after_reload(config({CONF: OFF, HOOK: RECIPE, RULES: rule}), off)
    assert found.holds(off) is holds, found.reason
    assert holds or f"{RULES}:1" in found.doubt


def test_a_rule_of_another_event_on_an_unknown_condition_that_runs_the_hook_is_fine() -> None:
    rule = 'SUBSYSTEM=="net", ATTR{x}=="y", RUN+="/sbin/modprobe ip_vs"\n'
    assert after_reload(config({CONF: OFF, HOOK: RECIPE, RULES: rule}), off).holds(off) is True


def test_systemd_s_own_rule_for_network_devices_is_fine() -> None:
    """99-systemd.rules of systemd 252; udev puts the device's name in place of $name."""
    rule = (
        'SUBSYSTEM=="net", ACTION=="add|change", RUN+="/usr/lib/systemd/systemd-sysctl '
        "--prefix=/net/ipv4/conf/$name --prefix=/net/ipv4/neigh/$name "
        '--prefix=/net/ipv6/conf/$name --prefix=/net/ipv6/neigh/$name"\n'
    )
    files = {CONF: OFF, HOOK: RECIPE, "/usr/lib/udev/rules.d/99-systemd.rules": rule}
    assert after_reload(config(files), off).holds(off) is True


def test_a_load_past_the_hook_does_not_matter_where_a_rule_sets_the_value() -> None:
    rule = 'ACTION=="add", SUBSYSTEM=="net", RUN+="/sbin/modprobe -i ip_vs"\n'
    rules = MODULE.format("ip_vs", SETS.format(0)) + rule
    assert after_reload(config({CONF: OFF, RULES: rules}), off).holds(off) is True


@pytest.mark.parametrize(
    ("name", "command", "holds"),
    [
        ("nf_conntrack", "/sbin/modprobe -i nf_conntrack; /sbin/modprobe -i ip_vs", None),
        ("br_netfilter", "/sbin/modprobe -i br_netfilter; /sbin/modprobe -i ip_vs", None),
        ("nf_conntrack", "/sbin/modprobe -i nf_conntrack; /sbin/modprobe ip_vs", True),
        ("nf_conntrack", "/sbin/modprobe -i nf_conntrack; /opt/after", None),
        ("nf_*", "/opt/load", None),
        ("br_netfilter", "/opt/load-ipvs", None),
        ("nf_conntrack", "/sbin/modprobe -i nf_conntrack hashsize=65536", True),
        ("usb_storage", "/bin/true", True),
    ],
)
def test_the_hook_of_another_module_that_loads_ip_vs_past_its_hook_is_a_doubt(
    name: str, command: str, holds: bool | None
) -> None:
    """On a guest `modprobe ip_vs` with the first of these left 1: ip_vs needs nf_conntrack."""
    hooks = f"{RECIPE}install {name} {command}\n"
    found = after_reload(config({CONF: OFF, HOOK: hooks}), off)
    assert found.holds(off) is holds, found.reason
    assert holds or f"{HOOK}:2" in found.doubt
