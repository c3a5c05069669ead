"""Writes that only seem to set the key, and commands that a program or a shell refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, HOOK, LOADERS, OFF, ON, PROGRAMS, RECIPE, config, off

from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.programs import AtPath

LOAD = "/sbin/modprobe -i ip_vs"
WRITE = "/sbin/sysctl -w net.ipv4.vs.run_estimation=0"
KEY = "/proc/sys/net/ipv4/vs/run_estimation"
DROP_IN = "/etc/sysctl.d/ipvs.conf"
PRESENT = {
    f"/usr/bin/{name}": AtPath("program") for name in ("systemd-cat", "ip", "systemctl", "timeout")
}


def holds(command: str, shell: str = "dash", **more: str) -> bool | None:
    """Whether the value holds; ``more``: lines of other directives in the hook's file."""
    names = PROGRAMS.names | {path.rpartition("/")[2] for path in PRESENT}
    programs = replace(PROGRAMS, paths={**PROGRAMS.paths, **PRESENT}, names=names, shell=shell)
    lines = [f"install ip_vs {command}", *(f"{verb} {rest}" for verb, rest in more.items())]
    files = {CONF: OFF, HOOK: "\n".join(lines) + "\n"}
    return after_reload(config(files, programs=programs), off).holds(off)


@pytest.mark.parametrize(
    ("command", "shell", "expected"),
    [
        (f"echo -e 0 > {KEY}", "dash", False),  # dash prints "-e 0", which the kernel refuses
        (f"echo -ne 0 > {KEY}", "dash", False),
        (f"echo -e 0 | tee {KEY}", "dash", False),
        (f"echo -e 0 > {KEY}", "bash", True),
        (f"echo -n 0 > {KEY}", "dash", True),
        (f"echo -n 0 > {KEY}", "", True),
        (f"echo -e 0 > {KEY}", "", None),
        (f"/bin/echo -e 0 > {KEY}", "dash", None),
        (f"printf -- 0 > {KEY}", "dash", True),
        (f"printf %d 0x > {KEY}", "dash", None),
        (f"printf -v x 0 > {KEY}", "bash", None),
    ],
)
def test_what_echo_prints_depends_on_the_shell(
    command: str, shell: str, expected: bool | None
) -> None:
    assert holds(f"{LOAD} && {command}", shell) is expected


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        (f"echo 0 > {KEY} >&2", False),
        (f"echo 0 > {KEY} > /dev/null", False),
        (f"echo 0 > {KEY} 2>/dev/null", True),
        (f"echo 0 2>/dev/null > {KEY}", True),
        (f"echo 0 2>&1 > {KEY}", True),
        (f"echo 0 >&2 | tee {KEY}", None),
        (f"echo 0 | tee {KEY} < /dev/null", None),
        (f"echo 0 | tee /dev/null > /dev/null | tee {KEY}", None),
        (f"echo 0 | tee {KEY} > /dev/null", True),
        (f"echo 0 | tee -a {KEY}", True),
        (f"echo 0 | tee --help {KEY}", None),
        (f"echo 0 > /dev/stdout | tee {KEY}", None),
        (f"echo 0 >&3 | tee {KEY}", None),
        (f"( echo 0 ) > {KEY}", None),
        (f"{{ echo 0; echo 1; }} | tee {KEY}", None),
        (f"sh -c 'echo 1; echo 0' | tee {KEY}", None),
        (f"echo * | tee {KEY}", None),
    ],
)
def test_a_write_counts_where_it_surely_arrives(writes: str, expected: bool | None) -> None:
    assert holds(f"{LOAD} && {writes}") is expected


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        (f"echo 1 2> {KEY} >&2", False),
        (f"{{ echo 1; }} > {KEY}", None),
        (f"{{ echo 1; echo 0; }} | tee {KEY}", None),
        (f"exec 3> {KEY}; echo 1 >&3", None),
        (f"exec > {KEY}; /sbin/sysctl -p; echo 1", None),
        ("echo 1 | tee /proc/sys/net/ipv4/*/run_estimation", None),
        ("echo 1 | tee /proc//sys/net/ipv4/vs/run_estimation", None),
        ("echo 1 | tee /proc/self/root/proc/sys/net/ipv4/vs/run_estimation", None),
        ("echo 1 > /proc/sys/net/ipv4/vs/../vs/run_estimation", None),
        ("echo 1 > /srv/link", None),
        ("echo 1 > /proc/sys/net/ipv4/vs/conntrack", True),
        ("echo loaded > /dev/null", True),
        ("systemd-cat /sbin/sysctl -w net.ipv4.vs.run_estimation=1", False),
        ("systemd-cat --what sysctl -w net.ipv4.vs.run_estimation=1", None),
        ("ip vrf exec blue sysctl -w net.ipv4.vs.run_estimation=1", None),
        ("ip netns exec blue sysctl -w net.ipv4.vs.run_estimation=1", None),
        ("ip link set lo up", True),
    ],
)
def test_what_may_write_the_key_again_is_seen(writes: str, expected: bool | None) -> None:
    assert holds(f"{LOAD}; /sbin/sysctl -p; {writes}") is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("systemctl --user restart systemd-sysctl", None),
        ("systemctl restart --root=/x systemd-sysctl", None),
        ("systemctl --no-block restart systemd-sysctl", None),
        ("systemctl mask systemd-sysctl", None),
        ("/sbin/sysctl --system=", None),
        ("/sbin/sysctl --quiet=1 -p", None),
        ("/sbin/sysctl --load=", None),
        ("/sbin/sysctl -p etc/sysctl.conf", None),
        ('/sbin/sysctl -p "/etc/sysctl.d/*.conf"', False),  # the value is in sysctl.conf
        ("unset PATH; sysctl -p", None),
        ("unset x; sysctl -p", True),
        ("read PATH; sysctl -p", None),
        ("x+=1; sysctl -p", None),
        ("kill 0; /sbin/sysctl -p", None),
        ("timeout 0.01 /sbin/sysctl -p", None),
        ("timeout 5 sh -c 'sleep 9; /sbin/sysctl -p'", None),  # it ends what takes longer
        ("timeout 5 sh -c '/sbin/sysctl -p'", True),
        ("chmod -x /sbin/sysctl; /sbin/sysctl -p", None),
        ("chmod 644 /tmp/x; /sbin/sysctl -p", True),
        ("/sbin/sysctl -p; modprobe ip_vs_rr; modprobe -r ip_vs_rr; modprobe -i ip_vs", None),
        ("systemd-cat -t ipvs /sbin/sysctl -p", True),
        ("systemd-cat /sbin/sysctl -p", True),
        ("systemd-cat -p info /sbin/sysctl -p", True),
        ("systemd-cat -p loud /sbin/sysctl -p", None),
        ("/sbin/sysctl -p && systemd-cat -t ipvs echo done", True),
        ("nohup exec /sbin/sysctl -p", None),
        ("nohup : && /sbin/sysctl -p", None),
    ],
)
def test_options_and_variables_that_decide_whether_it_runs(
    command: str, expected: bool | None
) -> None:
    assert holds(f"{LOAD} ; {command}") is expected


