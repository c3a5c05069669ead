"""What a hook may meet on a host: programs, files and modules that are missing or not known of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configured import CONF, DROP_IN, HOOK, OFF, PROGRAMS, RECIPE, config, off

from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.reload import after_reload
from ipvs_audit.snapshot.boot_files import BootFile, BootFiles
from ipvs_audit.snapshot.config_files import Line
from ipvs_audit.snapshot.programs import AtPath, Programs

if TYPE_CHECKING:
    from ipvs_audit.persistence.prediction import Prediction

WRITE = "sysctl -w net.ipv4.vs.run_estimation=0"
LOAD = "/sbin/modprobe -i ip_vs"
KEY = "/proc/sys/net/ipv4/vs/run_estimation"
MISSING = AtPath("absent", writable=True)


def having(paths: dict[str, AtPath], **more: object) -> Programs:
    """The usual programs and what else stands at some paths."""
    return replace(PROGRAMS, paths={**PROGRAMS.paths, **paths}, **more)  # type: ignore[arg-type]


def after(command: str, programs: Programs = PROGRAMS, **more: object) -> Prediction:
    files = {CONF: OFF, HOOK: f"install ip_vs {command}\n"}
    return after_reload(config(files, programs=programs, **more), off)  # type: ignore[arg-type]


def holds(command: str, programs: Programs = PROGRAMS) -> bool | None:
    return after(command, programs).holds(off)


@pytest.mark.parametrize(
    ("path", "told", "expected"),
    [
        ("/usr/bin/sysctl", MISSING, False),
        ("/usr/bin/sysctl", AtPath("file"), False),
        ("/usr/bin/sysctl", AtPath("directory"), False),
        ("/usr/bin/sysctl", AtPath("hidden"), None),
        ("/usr/bin/sysctl", AtPath("closed"), None),
        ("/usr/bin/sysctl", AtPath("program", same="sysctl"), True),
        ("/usr/local/sbin/sysctl", AtPath("program"), None),
        ("/usr/bin/sysctl", AtPath("program", same="busybox"), None),
        ("/opt/sbin/sysctl", AtPath("program", same="sysctl"), True),
    ],
)
def test_a_program_counts_as_the_probe_saw_it(
    path: str, told: AtPath, expected: bool | None
) -> None:
    assert holds(f"{LOAD} && {path} -p", having({path: told})) is expected


def test_a_program_that_the_evidence_does_not_tell_of_is_a_doubt() -> None:
    found = after(f"{LOAD} && /usr/bin/sysctl -p")
    assert found.holds(off) is None
    assert found.reason == (
        f"{HOOK}:1 leaves 0 or 1: the evidence does not say whether /usr/bin/sysctl exists"
    )


def test_a_missing_sysctl_is_named() -> None:
    found = after(f"{LOAD} && /usr/bin/sysctl -p", having({"/usr/bin/sysctl": MISSING}))
    assert found.reason == (
        f"{HOOK}:1 runs '/usr/bin/sysctl -p', which cannot run: /usr/bin/sysctl does not exist on "
        "this host"
    )


def test_a_hook_without_its_modprobe_breaks_every_load() -> None:
    found = after("/usr/bin/modprobe -i ip_vs && sysctl -p", having({"/usr/bin/modprobe": MISSING}))
    assert found.fault == (
        f"{HOOK}:1: /usr/bin/modprobe does not exist on this host, so ip_vs cannot be loaded"
    )


def test_evidence_without_programs_is_never_a_pass() -> None:
    assert (
        after_reload(config({CONF: OFF, HOOK: RECIPE}, programs=Programs()), off).holds(off) is None
    )


@pytest.mark.parametrize("names", [frozenset(), frozenset(("sysctl",))])
def test_a_bare_name_is_looked_up(names: frozenset[str]) -> None:
    paths = {path: at for path, at in PROGRAMS.paths.items() if not path.endswith("/sysctl")}
    programs = replace(PROGRAMS, paths=paths, names=names)
    assert holds(f"{LOAD} && {WRITE}", programs) is (False if names else None)


@pytest.mark.parametrize(
    ("shell", "expected"), [("dash", True), ("bash", True), ("busybox", None), ("", None)]
)
def test_busybox_may_run_its_own_sysctl_for_a_bare_name(shell: str, expected: bool | None) -> None:
    assert holds(f"{LOAD} && {WRITE}", replace(PROGRAMS, shell=shell)) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"{LOAD} & {WRITE}", None),
        (f"{LOAD} & sleep 5; {WRITE}", None),
        (f"{LOAD} && {WRITE} &", None),
        (f"{LOAD} | {WRITE}", None),
        (f"modprobe -r ip_vs & {LOAD}; {WRITE}", None),
        (f"modprobe -r ip_vs | {LOAD}; {WRITE}", None),
        (f"{LOAD} &> /dev/null && {WRITE}", None),
        (f"logger loading & {LOAD} && {WRITE}", True),
        (f"{LOAD} && sysctl --system | head -1", None),
        (f"{LOAD} && sysctl -p | grep -q vs", None),
        (f"{LOAD} && sysctl -p | logger", True),
        (f"{LOAD} && exit 0 | true; {WRITE}", True),
    ],
)
def test_what_runs_at_the_same_time_is_not_certain(command: str, expected: bool | None) -> None:
    assert holds(command) is expected


@pytest.mark.parametrize(("shell", "expected"), [("bash", True), ("dash", None), ("ksh", None)])
def test_shells_read_a_redirection_of_both_outputs_differently(
    shell: str, expected: bool | None
) -> None:
    programs = replace(PROGRAMS, shell=shell)
    assert holds(f"{LOAD} &> /dev/null && /sbin/sysctl -p", programs) is expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, None),
        (AtPath("nowhere"), False),
        (AtPath("directory"), False),
        (AtPath("absent", writable=True), True),
        (AtPath("absent", writable=False), False),
        (AtPath("file", writable=True), True),
        (AtPath("file", writable=False), False),
        (AtPath("file", writable=None), None),
        (AtPath("dangling"), None),
        (AtPath("hidden"), None),
    ],
)
@pytest.mark.parametrize("form", ["{} > {}", "{} >>{} 2>&1", "{} 2>{}", "{{ {}; }} > {}"])
def test_a_redirection_that_cannot_be_opened_ends_the_command(
    form: str, told: AtPath | None, expected: bool | None
) -> None:
    log = "/var/log/x/ipvs.log"
    programs = having({} if told is None else {log: told})
    assert holds(f"{LOAD} && {form.format('/sbin/sysctl -p', log)}", programs) is expected


def test_a_missing_directory_is_named() -> None:
    found = after(f"{LOAD} && {WRITE} > /nowhere/x", having({"/nowhere/x": AtPath("nowhere")}))
    assert found.value == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"{LOAD} && {WRITE} < /etc/missing", False),
        (f"{LOAD} && : > /etc/missing/x; {WRITE}", False),
        (f"{LOAD} && echo > /etc/missing/x; {WRITE}", True),
        (f"{LOAD} && exec 3> /etc/missing/x; {WRITE}", False),
        (f"{LOAD} && exec 2> /dev/null; {WRITE}", True),
        (f"{LOAD} && echo 0 > /proc/sys/net/ipv4/vs/conntrack && {WRITE}", True),
        (f"echo 0 > /proc/sys/net/ipv4/vs/conntrack && {LOAD}; {WRITE}", True),
        (f"{LOAD} && grep -o 0 /etc/missing > {KEY}", None),
        (f"{LOAD} && {WRITE} && date > {KEY}", None),
        (f"{LOAD} && echo 'kernel.x = 1' > {CONF} && /sbin/sysctl -p", None),
        (f"{LOAD} && sed -i s/0/1/ {CONF}; /sbin/sysctl -p", None),
        (f"{LOAD} && cp /tmp/x {CONF}; {WRITE}", None),
        (f"{LOAD} && {WRITE} >&-", None),
    ],
)
def test_what_else_a_redirection_does(command: str, expected: bool | None) -> None:
    told = {
        "/etc/missing": AtPath("absent"), "/etc/missing/x": AtPath("nowhere"),
        CONF: AtPath("file", writable=True), "/bin/sed": AtPath("program"),
    }  # fmt: skip
    assert holds(command, having(told)) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"modprobe nf_conntrack && {LOAD} && {WRITE}", True),
        (f"modprobe nf-conntrack && {LOAD} && {WRITE}", True),
        (f"{LOAD} && modprobe nf_conntrack_ipv4 && {WRITE}", None),
        (f"{LOAD} && modprobe nf_conntrack_ipv4; {WRITE}", True),
        (f"{LOAD} && modprobe -q gone || true; {WRITE}", True),
        (f"{LOAD} && modprobe -a nf_conntrack gone && {WRITE}", None),
        (f"modprobe -ai ip_vs ip_vs_rr; {WRITE}", True),
        (f"{LOAD} && modprobe ip_vs_rr && {WRITE}", None),
        (f"{LOAD} && modprobe -b nf_conntrack && {WRITE}", None),
        (f"modprobe ip_vs_rr; {LOAD}; {WRITE}", False),
        (f"modprobe -C /dev/null ip_vs && {WRITE}", True),
        (f"modprobe --config=/dev/null ip_vs && {WRITE}", True),
        (f"modprobe -C/dev/null -- ip_vs && {WRITE}", True),
        (f"modprobe -C /etc/other ip_vs && {WRITE}", None),
        (f"modprobe -d /mnt -i ip_vs && {WRITE}", None),
        (f"modprobe ip_vs --ignore-inst && {WRITE}", True),
        (f"modprobe -i --version ip_vs; {WRITE}", True),
        (f"modprobe --no-such-option -i ip_vs; {WRITE}", False),
        (f"modprobe --ignore-install=1 ip_vs; {WRITE}", False),
        (f"MODPROBE_OPTIONS=-i modprobe ip_vs && {WRITE}", None),
        (f"insmod /lib/modules/x/ip_vs.ko && {WRITE}", True),
    ],
)
def test_modules_that_may_not_be_there(command: str, expected: bool | None) -> None:
    assert holds(command) is expected


def test_a_module_with_a_hook_of_its_own_may_fail() -> None:
    files = {
        CONF: OFF,
        HOOK: f"install ip_vs {LOAD} && modprobe nf_conntrack && sysctl -p\n"
        "install nf_conntrack /bin/false\n",
    }
    assert after_reload(config(files), off).holds(off) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"{LOAD} && touch /run/x && {WRITE}", None),
        (f"{LOAD}; touch /run/x; {WRITE}", True),
        (f"{LOAD} && cat /etc/x && {WRITE}", None),
        (f"{LOAD} && mkdir -p /run/x && {WRITE}", None),
        (f"{LOAD} && grep -q x /etc/y && {WRITE}", None),
        (f"{LOAD} && (logger x || true) && {WRITE}", True),
        (f"{LOAD} && sleep soon && {WRITE}", None),
        (f"{LOAD} && sleep 0.5 && {WRITE}", True),
        (f"{LOAD} && test -n x && {WRITE}", None),
        (f"{LOAD} && [ -x /sbin/sysctl ] && {WRITE}", True),
        (f"{LOAD} && [ -x /usr/bin/sysctl ] && {WRITE}", None),
        (f"{LOAD} && [ -x /sbin/sysctl && {WRITE}", False),
        (f"{LOAD} && [ -f /sbin/sysctl ] || {WRITE}", False),
        (f"{LOAD} && command -v sysctl && {WRITE}", True),
        (f"{LOAD} && command -v gone && {WRITE}", None),
        (f"{LOAD} && udevadm settle && {WRITE}", None),
        (f"{LOAD} && systemctl restart foo && {WRITE}", None),
    ],
)
def test_a_command_that_may_fail_is_followed_both_ways(command: str, expected: bool | None) -> None:
    assert holds(command) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"sh -ec '{LOAD}; grep x y; {WRITE}'", None),
        (f"sh -c '{LOAD}; grep x y; {WRITE}'", True),
        (f"sh -e -c '{LOAD}; false; {WRITE}'", False),
        (f"sh -ec '{LOAD}; false || true; {WRITE}'", True),
        (f"sh -ec '{LOAD}; false && true; {WRITE}'", True),
        (f"sh -ec '{LOAD}; ! true; {WRITE}'", True),
        (f"sh -ec '{LOAD}; {{ false; true; }} || true; {WRITE}'", True),
        (f"sh -ec '{LOAD}; ( false; true ); {WRITE}'", False),
        (f"set -e; {LOAD}; false; {WRITE}", False),
        (f"set -e; set +e; {LOAD}; false; {WRITE}", True),
        (f"sh -ec '{LOAD}'; false; {WRITE}", True),
        (f"set -o errexit; {LOAD}; {WRITE}", None),
        (f"trap '{WRITE}' EXIT; {LOAD}", None),
        (f"eval {LOAD}; {WRITE}", None),
        (f". /etc/default/x; {LOAD}; {WRITE}", None),
        (f"PATH=/opt; {LOAD}; {WRITE}", None),
        (f"export PATH=/opt; {LOAD}; {WRITE}", None),
        (f"PATH=/opt {LOAD}; {WRITE}", None),
        (f"LC_ALL=C {LOAD} && LANG=C {WRITE}", True),
        (f"x=1; {LOAD}; {WRITE}", True),
        (f"sysctl() {{ :; }}; {LOAD}; {WRITE}", None),
        (f"alias sysctl=true; {LOAD}; {WRITE}", None),
        (f"function sysctl {{ :; }}; {LOAD}; {WRITE}", None),
        (f"[[ -e /x ]]; {LOAD}; {WRITE}", None),
        (f"{LOAD}; sysctl -w net.ipv4.vs.run_estimation={{0,1}}", None),
        (f"{LOAD}; {WRITE} >& /dev/null", None),
        (f"{LOAD}; ulimit -n 0; {WRITE}", None),
        (f"cd /etc && {LOAD} && {WRITE}", None),
        (f"sh -c 'if true; then true; fi'; {LOAD}; {WRITE}", None),
        (f"sh -c '$0'; {LOAD}; {WRITE}", None),
        (f"exec /bin/true; {LOAD}; {WRITE}", True),
        (f"{LOAD}; exec /bin/true; {WRITE}", False),
        (f"{LOAD}; ( exec /bin/true ); {WRITE}", True),
        (f"{LOAD}; sudo {WRITE}", None),
        (f"{LOAD}; nice -n 5 {WRITE}", None),
        (f"{LOAD}; time {WRITE}", None),
        (f"{LOAD}; {WRITE}[cut]", None),
    ],
)
def test_shell_that_is_not_followed_ends_in_doubt(command: str, expected: bool | None) -> None:
    assert holds(command) is expected


@pytest.mark.parametrize(
    ("helper", "told", "expected"),
    [
        ("/sbin/modprobe", {}, True),
        ("/usr/sbin/modprobe", {}, True),
        ("", {}, True),
        (None, {}, None),
        ("/usr/local/sbin/load", {"/usr/local/sbin/load": AtPath("program")}, None),
        ("/usr/local/sbin/load", {}, None),
        ("/usr/local/sbin/load", {"/usr/local/sbin/load": MISSING}, True),
        ("/bin/kmod", {"/bin/kmod": AtPath("program", same="modprobe")}, None),
        ("/bin/true", {"/bin/true": AtPath("program")}, None),
    ],
)
def test_the_kernel_s_own_loads_go_through_its_helper(
    helper: str | None, told: dict[str, AtPath], expected: bool | None
) -> None:
    files = {CONF: OFF, HOOK: RECIPE}
    programs = replace(having(told), helper=helper)
    assert after_reload(config(files, programs=programs), off).holds(off) is expected


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        (DROP_IN, "kernel.modprobe = /opt/mp", None),
        (CONF, "kernel/modprobe=/opt/mp", None),
        (DROP_IN, "kernel.mod* = /opt/mp", None),
        (DROP_IN, "-kernel.modprobe = /opt/mp", None),
        (DROP_IN, "kernel.modprobe = /sbin/modprobe", True),
        (DROP_IN, "kernel.modprobe =", True),
        (DROP_IN, "# kernel.modprobe = /opt/mp", True),
        (DROP_IN, "kernel.modules_disabled = 0", True),
    ],
)
def test_a_sysctl_file_may_give_the_kernel_another_helper(
    path: str, line: str, expected: bool | None
) -> None:
    """After a real boot with /opt/mp, which runs `modprobe -i`, a load on demand left 1."""
    given = {CONF: OFF, HOOK: RECIPE}
    found = after_boot(config(given | {path: given.get(path, "") + line + "\n"}), off)
    assert found.holds(off) is expected, found.reason
    assert expected or path in found.doubt


def test_the_kernel_command_line_may_give_the_kernel_another_helper() -> None:
    about = config({CONF: OFF, HOOK: RECIPE})
    tree = replace(about.tree, cmdline=("sysctl.kernel.modprobe=/opt/mp",))
    assert after_reload(replace(about, tree=tree), off).holds(off) is None


def test_a_unit_may_give_the_kernel_another_helper() -> None:
    path = "/etc/systemd/system/helper.service"
    line = Line(3, "ExecStart=/sbin/sysctl -w kernel.modprobe=/opt/mp")
    files = BootFiles(files={path: BootFile(path, lines=(line,))})
    found = after_reload(config({CONF: OFF, HOOK: RECIPE}, boot_files=files), off)
    assert f"{path}:3" in found.doubt


def test_what_tells_the_ends_apart_is_said() -> None:
    reason = after(f"{LOAD} && touch /run/x && {WRITE}").reason
    assert reason == f"{HOOK}:1 leaves 0 or 1: whether 'touch /run/x' succeeds is not known"


@pytest.mark.parametrize(
    "command", ["sysctl -p /opt/unknown.conf", "/lib/systemd/systemd-sysctl /opt/unknown.conf"]
)
def test_a_loader_of_a_file_that_was_not_collected_may_fail(command: str) -> None:
    assert holds(f"{LOAD} && {command} && echo 0 > {KEY}") is None
    assert holds(f"{LOAD} && {command}; echo 0 > {KEY}") is True
