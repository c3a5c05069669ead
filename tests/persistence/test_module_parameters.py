"""The parameters of ip_vs: in a hook, in modprobe.d, on the kernel command line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, HOOK, LOADERS, OFF, PROGRAMS, RECIPE, config, off, tree

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_config import HostConfig
from ipvs_audit.persistence.reload import after_reload

LOAD = "/sbin/modprobe -i ip_vs"
WRITE = "/sbin/sysctl -w net.ipv4.vs.run_estimation=0"
BAD = {"/etc/modprobe.d/z.conf": "options ip_vs conn_tab_bits=abc\n"}
EARLY = {"/etc/modules-load.d/ipvs.conf": "ip_vs\n", "/etc/sysctl.d/ipvs.conf": OFF}


def host(files: dict[str, str], *words: str) -> HostConfig:
    """A host with a kernel command line."""
    return HostConfig(tree(files, cmdline=words), LOADERS, programs=PROGRAMS)


@pytest.mark.parametrize(
    ("parameter", "first", "second"),
    [
        ("conn_tab_bits=12", True, True),
        ("conn_tab_bits=x", False, True),
        ("debug=1", None, None),
    ],
)
def test_a_parameter_that_a_hook_gives(
    parameter: str, first: bool | None, second: bool | None
) -> None:
    once = {CONF: OFF, HOOK: f"install ip_vs {LOAD} {parameter} && {WRITE}\n"}
    again = {CONF: OFF, HOOK: f"install ip_vs {LOAD} {parameter} ; {LOAD} && {WRITE}\n"}
    assert after_reload(config(once), off).holds(off) is first
    assert after_reload(config(again), off).holds(off) is second


@pytest.mark.parametrize("hook", [RECIPE, f"install ip_vs {LOAD} $CMDLINE_OPTS && {WRITE}\n"])
@pytest.mark.parametrize(("words", "expected"), [
    (("ip_vs.conn_tab_bits=12",), True),
    (("ip-vs.conn_tab_bits=abc",), False),
    (("ip_vs.conn_tab_bits=12", "ip_vs.conn_tab_bits"), False),
    (("ip_vs.conn_tab_bits=40",), None),
    (("ip_vs_rr.conn_tab_bits=abc", "nf_conntrack.hashsize=x"), True),
])  # fmt: skip
def test_parameters_on_the_kernel_command_line(
    words: tuple[str, ...], expected: bool | None, hook: str
) -> None:
    one = host({CONF: OFF, HOOK: hook}, *words)
    assert after_reload(one, off).holds(off) is expected
    assert after_boot(one, off).holds(off) is expected


@pytest.mark.parametrize("one", [
    config(EARLY | BAD), host(EARLY, "ip_vs.conn_tab_bits=abc"),
])  # fmt: skip
def test_an_ip_vs_that_cannot_be_loaded_fails_also_without_a_hook(one: HostConfig) -> None:
    assert "ip_vs cannot be loaded: the kernel rejects ip_vs with" in after_reload(one, off).fault
    assert "the kernel rejects ip_vs with 'conn_tab_bits=abc'" in after_boot(one, off).fault


def test_a_built_in_ip_vs_only_says_that_it_ignores_a_parameter() -> None:
    one = replace(host(EARLY, "ip_vs.conn_tab_bits=abc"), module="builtin")
    assert after_boot(one, off).holds(off)


def test_busybox_may_read_them_otherwise() -> None:
    loaders = replace(LOADERS, modprobe_kind="busybox")
    assert not after_reload(config(EARLY | BAD, loaders=loaders), off).fault


def test_modprobe_without_its_files_still_reads_the_kernel_command_line() -> None:
    alone = {CONF: OFF, HOOK: f"install ip_vs modprobe -C /dev/null ip_vs && {WRITE}\n"}
    assert not after_reload(config(alone | BAD), off).fault
    told = after_reload(host(alone, "ip_vs.conn_tab_bits=abc"), off).fault
    assert "'conn_tab_bits=abc' (the kernel command line)" in told


def test_insmod_reads_neither() -> None:
    hook = {CONF: OFF, HOOK: f"install ip_vs insmod /lib/modules/x/ip_vs.ko && {WRITE}\n"}
    assert not after_reload(config(hook | BAD), off).fault
    bad = {CONF: OFF, HOOK: hook[HOOK].replace(".ko", ".ko conn_tab_bits=abc")}
    assert after_reload(config(bad), off).holds(off) is False


def test_a_refused_parameter_is_named_with_its_place() -> None:
    told = after_reload(config({CONF: OFF, HOOK: RECIPE} | BAD), off).fault
    assert "the kernel rejects ip_vs with 'conn_tab_bits=abc' (/etc/modprobe.d/z.conf:1)" in told
    assert told.endswith("so ip_vs cannot be loaded")