@pytest.mark.parametrize(("version", "expected"), [((4, 0, 2), True), ((3, 3, 10), None)])
def test_sysctl_expands_a_quoted_pattern_itself(
    version: tuple[int, ...], expected: bool | None
) -> None:
    files = {
        DROP_IN: OFF,
        HOOK: f'install ip_vs {LOAD} && /sbin/sysctl -p "/etc/sysctl.d/*.conf"\n',
    }
    host = config(files)
    host = replace(host, loaders=replace(host.loaders, procps=version))
    assert after_reload(host, off).holds(off) is expected


def test_a_group_does_not_end_the_shell_under_set_e() -> None:
    undone = "/sbin/sysctl -w net.ipv4.vs.run_estimation=1"
    command = f"{LOAD} ; set -e; /sbin/sysctl -p; {{ false && true; }}; {undone}"
    assert holds(command) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"{LOAD} ; ; {WRITE}", False),
        (f"; {LOAD} && {WRITE}", False),
        (f"{LOAD} && {WRITE} && {{ }}", False),
        (f"{LOAD} && {WRITE} ; ( )", False),
        (f"{LOAD} ; ! ! true && {WRITE}", None),
        (f"{LOAD} & ; {WRITE}", False),
        (f"{LOAD} | ! {WRITE}", None),
        (f"{LOAD} |& {WRITE}", None),
        (f"{LOAD} && {WRITE} 10> /dev/null", None),
        (f"{LOAD} && {WRITE} > >(logger)", None),
        (f"{LOAD} && {WRITE}; !", None),
    ],
)
def test_what_is_no_valid_shell_is_not_taken_for_valid(command: str, expected: bool | None) -> None:
    assert holds(command) is expected


