"""What an auditor types by hand shows what the probe printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made import check
from probe_runs import SHELLS, below, run

from ipvs_audit.controls.control import control_of
from ipvs_audit.snapshot import ON_REQUEST, store
from ipvs_audit.snapshot.by_hand import by_hand
from ipvs_audit.snapshot.estimator_runs import BEFORE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipvs_audit.snapshot import Section

CONTROLS = [f"EST-{number}" for number in range(1, 8)]
FILES = ("sysctl", "sysctl-named", "modprobe", "udev", "modules-load")
RECORDED = Path(__file__).parents[1] / "recordings" / "namespaced.jsonl"
#: A host with everything that a directory of configuration may hold: by path, text or a link.
HOST = {
    "etc/sysctl.conf": "# kernel.x = 1\nkernel.ostype = Linux\n\nkernel.pid_max=7\n",
    "etc/sysctl.d/99-sysctl.conf": "->../sysctl.conf",
    "etc/sysctl.d/.hidden.conf": " -net/ipv4/ip_forward = 1\n",
    "etc/sysctl.d/masked.conf": "->/dev/null",
    "etc/sysctl.d/lost.conf": "->nowhere",
    "usr/lib/sysctl.d/50-default.conf": "; kernel.y = 1\nnet.ipv4.nosuchkey = 2\n",
    "opt/named.conf": "net.ipv4.ip_forward=0\n",
    "etc/modprobe.d/ipvs.conf": (
        "# install ip_vs\ninstall ip_vs /sbin/modprobe -i ip_vs && sysctl -p ROOT/opt/named.conf"
        " && ROOT/opt/tool && ROOT/opt/absent\noptions dummy numdummies=0\n"
    ),
    "etc/modprobe.d/old.alias": "softdep ip_vs pre: dummy\n",
    "usr/lib/udev/rules.d/50-ours.rules": (
        '# LABEL\nGOTO="end"\nRUN+="/sbin/sysctl -p"\nKERNEL=="lo", NAME="x"\nLABEL="end"\n'
    ),
    "etc/udev/rules.d/50-ours.rules": 'KERNEL=="lo", GOTO="end"\nLABEL="end"\n',
    "usr/lib/udev/rules.d/60-others.rules": 'GOTO="end"\nLABEL="end"\n',
    "etc/modules": "# modules\nloop\n",
    "etc/modules-load.d/ipvs.conf": "# ip_vs\nip_vs\nip_vs_rr\n",
    "usr/lib/modules-load.d/ipvs.conf": "loop\n",
    "opt/tool": "#!/bin/sh\necho 0 > /proc/sys/net/ipv4/vs/run_estimation\n",
    "etc/cron.d/ours": "* * * * * root /sbin/sysctl -w net.ipv4.vs.run_estimation=1\n",
    "etc/systemd/system/ours.service": "[Service]\nType=oneshot\nExecStart=/sbin/sysctl -p\n",
    "usr/lib/systemd/system/systemd-sysctl.service": (
        "# comment\n[Unit]\nBefore=sysinit.target\n[Service]\n"
        "ExecStart=/lib/systemd/systemd-sysctl\n"
    ),
    "etc/systemd/system/systemd-sysctl.service.d/late.conf": "[Unit]\nAfter=network.target\n",
    "usr/lib/systemd/system/sysinit.target.wants/systemd-sysctl.service": (
        "->../systemd-sysctl.service"
    ),
}


@pytest.fixture(scope="module", params=["this machine", "a made-up one"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Where the files are looked for; None for this machine's own."""
    if request.param == "this machine":
        return None
    place: Path = tmp_path_factory.mktemp("host")
    for name, text in HOST.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            path.symlink_to(text[2:])
        else:
            path.write_text(text.replace("ROOT", str(place)))
    (place / "opt/tool").chmod(0o755)
    return place


@pytest.fixture(scope="module")
def probed(root: Path | None) -> dict[str, Section]:
    """What the probe says of it."""
    return run(root=root)


