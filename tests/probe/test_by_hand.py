"""What an auditor types by hand shows what the probe printed."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from made import check

from ipvs_audit.controls.control import control_of
from ipvs_audit.probe import framing, script
from ipvs_audit.snapshot import ON_REQUEST
from ipvs_audit.snapshot.by_hand import by_hand
from ipvs_audit.snapshot.estimator_runs import BEFORE

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.snapshot import Section

NONCE = "0" * 32
CONTROLS = [f"EST-{number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def probed() -> dict[str, Section]:
    """This machine, as the probe sees it."""
    ran = subprocess.run(
        ["sh", "-s"], input=script.render(NONCE), capture_output=True, check=True, timeout=300
    )
    return framing.parse(ran.stdout, NONCE)


def typed(section: str) -> str:
    ran = subprocess.run(
        ["sh", "-c", by_hand(section)], capture_output=True, check=False, timeout=300
    )
    assert b"yntax error" not in ran.stderr
    return ran.stdout.decode("utf-8", "backslashreplace")


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


@pytest.mark.parametrize("section", ["sysctl", "modprobe", "udev", "modules-load"])
def test_files_have_the_same_mode_owner_size_digest_and_lines(
    probed: dict[str, Section], section: str
) -> None:
    shown = typed(section)
    path = ""
    for line in probed[section].lines():
        word, _, rest = line.partition(" ")
        if word == "file":
            path = rest
        elif word == "stat":
            assert re.fullmatch(r"0[0-7]+ \d+ \d+ \d+", rest)
            assert f"\n{path} {rest}\n" in f"\n{shown}"
        elif word == "sha256":
            assert re.search(rf"^{rest}  {re.escape(path)}$", shown, re.MULTILINE)
        elif word == "line":
            number, _, text = rest.partition(" ")
            assert f"\n{number}:{text}\n" in f"\n{shown}"


def test_the_namespaces_of_processes_are_the_same(probed: dict[str, Section]) -> None:
    own = re.search(r"^host (\d+) ", probed["netns"].output, re.MULTILINE)
    assert own is not None
    assert f"netns {own[1]}\n" in typed("netns")


def test_the_kernel_and_the_machine_are_the_same(probed: dict[str, Section]) -> None:
    shown = typed("host")
    for key in ("release", "hostname", "machine-id", "boot-id", "possible", "arch"):
        found = re.search(rf"^{key}=(.*)$", probed["host"].output, re.MULTILINE)
        assert found is None or found[1] in shown, key