@pytest.mark.parametrize(("shell", "expected"), [
    ("dash", False), ("bash", False), ("busybox", None), ("", None),
])  # fmt: skip
def test_a_hook_that_the_shell_cannot_read_loads_nothing(shell: str, expected: bool | None) -> None:
    programs = replace(PROGRAMS, shell=shell)
    found = after_reload(config({CONF: OFF, HOOK: f"{RECIPE.strip()}'\n"}, programs=programs), off)
    assert found.holds(off) is expected
    assert ("ip_vs cannot be loaded" in found.fault) is (expected is False)
    assert "a single quote is not closed" in found.reason


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_nested_shell_that_cannot_read_its_command_fails_alone(shell: str) -> None:
    programs = replace(PROGRAMS, shell=shell)
    for command, expected in (
        (f"sh -c '{LOAD} && (' ; {LOAD} && {WRITE}", True),
        (f"{LOAD} ; sh -c '{WRITE} && (' || true", False),
        (f"sh -c '{LOAD} &&' || {LOAD} && {WRITE}", True),
    ):
        host = config({CONF: OFF, HOOK: f"install ip_vs {command}\n"}, programs=programs)
        assert after_reload(host, off).holds(off) is expected, command


def test_bash_may_take_two_brackets_for_arithmetic() -> None:
    hook = {CONF: OFF, HOOK: f"install ip_vs (({LOAD}) && {WRITE})\n"}
    for shell, expected in (("dash", True), ("bash", None)):
        programs = replace(PROGRAMS, shell=shell)
        assert after_reload(config(hook, programs=programs), off).holds(off) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"M=ip_vs; modprobe -i $M && {WRITE}", True),
        (f'M="ip_vs"; modprobe -i "$M" && {WRITE}', True),
        ("conf=/etc/sysctl.conf && modprobe -i ip_vs; sysctl -p ${conf}", True),
        (f"M=ip_vs; modprobe $M && {WRITE}", False),  # the hook again
        (f"M=nf_nat; modprobe -i ip_vs; N=$M; {WRITE}", True),
        (f"M=ip_vs modprobe -i $M && {WRITE}", None),
        (f"M=ip_vs; M=nf_nat; modprobe -i $M && {WRITE}", None),
        (f"M=ip_vs; read M; modprobe -i $M && {WRITE}", None),
        (f"m=ip_vs; unset m; modprobe -i $m && {WRITE}", None),
        (f"M=ip_vs; sh -c 'modprobe -i $M' && {WRITE}", None),
        (f"PATH=/opt; modprobe -i ip_vs && {WRITE}", None),
        (f"LD_PRELOAD=/x.so; modprobe -i ip_vs && {WRITE}", None),
        (f"M=ip_vs & modprobe -i $M && {WRITE}", None),
        (f"M=if; $M modprobe -i ip_vs && {WRITE}", None),
    ],
)
def test_variables_that_a_hook_sets_first(command: str, expected: bool | None) -> None:
    assert holds(command) is expected


@pytest.mark.parametrize(("ends", "kmod", "expected"), [
    ("", 30, True), ("\n", 30, True), ("\\", 30, None), ("\\\n", 30, None), ("\\", None, None),
    ("\\", 34, True), ("\\\n# x\n", 30, True), ("\0x\n", 30, True),
])  # fmt: skip
def test_a_backslash_at_the_end_of_the_file_may_add_to_the_command(
    ends: str, kmod: int | None, expected: bool | None
) -> None:
    """kmod 28 and 30 were seen to run ``sysctl -p <0xff>``; 34 does not. The probe sees no more."""
    files = {CONF: OFF, HOOK: f"{RECIPE.strip()} {ends}"}
    about = config(files, loaders=replace(LOADERS, kmod=kmod))
    assert after_reload(about, off).holds(off) is expected


@pytest.mark.parametrize(("blacklisted", "expected"), [("ip_vs", False), ("nf_nat", True)])
def test_modprobe_b_loads_nothing_that_is_blacklisted(blacklisted: str, expected: bool) -> None:
    hook = "install ip_vs /sbin/modprobe -b -i ip_vs; /sbin/sysctl -p\n"
    files = {CONF: OFF, HOOK: hook, "/etc/modprobe.d/b.conf": f"blacklist {blacklisted}\n"}
    found = after_reload(config(files), off)
    assert (found.value == 0) is expected
    again = f"install ip_vs /sbin/modprobe -b -i ip_vs && {LOAD} && /sbin/sysctl -p\n"
    assert after_reload(config({**files, HOOK: again}), off).holds(off) is True


