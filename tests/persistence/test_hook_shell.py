"""A hook's command read as a shell reads it, and what each program in it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from configured import CONF, HOOK, OFF, RECIPE, config, off

from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.persistence.shell.parser import Simple, UnsupportedShellError, parse

if TYPE_CHECKING:
    from ipvs_audit.persistence.prediction import Prediction

WRITE = "sysctl -w net.ipv4.vs.run_estimation=0"
LOAD = "/sbin/modprobe --ignore-install ip_vs"


def after(command: str, **more: object) -> Prediction:
    files = {CONF: OFF, HOOK: f"install ip_vs {command}\n"}
    return after_reload(config(files, **more), off)  # type: ignore[arg-type]


def words(command: str) -> list[str]:
    simple = parse(command).items[0].first.commands[0]
    assert isinstance(simple, Simple)
    return [word.text for word in simple.words]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        ("a b\\ c", ["a", "b c"]),
        ('a "b\\"c"', ["a", 'b"c']),
        ("a ''", ["a", ""]),
        ("a b#c # d", ["a", "b#c"]),
    ],
)
def test_words_and_quotes(command: str, expected: list[str]) -> None:
    assert words(command) == expected


@pytest.mark.parametrize(
    "command",
    ["a $(b)", "a `b`", "a $X", "a ${X:-y}", "if a; then b; fi", "for a in b", "a 'b", "a &&",
     "( a", "a <<E", "a )", "{ a;", "(" * 40 + "a" + ")" * 40],
)  # fmt: skip
def test_what_only_running_would_tell_is_named_not_guessed(command: str) -> None:
    with pytest.raises(UnsupportedShellError):
        parse(command)


@pytest.mark.parametrize(
    ("command", "held"),
    [
        (f"{LOAD} && {WRITE}", True),
        (f"{LOAD} ; {WRITE}", True),
        (f"{LOAD} || {WRITE}", False),
        (f"! {LOAD} || {WRITE}", True),
        (f"( {LOAD} && {WRITE} )", True),
        (f"{{ {LOAD}; {WRITE}; }}", True),
        (f"{LOAD} && false && {WRITE}", False),
        (f"{LOAD} && ( exit 1 ) || {WRITE}", True),
        (f"{LOAD}; exit 0; {WRITE}", False),
        (f"{LOAD} && exec {WRITE}", True),
        (f"{LOAD} && sh -ec '{WRITE}'", True),
        (f"{LOAD} && sleep 1 && {WRITE} && logger done", True),
        (f"{LOAD} && timeout 5 {WRITE}", True),
        (f"{LOAD} && /usr/bin/env {WRITE}", True),
        (f"{LOAD} -q && {WRITE} >/dev/null 2>&1", True),
        (f"modprobe -qi $MODPROBE_MODULE && {WRITE}", True),
        (f"insmod /lib/modules/x/ip_vs.ko && {WRITE}", True),
        (f"{LOAD} && {WRITE} net.ipv4.vs.run_estimation=1", False),
        (f"{LOAD} && sysctl -e -p", True),
        (f"{LOAD} && sysctl --load=/etc/sysctl.conf", True),
        (f"{LOAD} && sysctl -p/etc/sysctl.conf", True),
        (f"{LOAD} && sysctl -f", True),
        (f"{LOAD} && sysctl --dry-run -p", False),
        (f"{LOAD} && printf 0 > /proc/sys/net/ipv4/vs/run_estimation", True),
        (f"{LOAD} && printf '0\\n' > /proc/sys/net/ipv4/vs/run_estimation", False),
        (f"{LOAD} && echo off > /proc/sys/net/ipv4/vs/run_estimation", False),
        (f"{LOAD} && test -e /proc/sys/net/ipv4/vs/run_estimation && {WRITE}", True),
        (f"echo 0 > /proc/sys/net/ipv4/vs/run_estimation; {LOAD}", False),
        (f"{LOAD} && echo 0 2> /proc/sys/net/ipv4/vs/run_estimation", False),
        (f"{LOAD} && [ -e /run/x ] && {WRITE}", None),
        (f"{LOAD} && /opt/tune", None),
        (f"{LOAD} && {WRITE} &", None),
        (f"{LOAD} && sysctl -p /opt/elsewhere.conf", None),
        (f"{LOAD} && cat /tmp/x > /proc/sys/net/ipv4/vs/run_estimation", None),
        (f"modprobe ip_vs && {WRITE}", False),
        (f"modprobe -i ip_vs_rr && {WRITE}", False),
        (f"modprobe nf_conntrack && {LOAD} && {WRITE}", True),
    ],
)
def test_what_a_hook_leaves(command: str, held: object) -> None:
    assert after(command).holds(off) is held, after(command)


def test_the_unknown_program_is_named() -> None:
    assert "/opt/tune" in after(f"{LOAD} && /opt/tune").reason


def test_hook_reading_only_sysctl_conf_fails_when_value_is_in_a_drop_in() -> None:
    files = {CONF: "kernel.panic = 1\n", "/etc/sysctl.d/90-ipvs.conf": OFF, HOOK: RECIPE}
    prediction = after_reload(config(files), off)
    assert prediction.holds(off) is False
    assert prediction.reason == (
        f"{HOOK}:1 runs '/sbin/sysctl -p', which reads {CONF} only, where no line sets the key; "
        "the value is in /etc/sysctl.d/90-ipvs.conf:1"
    )


def test_a_kernel_without_the_key_breaks_the_recipe() -> None:
    prediction = after_reload(config({CONF: OFF, HOOK: RECIPE}, has_switch=False), off)
    assert "breaks 'modprobe ip_vs'" in prediction.fault


def test_a_hook_that_ignores_unknown_keys_does_not_break_but_cannot_help_without_the_key() -> None:
    prediction = after(f"{LOAD} && sysctl -e -p", has_switch=False)
    assert "cannot be switched off" in prediction.fault


def test_more_ways_than_can_be_followed_end_in_doubt() -> None:
    command = " ; ".join([f"grep x y && {WRITE}", *["grep a b || grep c d"] * 40])
    assert after(f"{LOAD}; {command}").holds(off) is None
