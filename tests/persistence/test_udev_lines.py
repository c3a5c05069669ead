"""What udev makes of a line: which it throws away whole, and which forms are fine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, ON, RECIPE, config, off

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.udev.line import read_udev_line
from ipvs_audit.persistence.udev.uevent_order import early_uevent

RULES = "/etc/udev/rules.d/90-ipvs.rules"
RUN = 'RUN+="/usr/lib/systemd/systemd-sysctl --prefix=net/ipv4/vs"'
GOOD = f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", {RUN}'

#: What udev 252 throws away; tests/lab has a guest confirm it.
MALFORMED = {
    "one equals sign": GOOD.replace("KERNEL==", "KERNEL="),
    "action assigned": GOOD.replace("ACTION==", "ACTION="),
    "unquoted": GOOD.replace('"ip_vs"', "ip_vs"),
    "single quotes": GOOD.replace('"ip_vs"', "'ip_vs'"),
    "semicolons between": GOOD.replace(",", ";"),
    "semicolon at the end": f"{GOOD};",
    "trailing comment": f"{GOOD}  # ip_vs",
    "lower case": GOOD.replace("KERNEL", "kernel"),
    "unknown key": f'{GOOD}, FOO="x"',
    "added to a match": GOOD.replace("KERNEL==", "KERNEL+="),
    "matched program": GOOD.replace("RUN+=", "RUN=="),
    "program removed": GOOD.replace("RUN+=", "RUN-="),
    "no closing quote": GOOD[:-1],
    "no closing brace": GOOD.replace("RUN", "RUN{program"),
    "unknown kind of program": GOOD.replace("RUN", "RUN{script}"),
    "an attribute too many": GOOD.replace("KERNEL", "KERNEL{x}"),
    "an attribute too few": f'{GOOD}, ATTR=="1"',
    "typed quotes": GOOD.replace('"ip_vs"', "“ip_vs”"),
}  # fmt: skip
FINE = {
    "plain": GOOD,
    "no commas": GOOD.replace(",", ""),
    "no blanks": GOOD.replace(", ", ","),
    "no blanks, no commas": GOOD.replace(", ", ""),
    "blanks around operators": GOOD.replace("==", " == "),
    "commas at both ends": f",{GOOD}, ",
    "carriage return": f"{GOOD}\r",
    "named kind of program": GOOD.replace("RUN", "RUN{program}"),
    "a tag taken off": f'{GOOD}, TAG-="systemd"',
    "options": f'{GOOD}, OPTIONS+="watch"',
    "escaped quotes": GOOD.replace(RUN, r'RUN+="/bin/sh -c \"sysctl --system\""'),
    "escaping value": GOOD.replace("RUN+=", "RUN+=e"),
}  # fmt: skip


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
def test_a_line_that_does_not_parse_is_thrown_away_and_named(line: str) -> None:
    found = after_reload(config({DROP_IN: OFF, RULES: f"{line}\n"}), off)
    assert found.holds(off) is False
    assert f"udev ignores {RULES}:1: " in found.reason


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("version", [219, 239, None])
def test_what_older_versions_make_of_it_is_not_known(line: str, version: int | None) -> None:
    loaders = replace(LOADERS, systemd_version=version)
    about = config({DROP_IN: OFF, RULES: f"{line}\n"}, loaders=loaders)
    assert after_reload(about, off).holds(off) is not True


@pytest.mark.parametrize("line", FINE.values(), ids=FINE)
@pytest.mark.parametrize("version", [247, 252, 257])
def test_forms_that_are_fine(line: str, version: int) -> None:
    loaders = replace(LOADERS, systemd_version=version)
    about = config({CONF: OFF, DROP_IN: OFF, RULES: f"{line}\n"}, loaders=loaders)
    assert after_reload(about, off).holds(off) is True


def test_a_malformed_line_takes_neither_programs_nor_jumps_from_others() -> None:
    bad = 'ACTION="add", GOTO="end", RUN="/bin/true"\n'
    about = config({DROP_IN: OFF, RULES: f'{GOOD}\n{bad}{GOOD}\nLABEL="end"\n'})
    assert after_reload(about, off).holds(off) is True
    kept = f'ACTION=="add", GOTO="end"\n{GOOD}\nLABEL="end", FOO="x"\n'
    assert after_reload(config({DROP_IN: OFF, RULES: kept}), off).holds(off) is True


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ('KERNEL==i"IP_VS"', 257),
        ('WAIT_FOR="/x"', 252),
        ('OWNER="nobody"', 252),
        ('CONST{cvm}=="x"', 252),
        ('SYSCTL{kernel/panic}="0"', 239),
        ('NEW_KEY=="x"', 258),
        (r'RUN+="sh -c \"x\""', 239),
        ('KERNEL=="' + "x" * 10 + "[cut]", 252),
    ],
)
def test_what_depends_on_the_version_or_on_the_host_is_a_doubt(line: str, version: int) -> None:
    found = read_udev_line(line, version)
    assert (bool(found.doubt), found.discarded) == (True, "")


def test_udev_sets_a_key_itself() -> None:
    own_event = 'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", '
    sets = own_event + 'SYSCTL{{net/ipv4/vs/run_estimation}}="{}"\n'
    assert after_reload(config({RULES: sets.format(0)}), off).value == 0
    dotted = sets.replace("net/ipv4/vs/", "net.ipv4.vs.")
    assert after_reload(config({RULES: dotted.format(0)}), off).value == 0
    spoilt = config({CONF: OFF, HOOK: RECIPE, RULES: sets.format(1)})
    assert after_reload(spoilt, off).holds(off) is None
    after = sets.format(1) + own_event + 'RUN+="/sbin/sysctl -p"\n'
    assert after_reload(config({CONF: OFF, RULES: after}), off).value == 0
    emptied = sets.format(0) + own_event + 'RUN=""\n'
    assert after_reload(config({RULES: emptied}), off).value == 0


def test_a_program_that_udev_asks_may_set_the_key() -> None:
    asks = f'{GOOD}, PROGRAM=="/sbin/sysctl -w net.ipv4.vs.run_estimation=1"\n'
    assert after_reload(config({CONF: OFF, HOOK: RECIPE, RULES: asks}), off).holds(off) is None


@pytest.mark.parametrize("change", [{"udevd": None}, {"masked_units": ("systemd-udevd.service",)}])
def test_without_udev_no_rule_runs(change: dict[str, object]) -> None:
    loaders = replace(LOADERS, **change)  # type: ignore[arg-type]
    about = config({DROP_IN: OFF, RULES: f"{GOOD}\n"}, loaders=loaders)
    found = after_reload(about, off)
    assert found.holds(off) is False
    assert "udev's rules do not run" in found.reason
    wrong = GOOD.replace(RUN, 'RUN+="/sbin/sysctl -w net.ipv4.vs.run_estimation=1"')
    about = config({CONF: OFF, HOOK: RECIPE, RULES: f"{wrong}\n"}, loaders=loaders)
    assert after_reload(about, off).holds(off) is True


def test_under_another_init_it_is_not_known_whether_udev_runs() -> None:
    loaders = replace(LOADERS, init="init")
    wrong = GOOD.replace(RUN, 'RUN+="/sbin/sysctl -w net.ipv4.vs.run_estimation=1"')
    about = config({CONF: OFF, HOOK: RECIPE, RULES: f"{wrong}\n"}, loaders=loaders)
    assert after_reload(about, off).holds(off) is None
    right = config({CONF: OFF, RULES: f"{GOOD}\n"}, loaders=loaders)
    assert after_reload(right, off).holds(off) is not True


@pytest.mark.parametrize(
    ("kernel", "holds"),
    [
        ("4.19.91-26.6.al7.x86_64", None),
        ("4.18.0-553.el8_10.x86_64", None),
        ("5.10.0-28-cloud-amd64", None),
        ("5.10.4", None),
        ("5.10.5", True),
        ("5.10.134-16.3.al8.aarch64", True),
        ("4.19.165", True),
        ("5.11.0", True),
        ("6.1.0-40-cloud-amd64", True),
        ("6.12.48+deb13-amd64", True),
        ("odd", None),
    ],
)
def test_a_rule_races_where_the_event_comes_before_init(kernel: str, holds: bool | None) -> None:
    about = config({DROP_IN: OFF, RULES: f"{GOOD}\n"}, kernel=kernel)
    found = after_reload(about, off)
    assert found.holds(off) is holds
    assert (kernel in found.reason) is (holds is None)
    hooked = config({CONF: OFF, DROP_IN: OFF, HOOK: RECIPE, RULES: f"{GOOD}\n"}, kernel=kernel)
    assert after_reload(hooked, off).holds(off) is True
    early = {DROP_IN: OFF, CONF: ON, RULES: f"{GOOD}\n", "/etc/modules-load.d/i.conf": "ip_vs\n"}
    assert after_boot(config(early, kernel=kernel), off).holds(off) is True


def test_the_running_kernel_decides_and_none_is_needed_for_a_tree() -> None:
    assert early_uevent("") == ""
    assert "4.19.91" in early_uevent("4.19.91-26.6.al7.x86_64")


OWN = 'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", RUN+="{}"\n'


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("/sbin/sysctl -w net.ipv4.vs.run_estimation='0'", 0),
        ("/sbin/sysctl -w 'net.ipv4.vs.run_estimation=0'1", None),
        ("/sbin/sysctl -w 'net.ipv4.vs.run_estimation='0", 0),
        ("/sbin/sysctl -w net.ipv4.vs.'run_estimation'=0", 0),
    ],
)
def test_udev_joins_quotes_with_what_stands_beside_them(command: str, value: int | None) -> None:
    """`'...=0'1` is `...=01`, which the kernel reads as 1 (octal)."""
    found = after_reload(config({RULES: OWN.format(command)}), off)
    assert found.holds(off) is (value == 0), found.reason
    old = config({RULES: OWN.format(command)}, loaders=replace(LOADERS, systemd_version=239))
    assert after_reload(old, off).holds(off) is None


@pytest.mark.parametrize(
    "command",
    [
        "/bin/sh -c 'sysctl -w net.ipv4.vs.run_estimation=0",
        "/bin/sh -c 'sleep 200; /sbin/sysctl -w net.ipv4.vs.run_estimation=0'",
        "/bin/sh -c 'sleep 3 3; /sbin/sysctl -w net.ipv4.vs.run_estimation=0'",
        "/bin/sh -c 'sleep 3; sleep 3; /sbin/sysctl -w net.ipv4.vs.run_estimation=0'",
        "/bin/sh -c 'udevadm settle; /sbin/sysctl -w net.ipv4.vs.run_estimation=0'",
        "/bin/sh -c 'sysctl -w net.ipv4.vs.run_estimation=$env{X}'",
    ],
)
def test_what_udev_may_not_run_to_its_end_is_a_doubt(command: str) -> None:
    """udevd kills a program after 180 s: on a guest `sleep 200; sysctl ...` left 1."""
    found = after_reload(config({RULES: OWN.format(command)}), off)
    assert found.holds(off) is None, found.reason


def test_a_short_wait_in_a_rule_is_fine() -> None:
    command = "/bin/sh -c 'sleep 1; /sbin/sysctl -w net.ipv4.vs.run_estimation=0'"
    assert after_reload(config({RULES: OWN.format(command)}), off).holds(off) is True