@pytest.mark.parametrize("option", ["--ig", "--ignore", "--ignore-remove", "--ignore-inst"])
def test_both_long_options_that_begin_alike_are_one(option: str) -> None:
    """``ignore-install`` and ``ignore-remove`` are both ``i`` in kmod's tools/modprobe.c."""
    files = {CONF: OFF, HOOK: f"install ip_vs /sbin/modprobe {option} ip_vs && /sbin/sysctl -p\n"}
    assert after_reload(config(files), off).holds(off) is True
    files[HOOK] = RECIPE + f"install nf_conntrack /sbin/modprobe {option} nf_conntrack; {LOAD}\n"
    files[HOOK] = files[HOOK].replace(LOAD, f"/sbin/modprobe {option} ip_vs")
    assert after_reload(config(files), off).holds(off) is None


@pytest.mark.parametrize(("pattern", "holds_off"), [("*.conf", False), (".*.conf", True)])
def test_a_pattern_matches_a_hidden_file_only_with_a_dot(pattern: str, holds_off: bool) -> None:
    files = {
        "/etc/sysctl.d/.z.conf": OFF,
        "/etc/sysctl.d/a.conf": "kernel.panic = 0\n",
        HOOK: f"install ip_vs {LOAD} && /sbin/sysctl -p /etc/sysctl.d/{pattern}\n",
    }
    assert after_reload(config(files), off).holds(off) is holds_off


def test_systemd_sysctl_looks_for_a_bare_name_in_its_directories() -> None:
    command = "/lib/systemd/systemd-sysctl a.conf"
    files = {HOOK: f"install ip_vs {LOAD} && {command}\n", "/usr/lib/sysctl.d/a.conf": OFF}
    assert after_reload(config(files), off).holds(off) is True
    files["/etc/sysctl.d/a.conf"] = ON
    assert after_reload(config(files), off).holds(off) is False
    del files["/etc/sysctl.d/a.conf"], files["/usr/lib/sysctl.d/a.conf"]
    assert after_reload(config(files), off).holds(off) is None


def test_the_variable_of_modprobe_is_the_module_whose_hook_runs() -> None:
    other = "/etc/modprobe.d/a.conf"
    files = {CONF: OFF, HOOK: RECIPE}
    for name, expected in (("nf_conntrack", True), ("ip_vs_rr", True), ("nf_*", None)):
        files[other] = f"install {name} /sbin/modprobe -i $MODPROBE_MODULE\n"
        assert after_reload(config(files), off).holds(off) is expected, name


@pytest.mark.parametrize(
    ("verb", "rest", "expected"),
    [
        ("remove", f"ip_vs /sbin/modprobe -r --ignore-remove ip_vs; {LOAD}", None),
        ("remove", f"ip_vs_rr /sbin/modprobe -r --ignore-remove ip_vs_rr ip_vs; {LOAD}", None),
        ("remove", "ip_vs /opt/clean-up", None),
        ("remove", "ip_vs /sbin/modprobe -r --ignore-remove ip_vs", True),
        ("remove", "ip_vs /sbin/modprobe -r --ignore-remove ip_vs && logger gone", True),
        ("remove", "nf_nat /opt/clean-up", True),
        ("options", "ip_vs conn_tab_bits=abc", False),
        ("options", "ip_vs conn_tab_bits=12 conn-tab-bits=0x", False),
        ("options", "ip_vs conn_tab_bits=", False),
        ("options", "ip_vs conn_tab_bits", False),
        ("options", "ip_vs conn_tab_bits=2147483648", False),
        ("options", "ip_v* conn_tab_bits=abc", True),  # in kmod options know no patterns
        ("options", 'ip_vs conn_tab_bits="12"', None),
        ("options", 'ip_vs log="a conn_tab_bits=abc"', None),
        ("options", "ip_vs conn_tab_bits=12", True),
        ("options", "ip_vs conn_tab_bits=0x0c", True),
        ("options", "ip_vs conn-tab-bits=+014", True),
        ("options", "ip_vs conn_tab_bits=27", None),
        ("options", "ip_vs conn_tab_bits=999999999", None),
        ("options", "ip_vs conn_tab_bits=-1", None),
        ("options", "ip_vs conn_tab_bits=12 debug=1", None),
        ("options", "nf_conntrack hashsize=abc", True),
    ],
)
def test_other_lines_of_modprobe_that_a_reload_meets(
    verb: str, rest: str, expected: bool | None
) -> None:
    assert holds(RECIPE.split(" ", 2)[2].strip(), **{verb: rest}) is expected