@pytest.fixture(params=[one for one in ("dash", "bash") if one in SHELLS])
def shell(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = SHELLS[request.param]
    return found


def typed(shell: list[str], section: str, root: Path | None = None) -> str:
    text = os.fsencode(by_hand(section))
    ran = subprocess.run(
        [*shell, "-c", text if root is None else below(root, text)],
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert b"yntax error" not in ran.stderr
    return ran.stdout.decode("utf-8", "backslashreplace")


def told(section: Section) -> dict[str, set[str]]:
    """Of the files of a section: where each leads, stat and digest, and its lines."""
    found: dict[str, set[str]] = defaultdict(set)
    path = ""
    for line in section.lines():
        word, _, rest = line.partition(" ")
        if word == "file":
            path = rest
            found[path] |= set()
        elif word == "line":
            found[path].add(rest.replace(" ", ":", 1))
        elif word in ("real", "stat", "sha256"):
            found[path].add(line)
        elif word == "dangling":
            found[path].add(f"real {Path(path).resolve()}")
    return found


def seen(shown: str) -> dict[str, set[str]]:
    """The same of what a command has shown."""
    found: dict[str, set[str]] = defaultdict(set)
    path = ""
    for line in shown.splitlines():
        if link := re.fullmatch(r"(/.*) -> (.*)", line):
            path = link[1]
            found[path].add(f"real {link[2]}")
        elif stat := re.fullmatch(r"(/.*) (0[0-7]+ \d+ \d+ \d+)", line):
            path = stat[1]
            found[path].add(f"stat {stat[2]}")
        elif digest := re.fullmatch(r"([0-9a-f]{64})  (/.*)", line):
            assert digest[2] == path
            found[path].add(f"sha256 {digest[1]}")
        else:
            assert re.match(r"\d+:", line), line
            found[path].add(line)
    return found


@pytest.mark.parametrize("control", CONTROLS)
def test_every_section_that_a_control_shows_has_a_command(control: str) -> None:
    about = control_of(check(control))
    assert about is not None
    shown = set(about.evidence) - ON_REQUEST - {BEFORE}  # measurements do not come again
    assert {one for one in shown if not by_hand(one)} == set()


@pytest.mark.parametrize(
    ("section", "index"),
    [
        ("module", '"/lib/modules/$(uname -r)/modules.dep"'),
        ("next-boot", "/lib/modules/*/modules.dep"),
    ],
)
def test_only_ip_vs_itself_is_shown_of_all_modules(
    section: str, index: str, tmp_path: Path
) -> None:
    (tmp_path / "modules.dep").write_text(
        "kernel/ipvs/ip_vs.ko.xz: kernel/nf_conntrack.ko.xz\n"
        "kernel/ipvs/ip_vs_rr.ko.xz: kernel/ipvs/ip_vs.ko.xz\n"
        "kernel/xt_ipvs.ko.xz: kernel/ipvs/ip_vs.ko.xz kernel/x_tables.ko.xz\n"
    )
    command = by_hand(section)
    assert index in command
    # The pipes and files of the command's other parts have nothing to do with it.
    (look,) = [part for part in command.split("; ") if index in part]
    look = look.replace(index, str(tmp_path / "modules.dep"))
    ran = subprocess.run(
        ["sh", "-c", look], capture_output=True, text=True, check=False, timeout=60
    )
    lines = [line.rpartition(f"{tmp_path}/modules.dep:")[2] for line in ran.stdout.splitlines()]
    assert [line for line in lines if "ip_vs" in line] == ["kernel/ipvs/ip_vs.ko.xz"]


@pytest.mark.parametrize("section", FILES)
def test_the_files_their_links_modes_digests_and_lines_are_the_same(
    probed: dict[str, Section], root: Path | None, shell: list[str], section: str
) -> None:
    if section not in probed:
        assert section == "sysctl-named"
        assert seen(typed(shell, section, root)) == {}
        return
    shown = seen(typed(shell, section, root))
    assert shown == told(probed[section])
    assert root is None or shown


def test_the_running_values_are_equal_to_those_of_the_files_or_differ(
    probed: dict[str, Section], root: Path | None, shell: list[str]
) -> None:
    found, path = {}, ""
    for line in typed(shell, "running-values", root).splitlines():
        match = re.fullmatch(r"(/.*?):(\d+):[^=]*=(.*); running: (.*)", line)
        assert match, line
        wanted, runs = (" ".join(one.split()) for one in match.groups()[2:])
        state = "equal" if wanted == runs else "differs" if runs else "absent"
        found[match[1], match[2]] = state
    expected = {}
    for line in probed["running-values"].lines():
        word, _, rest = line.partition(" ")
        if word == "file":
            path = rest
        elif word in ("equal", "differs", "absent", "readonly", "unread", "acts"):
            expected[path, rest.partition(" ")[0]] = word
    # What cannot be written, or could not be compared, shows all the same what it is.
    open_ones = {key for key, word in expected.items() if word in ("readonly", "unread", "acts")}
    assert found.keys() == expected.keys()
    assert {key: one for key, one in found.items() if key not in open_ones} == {
        key: one for key, one in expected.items() if key not in open_ones
    }
    assert root is None or {"equal", "differs", "absent"} <= {*found.values()}


def test_the_programs_that_hooks_and_rules_name_are_the_same(
    probed: dict[str, Section], root: Path | None, shell: list[str]
) -> None:
    shown = typed(shell, "programs", root).splitlines()
    there = {line.rpartition(" ")[2] for line in shown if re.match(r" *\d+ [-dlbcps]", line)}
    expected = {
        name: state
        for line in probed["programs"].lines()
        if line.startswith("path ")
        for _, state, _, _, name in [line.split(" ", 4)]
    }
    assert there >= {name for name, state in expected.items() if state in ("program", "file")}
    absent = ("absent", "nowhere", "dangling", "hidden")
    assert not there & {name for name, state in expected.items() if state in absent}
    (sh,) = re.findall(r"^shell (.*)$", probed["programs"].output, re.MULTILINE)
    assert any(line.endswith(f"/{sh}") for line in shown)
    if helper := re.findall(r"^helper (.*)$", probed["programs"].output, re.MULTILINE):
        assert helper[0] in shown
    assert root is None or f"{root}/opt/tool" in there


@pytest.fixture
def keepalived(tmp_path: Path) -> Iterator[int]:
    """A process of that name, which loads modules; its id."""
    program = tmp_path / "keepalived"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "300"]) as process:
        yield process.pid
        process.kill()


