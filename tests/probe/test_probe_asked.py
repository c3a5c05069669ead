"""What the host's own programs are asked, and what the probe brings of their answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from probe_runs import SHELLS, run

from ipvs_audit.snapshot.config_files import Line
from ipvs_audit.snapshot.host_answers import (
    HostAnswers,
    LoadAnswer,
    SysctlAnswer,
    parse_host_answers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

RELEASE = Path("/proc/sys/kernel/osrelease").read_text().strip()
#: busybox takes its own sysctl and modprobe, whatever stands in the search path.
STARTING = [shell for shell in SHELLS if shell != "busybox"]
LOADS = f"/lib/modules/{RELEASE}/kernel/net/netfilter/ipvs/ip_vs.ko"
NAME = "net.ipv4.vs.run_estimation"
KEY_EXISTS = '-e "$vs/run_estimation"'
TOO_LONG = "x" * 5000


class Machine:
    """A machine below a folder: it has ip_vs and its key, kmod, procps and systemd."""

    def __init__(self, top: Path) -> None:
        self.root, self.programs = top / "root", top / "programs"
        self.asked = top / "asked"
        module = Path(f"{self.root}{LOADS}")
        module.parent.mkdir(parents=True)
        module.touch()
        (self.root / f"lib/modules/{RELEASE}/modules.dep.bin").touch()
        (self.root / "etc").mkdir()
        (self.root / "etc/sysctl.conf").touch()
        (self.root / "vs").mkdir()
        (self.root / "vs/run_estimation").write_text("0\n")
        systemd = self.root / "usr/lib/systemd"
        systemd.mkdir(parents=True)
        (systemd / "libsystemd-shared-252.so").touch()
        self.program("systemd-sysctl", "", folder=systemd)
        self.program("sysctl", "--version) echo 'sysctl from procps-ng 4.0.2' ;;")
        self.program("modprobe", "--version) echo 'kmod version 30' ;;")

    def program(self, name: str, cases: str, folder: Path | None = None) -> None:
        """A program that answers by its arguments, and notes them."""
        place = (folder or self.programs) / name
        place.parent.mkdir(exist_ok=True)
        noted = f"echo {name} $* >>{self.asked}"
        place.write_text(f"#!/bin/sh\n{noted}\ncase $* in\n{cases}\n*) exit 2 ;;\nesac\n")
        place.chmod(0o755)

    def says(self, name: str, arguments: str, lines: Iterable[str], status: int = 0) -> None:
        """Let a program answer these arguments with lines."""
        folder = self.root / "usr/lib/systemd" if name.startswith("systemd") else self.programs
        place, answer = folder / name, folder / f"{name}{arguments.replace(' ', '')}"
        answer.write_text("\n".join(lines) + "\n")
        case = f"case $* in\n'{arguments}') cat {answer}; exit {status} ;;\n"
        place.write_text(place.read_text().replace("case $* in\n", case))

    def answers(self, shell: str) -> HostAnswers:
        """What the probe brings of it."""
        return parse_host_answers(run(
            SHELLS[shell], root=self.root, first=self.programs,
            instead={KEY_EXISTS: f"-e {self.root}/vs/run_estimation"},
        )["asked"])  # fmt: skip

    def questions(self) -> list[str]:
        """What its programs were asked but for their versions."""
        return [line for line in self.asked.read_text().splitlines() if "--version" not in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("shell", STARTING)
def test_modprobe_tells_the_command_that_a_load_runs(machine: Machine, shell: str) -> None:
    machine.says("modprobe", "--show-depends ip_vs", [
        "install /bin/of-a-dependency --password=secret ",
        "insmod /lib/modules/x/kernel/nf_conntrack.ko hashsize=1",
        "install /sbin/modprobe -i ip_vs && /sbin/sysctl -p conn_tab_bits=12 ",
    ])  # fmt: skip
    found = machine.answers(shell)
    assert found.load == LoadAnswer(
        "/sbin/modprobe -i ip_vs && /sbin/sysctl -p conn_tab_bits=12 ", ""
    )


@pytest.mark.parametrize("shell", STARTING)
def test_modprobe_tells_the_file_that_it_loads_without_a_command(
    machine: Machine, shell: str
) -> None:
    machine.says("modprobe", "--show-depends ip_vs", [
        "install /bin/of-a-dependency ", f"insmod {LOADS}.xz conn_tab_bits=12",
        "insmod /lib/modules/x/kernel/ip_vs.kompressor",
    ])  # fmt: skip
    assert machine.answers(shell).load == LoadAnswer("", f"{LOADS}.xz")


@pytest.mark.parametrize("shell", STARTING)
def test_systemd_tells_its_files_in_order_and_only_lines_that_concern_the_key(
    machine: Machine, shell: str
) -> None:
    machine.says("systemd-sysctl", "--cat-config", [
        "# /etc/sysctl.d/10-a.conf", "# /etc/sysctl.d/90-said-by-a-comment.conf",
        "net.ipv4.vs.run_estimation = 0", "kernel.secret = hunter2", "# net.run_estimation = 1",
        "",
        "# /usr/lib/sysctl.d/50 b.conf", "net.ipv4.*.x = 1",
        "net.core.bpf = [?]", f"net.ipv4.vs.run_estimation = {TOO_LONG}",
        "", "# /etc/sysctl.d/99-masked.conf",
    ])  # fmt: skip
    files = machine.answers(shell).files
    assert files is not None
    assert [(file.path, file.lines) for file in files] == [
        ("/etc/sysctl.d/10-a.conf", (Line(2, "net.ipv4.vs.run_estimation = 0"),)),
        ("/usr/lib/sysctl.d/50 b.conf", (
            Line(1, "net.ipv4.*.x = 1"),
            Line(3, f"net.ipv4.vs.run_estimation = {TOO_LONG}"[:4096] + "[cut]"),
        )),
        ("/etc/sysctl.d/99-masked.conf", ()),
    ]  # fmt: skip


@pytest.mark.parametrize("shell", STARTING)
def test_sysctl_tells_what_it_would_write_to_the_key(machine: Machine, shell: str) -> None:
    machine.says("sysctl", "--dry-run --system", [
        "* Applying /etc/sysctl.conf ...", "kernel.secret = hunter2",
        "net.ipv4.vs.run_estimation = 1", "net.ipv4.vs.run_estimation = 0 ; x",
        ".net.ipv4.//.ipv4.vs.run_estimation = 5",
    ])  # fmt: skip
    machine.says("sysctl", "--dry-run -p", ["net.ipv4.vs.run_estimation = 0"], status=255)
    found = machine.answers(shell)
    assert found.system == SysctlAnswer(
        ((NAME, "1"), (NAME, "0 ; x"), (".net.ipv4.//.ipv4.vs.run_estimation", "5")), 0
    )
    assert found.conf == SysctlAnswer(((NAME, "0"),), 255)
    assert "sysctl --help" not in machine.questions()


def test_no_other_values_and_no_commands_of_other_modules_leave_the_host(machine: Machine) -> None:
    machine.says("sysctl", "--dry-run --system", ["kernel.secret = hunter2"])
    machine.says("systemd-sysctl", "--cat-config", ["# /etc/sysctl.d/a.conf", "a.b = hunter2"])
    machine.says("modprobe", "--show-depends ip_vs", [
        "install /bin/x hunter2 ", "insmod /lib/nf_conntrack.ko hunter2", f"insmod {LOADS} hunter2",
    ])  # fmt: skip
    sections = run(
        SHELLS[STARTING[0]], root=machine.root, first=machine.programs,
        instead={KEY_EXISTS: f"-e {machine.root}/vs/run_estimation"},
    )  # fmt: skip
    assert "hunter2" not in sections["asked"].output
    assert parse_host_answers(sections["asked"]).load == LoadAnswer("", LOADS)


@pytest.mark.parametrize("shell", STARTING)
@pytest.mark.parametrize("has", [True, False])
def test_only_procps_3_3_17_is_asked_for_its_help(
    machine: Machine, shell: str, *, has: bool
) -> None:
    machine.says("sysctl", "--version", ["sysctl from procps-ng 3.3.17"])
    machine.says("sysctl", "--help", ["  --dry-run  Print the key" if has else "  --system"])
    machine.says("sysctl", "--dry-run --system", ["net.ipv4.vs.run_estimation = 0"])
    found = machine.answers(shell)
    assert found.helps_dry_run is has
    assert (found.system is not None) is has
    assert ("sysctl --dry-run --system" in machine.questions()) is has


@pytest.mark.parametrize(("version", "why"), [
    ("sysctl from procps-ng 3.3.15", "this sysctl has none"),
    ("sysctl from procps-ng UNKNOWN", "this sysctl has none"),
    ("sysctl (procps version 3.2.8)", "this sysctl has none"),
    ("sysctl (uutils procps) 4.0.1", "this sysctl has none"),
])  # fmt: skip
def test_a_sysctl_without_a_dry_run_is_never_asked_for_one(
    machine: Machine, version: str, why: str
) -> None:
    machine.says("sysctl", "--version", [version])
    found = machine.answers(STARTING[0])
    assert ("dry-run", why) in found.not_asked
    assert not [line for line in machine.questions() if line.startswith("sysctl")]


def test_a_dry_run_needs_the_key(machine: Machine) -> None:
    (machine.root / "vs/run_estimation").unlink()
    assert ("dry-run", "the key is not there now") in machine.answers(STARTING[0]).not_asked
    assert "sysctl --dry-run --system" not in machine.questions()


def test_a_modprobe_that_is_not_kmod_is_not_asked(machine: Machine) -> None:
    machine.says("modprobe", "--version", ["module-init-tools version 3.9"])
    found = machine.answers(STARTING[0])
    assert ("show-depends", "it is not kmod's modprobe") in found.not_asked
    assert not [line for line in machine.questions() if line.startswith("modprobe")]


def test_nothing_is_asked_where_there_is_no_ip_vs(machine: Machine) -> None:
    Path(f"{machine.root}{LOADS}").unlink()
    shutil.rmtree(machine.root / "vs")
    assert machine.answers(STARTING[0]).not_asked == (("everything", "ip_vs is not there"),)
    assert machine.questions() == []


def test_an_old_systemd_is_not_asked(machine: Machine) -> None:
    (machine.root / "usr/lib/systemd/libsystemd-shared-252.so").rename(
        machine.root / "usr/lib/systemd/libsystemd-shared-234.so"
    )
    found = machine.answers(STARTING[0])
    assert ("cat-config", "there is no systemd from 235 on") in found.not_asked


@pytest.mark.parametrize("shell", STARTING)
def test_a_program_that_hangs_is_ended_and_has_not_answered(machine: Machine, shell: str) -> None:
    machine.says("modprobe", "--show-depends ip_vs", [f"insmod {LOADS}"])
    machine.program("sysctl", "--version) echo 'sysctl from procps-ng 4.0.2' ;;\n"
                    "*--system) echo net.ipv4.vs.run_estimation = 0; exec sleep 77 ;;")  # fmt: skip
    found = machine.answers(shell)
    assert found.load == LoadAnswer("", LOADS)
    assert (found.system, found.conf, found.files) == (None, None, None)
    assert ("dry-run --system", "it did not end in time, or said too much") in found.not_asked
    listed = subprocess.check_output(["ps", "-eo", "args"], text=True)
    assert "sleep 77" not in listed


def test_a_program_that_says_too_much_has_not_answered(machine: Machine) -> None:
    machine.says("sysctl", "--dry-run --system", ["net.ipv4.vs.run_estimation = 0"] * 2001)
    assert machine.answers(STARTING[0]).system is None


def test_an_answer_cannot_end_itself(machine: Machine) -> None:
    """Only the script's nonce does, which no program knows."""
    machine.says("systemd-sysctl", "--cat-config", [
        "# /etc/sysctl.d/a.conf", "status 0", "asked show-depends ip_vs", f"insmod {LOADS}",
        "0" * 32 + " status 0 run_estimation", "end",
    ])  # fmt: skip
    found = machine.answers(STARTING[0])
    assert found.files is not None
    assert [line.number for line in found.files[0].lines or ()] == [4]
    assert found.load is None


@pytest.mark.skipif(not Path("/lib/systemd/systemd-sysctl").exists(), reason="needs systemd")
@pytest.mark.parametrize("shell", SHELLS)
def test_this_machine_s_systemd_lists_its_files(tmp_path: Path, shell: str) -> None:
    """The real program, beside the made-up module: as it lists them for a person."""
    module = Path(f"{tmp_path}{LOADS}")
    module.parent.mkdir(parents=True)
    module.touch()
    told = subprocess.check_output(["/lib/systemd/systemd-sysctl", "--cat-config"], text=True)
    listed = [
        line[2:] for line in told.splitlines() if line.startswith("# /") and line[-5:] == ".conf"
    ]
    found = parse_host_answers(run(SHELLS[shell], instead={
        "lib=/lib/modules/$release": f"lib={tmp_path}/lib/modules/$release",
    })["asked"])  # fmt: skip
    assert found.files is not None
    assert [file.path for file in found.files] == listed
