"""``sysctl --pattern`` in hooks: the commonest form of sysctl hook in public repositories."""

from __future__ import annotations

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, config, off

from ipvs_audit.persistence.hook.sysctl_pattern import parse_pattern
from ipvs_audit.persistence.reload import after_reload

LOAD = "install ip_vs /sbin/modprobe -i ip_vs && /sbin/sysctl"


@pytest.mark.parametrize("options", [
    "--pattern ^net.ipv4.vs --system", "--pattern '^net[.]ipv4[.]vs[.].*' --system",
    "-r run_estimation --system", "-qrrun_estimation --system", "-p --pattern=net.ipv4.vs",
    "--pattern '(conf|vs)[.]run' --system", r"--pattern 'net\.ipv4\.vs' --system",
])  # fmt: skip
def test_a_pattern_that_matches_the_key_lets_the_line_through(options: str) -> None:
    files = {HOOK: f"{LOAD} {options}", CONF: OFF, DROP_IN: OFF}
    found = after_reload(config(files), off)
    assert (found.value, found.doubt, found.fault) == (0, "", "")


@pytest.mark.parametrize("options", [
    "--pattern ^net.bridge --system", "-r fs.nfs -p", "-r '^net.ipv4.vs$' --system",
])  # fmt: skip
def test_a_pattern_that_misses_the_key_leaves_1(options: str) -> None:
    found = after_reload(config({HOOK: f"{LOAD} {options}", CONF: OFF, DROP_IN: OFF}), off)
    assert (found.value, found.doubt) == (1, "")


@pytest.mark.parametrize(("options", "value"), [
    ("--system --pattern ^net.bridge", 0), ("--system --dry-run", 0), ("--system --help", 0),
    ("--system --bogus", 0), ("--system -p /etc/none.conf", 0), ("-a --system", 0),
    ("--all --system", 0), ("--dry-run --system", 1), ("--help --system", 1), ("-V --system", 1),
])  # fmt: skip
def test_sysctl_acts_at_system_with_the_options_before_it(options: str, value: int) -> None:
    """Seen of procps 3.3.17, 4.0.2 and 4.0.4."""
    found = after_reload(config({HOOK: f"{LOAD} {options}", DROP_IN: OFF}), off)
    assert (found.value, found.doubt) == (value, "")


def test_a_missing_key_that_the_pattern_leaves_out_is_no_failure() -> None:
    files = {HOOK: f"{LOAD} -p -r ^net.ipv4.vs", CONF: f"net.bogus.* = 1\nbogus.key = 1\n{OFF}"}
    found = after_reload(config(files, has_switch=True), off)
    assert (found.value, found.notes) == (0, ())


@pytest.mark.parametrize("options", [
    r"-r '\\\\bnet' --system", "-r '[[:alpha:]]' --system", "-r '(net|x)*' --system",
    "-r 'a{2}' --system", "-r net.ipv4.vs", "-r --system", "-qr net.ipv4.vs --system",
])  # fmt: skip
def test_a_pattern_that_is_not_understood_is_a_doubt(options: str) -> None:
    found = after_reload(config({HOOK: f"{LOAD} {options}", CONF: OFF, DROP_IN: OFF}), off)
    assert found.doubt


def test_a_line_that_spells_the_key_in_another_way_than_the_pattern_is_a_doubt() -> None:
    files = {HOOK: f"{LOAD} -p -r '^net[.]ipv4'", CONF: "net/ipv4/vs/run_estimation = 0"}
    assert "--pattern" in after_reload(config(files), off).doubt


@pytest.mark.parametrize("text", ["", "a" * 129, ".*.*.*.*", "a**", "*a", "(?i)a", "[a", "a\\"])
def test_expressions_that_are_not_read(text: str) -> None:
    assert parse_pattern(text) is None