def test_who_loads_modules_from_which_root_directory(shell: list[str], keepalived: int) -> None:
    found = [one for one in typed(shell, "programs").splitlines() if f"/{keepalived}/root" in one]
    assert [line.rpartition(" -> ")[2] for line in found] == ["/"]


def test_what_sets_the_key_later_and_the_loaders_units_are_the_same(
    probed: dict[str, Section], root: Path | None, shell: list[str]
) -> None:
    shown = typed(shell, "late-writers", root)
    lines = shown.splitlines()
    path, files = "", 0
    for line in probed["late-writers"].lines():
        word, _, rest = line.partition(" ")
        if word == "file":
            path = rest
        elif word == "wanted":
            name, _, by = rest.rpartition(" ")
            assert f"/{by.removeprefix('/run/')}/{name}" in shown
        elif word == "line":
            number, _, text = rest.partition(" ")
            concerns = re.search(r"run_estimation|sysctl", text) or "/systemd-" in path
            if concerns and not text.endswith("[cut]"):
                files += 1
                assert any(one.startswith(f"{path}:{number}:{text}") for one in lines), line
    assert root is None or files > 5


def test_the_counters_are_those_of_which_the_probe_brings_the_sums(
    shell: list[str], tmp_path: Path
) -> None:
    (host,) = store.read(RECORDED)
    raw = host.sections["stats.0"].output  # type: ignore[union-attr]
    cut = raw.index("       Total", 10)
    (tmp_path / "ip_vs_stats").write_text(raw[:cut])
    (tmp_path / "ip_vs_stats_percpu").write_text(raw[cut:])
    for section, times in (("stats.0", 1), ("stats.2", 1), ("counters", 3)):
        text = by_hand(section).replace("/proc/net", str(tmp_path)).replace("sleep 3", ":")
        ran = subprocess.run([*shell, "-c", text], capture_output=True, check=True, timeout=60)
        assert ran.stdout.decode() == times * raw


def test_every_command_is_one_line_that_every_shell_understands(shell: list[str]) -> None:
    for control in CONTROLS:
        about = control_of(check(control))
        assert about is not None
        for section in about.evidence:
            command = by_hand(section)
            assert "\n" not in command
            subprocess.run([*shell, "-n", "-c", command], check=True, timeout=60)


def test_the_namespaces_of_processes_are_the_same(
    probed: dict[str, Section], shell: list[str]
) -> None:
    own = re.search(r"^host (\d+) ", probed["netns"].output, re.MULTILINE)
    assert own is not None
    assert f"netns {own[1]}\n" in typed(shell, "netns")


def test_the_kernel_and_the_machine_are_the_same(
    probed: dict[str, Section], root: Path | None, shell: list[str]
) -> None:
    shown = typed(shell, "host", root)
    for key in ("release", "hostname", "machine-id", "boot-id", "possible", "arch"):
        found = re.search(rf"^{key}=(.*)$", probed["host"].output, re.MULTILINE)
        assert found is None or found[1] in shown, key
